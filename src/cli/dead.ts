import { type Command, Option } from 'commander';
import { idempotencyKey } from '../change.ts';
import { documentOf, summaryOf } from '../change/change-document.ts';
import { systemClock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { removedIn } from '../config/in-chains.ts';
import { ConfigError, isConfigError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { DeadLetter } from '../store/looking-back.ts';
import type { Store } from '../store/store.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import {
  chosen,
  inBatches,
  isFiltered,
  select,
  unknownIds,
  type SelectedLetter,
  type Filters,
} from './dead-letter-choice.ts';
import { configOfState, withStateFlags, type StateFlags } from './options.ts';
import { print } from './print.ts';
import { withStore } from './state.ts';
import { age, isoTime, table, withTimes } from './table.ts';
import { idOf } from './values.ts';

interface Flags extends StateFlags, Filters {
  readonly all?: boolean;
  readonly force?: boolean;
  readonly output?: 'table' | 'json';
}

export function deadCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const dead = program
    .command('dead')
    .description('list, show, replay or discard dead letters: changes whose attempts are spent');
  const addSubcommand = (
    name: string,
    description: string,
    work: (store: Store, flags: Flags, ids: readonly number[]) => Promise<number>,
  ) => {
    const command = withStateFlags(dead.command(name).description(description));
    return command.action(() => {
      const flags = command.opts<Flags>();
      choose(() => withStore(flags, io, (store) => work(store, flags, command.args.map(idOf))));
    });
  };
  withFilters(
    addSubcommand('list', 'list dead letters, one per line, oldest first', (store, flags) => list(store, flags, io)),
  )
    .allowExcessArguments(false)
    .addOption(new Option('-o, --output <format>', 'one object per line with json').choices(['table', 'json']));
  addSubcommand('show', 'print everything about dead letters, as JSON', (store, _flags, ids) =>
    show(store, ids, io),
  ).argument('<ids...>');
  withFilters(
    addSubcommand(
      'replay',
      'send dead letters through their chain again, skipping the sinks that have already delivered them',
      (store, flags, ids) => replay(store, flags, ids, io),
    ),
  )
    .argument('[ids...]')
    .option('--all', 'all dead letters')
    .option(
      '--force',
      'even if their handler is no longer configured, or the configuration cannot be read: use the chain as it is now',
    );
  withFilters(
    addSubcommand('discard', 'discard dead letters without delivering them', (store, flags, ids) =>
      discard(store, flags, ids, io),
    ),
  )
    .argument('[ids...]')
    .option('--all', 'all dead letters');
}

function withFilters(command: Command): Command {
  return command
    .option('--chain <name>', 'only those of this chain or branch')
    .option('--handler <id>', 'only those that failed at this handler: chain/handler')
    .option('--kind <kind>', 'only those about objects of this kind')
    .option('-n, --namespace <namespace>', 'only those about objects in this namespace, with * and ? as wildcards')
    .option('--name <name>', 'only those about the object of this name, with * and ? as wildcards')
    .option('--older-than <duration>', 'only those given up longer ago than this: 30m, 12h, 3d');
}

async function list(store: Store, flags: Flags, io: CommandIo): Promise<number> {
  const rows: string[][] = [];
  for await (const letter of select(store, flags)) {
    if (flags.output === 'json') await print(`${printable(JSON.stringify(documentOfLetter(letter)))}\n`, io);
    else rows.push(rowOf(letter));
  }
  if (flags.output === 'json') return EXIT.ok;
  if (rows.length === 0) return printNoneFound(flags, io);
  io.stdout.write(table([['ID', 'AGE', 'CHANGE', 'HANDLER', 'ATTEMPTS', 'ERROR'], ...rows]));
  return EXIT.ok;
}

function printNoneFound(flags: Filters, io: CommandIo): number {
  io.stdout.write(isFiltered(flags) ? 'No dead letters match.\n' : 'No dead letters.\n');
  return EXIT.ok;
}

