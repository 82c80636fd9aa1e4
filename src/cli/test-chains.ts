import { readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import type { ChainRunner } from '../chain/runner.ts';
import { createChainTree } from '../chain/tree.ts';
import { systemClock } from '../clock.ts';
import { createReceivers } from '../delivery/receivers.ts';
import { ConfigError, whyUnreadable } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { recordedEvidence } from '../enrich/evidence.ts';
import { createMetrics } from '../metrics.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import {
  loggerFrom,
  runnableConfigFrom,
  withConfigFlags,
  withExecFlag,
  withLogFlags,
  type ConfigFlags,
  type ExecFlag,
  type LogFlags,
} from './options.ts';
import { RecordedScopes } from './recorded-scopes.ts';
import { rehearsed } from './rehearsal.ts';
import { readWatchEvents, type RecordedEvent } from './watch-events.ts';

type Flags = ConfigFlags & LogFlags & ExecFlag;

export function testCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('test')
    .description('run recorded watch events through the chains: prints each verdict, sends nothing')
    .argument('<file>', 'output of `kubectl get -w -o json --output-watch-events`; - for standard input')
    .allowExcessArguments(false);
  withLogFlags(withExecFlag(withConfigFlags(command))).action((file: string, flags: Flags) =>
    choose(() => test(file, flags, io)),
  );
}

/** Runs one event after the other to its end, so that the output is in the order of the file. Exit code 1 if a handler threw. */
async function test(file: string, flags: Flags, io: CommandIo): Promise<number> {
  const config = await runnableConfigFrom(flags, io);
  const events = await eventsIn(file, io);

  await using cleanup = new AsyncDisposableStack();
  const cluster = { id: 'test', name: config.cluster.name ?? 'test' };
  const store = await openSqliteStore({ path: ':memory:', cluster });
  cleanup.defer(() => store.close());
  const [clock, log, metrics] = [systemClock, loggerFrom(flags, config, io), createMetrics()];
  const receivers = createReceivers({ clock, metrics, log, env: io.env });
  cleanup.defer(() => receivers.close());
  const say = (line: string): void => void io.stdout.write(`${printable(line)}\n`);
  let failures = 0;
  const runners = new Map<string, ChainRunner>();
  for (const configured of config.chains) {
    const chain = rehearsed(configured, io.stdout, () => (failures += 1));
    const evidence = recordedEvidence(store, () => config.redact.envNames);
    const common = { store, receivers, metrics, log, clock, evidence, clusterName: cluster.name };
    const runner = createChainTree({ chain, ...common, stdout: new PassThrough().resume(), isSequential: true });
    await runner.start();
    cleanup.defer(() => runner.stop(0));
    runners.set(chain.name, runner);
  }

  const scopes = new RecordedScopes(config, store, events);
  for (const event of events) {
    if (file !== '-' && io.signal.aborted) break;
    const { chains, isChange } = await scopes.accept(event);
    const what = `${event.kind} ${event.key}`;
    if (chains.length === 0) say(`${event.at}: no chain watches ${what}`);
    else if (!isChange) say(`${event.at}: no change of ${what}`);
    for (const name of chains) await runners.get(name)?.idle();
  }
  return failures === 0 ? EXIT.ok : EXIT.failed;
}

async function eventsIn(file: string, io: CommandIo): Promise<readonly RecordedEvent[]> {
  return file === '-'
    ? readWatchEvents(await readStdin(io), 'standard input')
    : readWatchEvents(await read(file), file);
}

/** Reads until the end, or until Ctrl-C, which also ends a `kubectl get -w` in the pipe: what came by then is tested. */
async function readStdin({ stdin, signal }: CommandIo): Promise<Buffer> {
  const parts: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    stdin.on('data', (part: Buffer | string) => void parts.push(Buffer.from(part)));
    stdin.once('end', resolve).once('error', reject);
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  stdin.pause();
  return Buffer.concat(parts);
}

async function read(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: unknown) => {
    throw new ConfigError([`Cannot read the watch events in ${file}: ${whyUnreadable(cause)}`], { cause });
  });
}
