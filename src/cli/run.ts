import { type Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { exposedFiles } from '../config/exposed-files.ts';
import { watchFiles } from '../config/watch-files.ts';
import { createApp, type App } from '../app.ts';
import { parseListen } from '../web/server.ts';
import { unlessAborted } from '../until-aborted.ts';
import { ConfigError, toError } from '../errors.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { reloadWhenChanged, warnAll, type ReloadLoop } from './reload.ts';
import {
  loggerFrom,
  runnableConfigFrom,
  withConfigFlags,
  withExecFlag,
  withLeaseFlag,
  withLogFlags,
  type ConfigFlags,
  type ExecFlag,
  type LeaseFlag,
  type LogFlags,
} from './options.ts';

type Flags = ConfigFlags & LeaseFlag & LogFlags & ExecFlag & { readonly listen: string; readonly orInMemory: boolean };

/** For health and metrics outside a cluster; the chart passes its own. */
const DEFAULT_LISTEN = '127.0.0.1:8080';

export function runCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('run', { isDefault: true })
    .description('watch the cluster and report what changes (the default)')
    .allowExcessArguments(false)
    .addOption(
      new Option('--listen <host:port>', 'address of the page, health and metrics; "off" for none').default(
        DEFAULT_LISTEN,
      ),
    )
    .option('--or-in-memory', 'keep the state in memory if the state folder cannot be written', false);
  withLogFlags(withExecFlag(withLeaseFlag(withConfigFlags(command)))).action((flags: Flags) =>
    choose(() => run(flags, io)),
  );
}

async function run(flags: Flags, io: CommandIo): Promise<number> {
  const listen = listenFrom(flags.listen);
  const files = watchFiles(systemClock);
  const load = () => runnableConfigFrom(flags, io, { trustForeignTool: true, onFile: (file) => files.watch(file) });
  const config = await untilSignalled(load(), io.signal);
  if (config === undefined) return EXIT.ok;
  const log = loggerFrom(flags, config, io);
  warnAll(config.warnings, log);
  for (const warning of await exposedFiles(config.secretFiles, io.env))
    log.warn('Other users of this machine can read credentials', { warning });
  const { orInMemory } = flags;
  const app = createApp({ config, log, stdout: io.stdout, env: io.env, listen, allowInMemory: orInMemory });
  // Then the process ends with 0: whoever looks for the cause finds it in the log.
  io.stdout.prependListener('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') log.warn('The reader of stdout is gone: the service ends');
  });
  const following = { app, config, files, load, clock: systemClock, log };
  const startReloading = (signal: AbortSignal) => reloadWhenChanged({ ...following, signal });
  io.signal.addEventListener('abort', () => log.info('Stopping', { signal: String(io.signal.reason) }), { once: true });
  app.failed.catch((error: Error) => {
    if (io.signal.aborted) log.error('Something failed while stopping', { error: error.message });
  });
  return untilStopped(app, io.signal, startReloading).finally(io.onStopped);
}

/** Undefined if the signal aborts first: a handler's file may take long to load. */
async function untilSignalled<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await unlessAborted(work, signal);
  } catch (thrown) {
    if (signal.aborted) return undefined;
    throw thrown;
  }
}

/** Starts the app and waits until the process is asked to stop; then drains. */
async function untilStopped(
  app: App,
  signal: AbortSignal,
  startReloading: (signal: AbortSignal) => ReloadLoop,
): Promise<number> {
  const stopped = new Promise<void>((resolve) => {
    const stop = () => resolve(app.stop());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  const over = new AbortController();
  const reloading = startReloading(AbortSignal.any([signal, over.signal]));
  try {
    await Promise.race([app.start(() => reloading.whenCurrent()), app.failed, stopped]);
    await Promise.race([app.failed, stopped]);
  } catch (error) {
    const wasAskedToStop = signal.aborted;
    await app.stop(0);
    if (!wasAskedToStop) throw error;
  } finally {
    over.abort();
    await reloading.ended;
  }
  return EXIT.ok;
}

function listenFrom(flag: string): string | undefined {
  if (flag === 'off' || flag === '') return undefined;
  try {
    parseListen(flag);
  } catch (error) {
    throw new ConfigError([`--listen: ${toError(error).message}, or "off"`], { cause: error });
  }
  return flag;
}