function rowOf({ id, diedAt, handler, attempts, error, change }: DeadLetter): string[] {
  const what = `${change.action} ${change.gvk.kind.toLowerCase()} ${change.key}`;
  return [String(id), age(systemClock.now() - diedAt), what, handler, String(attempts), error];
}

async function show(store: Store, ids: readonly number[], io: CommandIo): Promise<number> {
  for (const id of ids) {
    const letter = await store.deadLetterOf(id);
    if (letter === undefined) throw unknownIds([id]);
    const trip = await store.trip(letter.change.id);
    const failures = trip?.deliveries.find((delivery) => delivery.id === id)?.failures ?? [];
    const shown = { ...documentOfLetter(letter), failures: failures.map(withTimes), change: documentOf(letter.change) };
    const lines = JSON.stringify(shown, undefined, 2).split('\n');
    await print(`${lines.map(printable).join('\n')}\n`, io);
  }
  return EXIT.ok;
}

/** A letter as listed: without the manifests. */
function documentOfLetter({ id, chain, handler, error, attempts, diedAt, change }: DeadLetter) {
  const key = idempotencyKey(change, handler);
  return {
    id,
    chain,
    handler,
    error,
    attempts,
    diedAt: isoTime(diedAt),
    idempotencyKey: key,
    change: summaryOf(change),
  };
}

/** Leaves a letter whose chain or handler no longer exists: see {@link removedIn}. */
async function replay(store: Store, flags: Flags, given: readonly number[], io: CommandIo): Promise<number> {
  const letters = await chosen('replay', store, flags, given);
  if (letters.length === 0) return printNoneFound(flags, io);
  const reasons = await findObstacles(letters, flags, io);
  if (reasons.length > 0) throw new ConfigError(reasons);
  const done = await inBatches(idsOf(letters), io.signal, (ids) => store.replay(ids));
  io.stdout.write(
    `Replayed ${done} of ${letters.length}. A running service picks them up within 5 seconds, a stopped one at its next start.\n`,
  );
  return EXIT.ok;
}

const REMEDIES = {
  chain: 'restore it until they are delivered, or discard them',
  handler: 'restore it, or use --force to send them through the chain as it is now',
} as const;

async function findObstacles(
  letters: readonly SelectedLetter[],
  flags: Flags,
  io: CommandIo,
): Promise<readonly string[]> {
  const config = await readConfig(flags, io);
  if (config === undefined) return [];
  const reasons = new Map<string, string>();
  for (const { id, chain, handler } of letters) {
    if (reasons.has(`${chain} ${handler}`)) continue;
    const gone = removedIn(config.chains, { chain, handler });
    if (gone === undefined || (gone.part === 'handler' && flags.force === true)) continue;
    const why = `${config.file} has no ${gone.what} any more; ${REMEDIES[gone.part]}`;
    reasons.set(`${chain} ${handler}`, `Cannot replay ${id}: ${why}`);
  }
  return [...reasons.values()];
}

/** Undefined if it cannot be read, and need not be. */
async function readConfig(flags: Flags, io: CommandIo): Promise<Config | undefined> {
  try {
    return await configOfState(flags, io);
  } catch (thrown) {
    if (!isConfigError(thrown)) throw thrown;
    if (flags.force === true) return undefined;
    const why =
      'A replay needs the configuration, to check that the chain and the handler still exist; --force replays without it';
    throw new ConfigError([...thrown.problems, why], { cause: thrown });
  }
}

async function discard(store: Store, flags: Flags, given: readonly number[], io: CommandIo): Promise<number> {
  const letters = await chosen('discard', store, flags, given);
  if (letters.length === 0) return printNoneFound(flags, io);
  const done = await inBatches(idsOf(letters), io.signal, (ids) => store.discard(ids));
  io.stdout.write(`Discarded ${done} of ${letters.length}.\n`);
  return EXIT.ok;
}

function idsOf(letters: readonly SelectedLetter[]): readonly number[] {
  return letters.map(({ id }) => id);
}
