/** `purge`: permanently forgets what is recorded, except what is still to be delivered. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { codeOf, ConfigError } from '../errors.ts';
import { tryLock } from '../store/state-folder.ts';
import type { EndedQuery } from '../store/looking-back.ts';
import type { Store } from '../store/store.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { inBatches, isFiltered, select, type Filters } from './dead-letter-choice.ts';
import { objectQuery, type ObjectFlags } from '../kind-names.ts';
import { withStateFlags, type StateFlags } from './options.ts';
import { withStore } from './state.ts';
import { parseTime } from './values.ts';

interface Flags extends StateFlags, ObjectFlags, Pick<Filters, 'olderThan'> {
  readonly dead?: true;
  readonly history?: true;
  readonly all?: true;
  readonly yes?: true;
}

interface Purgeable {
  /** Ids of deliveries. */
  readonly letters: readonly number[];
  readonly changes: readonly number[];
}

export function purgeCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('purge')
    .description('forget recorded changes and dead letters for good; changes still to be delivered are kept')
    .allowExcessArguments(false)
    .option('--older-than <duration>', 'those seen, or given up, longer ago than this: 30m, 12h, 3d')
    .option('--kind <kind>', 'those about objects of this kind')
    .option('-n, --namespace <namespace>', 'namespace, with * and ? as wildcards')
    .option('--name <name>', 'name of the object, with * and ? as wildcards')
    .option('--all', 'everything that can be forgotten')
    .option('--dead', 'only dead letters, with their changes')
    .option('--history', 'only changes that have ended, no dead letters')
    .option('-y, --yes', 'do not ask for confirmation');
  withStateFlags(command).action((flags: Flags) =>
    choose(() => withStore(flags, io, (store, folder) => purge(store, folder, flags, io))),
  );
}

async function purge(store: Store, folder: string, flags: Flags, io: CommandIo): Promise<number> {
  requireSelection(flags);
  const found = await findPurgeable(store, flags);
  if (found.letters.length + found.changes.length === 0) {
    io.stdout.write('Nothing to forget: no dead letter and no change that has ended matches.\n');
    return EXIT.ok;
  }
  const what = describeCounts(found.letters.length, found.changes.length);
  if (flags.yes !== true && !(await isConfirmed(what, io))) return EXIT.failed;
  const { letters, changes } = await forget(store, found, io.signal);
  const rest = io.signal.aborted ? ', then stopped as requested' : '';
  const where = await eraseFreedSpace(store, folder);
  io.stdout.write(`Forgot ${describeCounts(letters, changes)}${rest}. ${where}\n`);
  return EXIT.ok;
}

function requireSelection(flags: Flags): void {
  const byFilter = isFiltered(flags);
  if (byFilter && flags.all === true)
    throw new ConfigError(['Cannot purge by filter and with --all at the same time; leave one of them out']);
  if (!byFilter && flags.all !== true)
    throw new ConfigError(['Nothing to purge: give --older-than, --kind, --namespace, --name, or --all']);
}

/** Neither `--dead` nor `--history` means both. */
async function findPurgeable(store: Store, flags: Flags): Promise<Purgeable> {
  const { dead = false, history = false } = flags;
  const letters: number[] = [];
  if (dead || !history) for await (const { id } of select(store, flags)) letters.push(id);
  return { letters, changes: history || !dead ? await store.ended(await endedQuery(store, flags)) : [] };
}

async function endedQuery(store: Store, { olderThan, ...flags }: Flags): Promise<EndedQuery> {
  const observedBefore = olderThan === undefined ? undefined : parseTime('--older-than', olderThan);
  return { ...(await objectQuery(store, flags)), observedBefore };
}

/** Asks the user. Without a terminal, `--yes` is needed. */
async function isConfirmed(what: string, { stdin, stdout, stderr, signal }: CommandIo): Promise<boolean> {
  if (stdin.isTTY !== true || stdout.isTTY !== true) {
    stderr.write(`watchchain: would forget ${what} for good; nothing was done: confirm with --yes\n`);
    return false;
  }
  const terminal = createInterface({ input: stdin, output: stdout });
  try {
    return /^y(es)?$/i.test(await terminal.question(`Forget ${what} for good? [y/N] `, { signal }));
  } catch {
    return false;
  } finally {
    terminal.close();
  }
}

/** Returns how many were forgotten: some may have been replayed meanwhile. */
async function forget(
  store: Store,
  { letters, changes }: Purgeable,
  signal: AbortSignal,
): Promise<{ letters: number; changes: number }> {
  return {
    letters: await inBatches(letters, signal, (ids) => store.discard(ids, { withChanges: true })),
    changes: await inBatches(changes, signal, (ids) => store.forget(ids)),
  };
}

/** While the service runs, only overwrites what was removed: it would have to wait too long for a whole new file. */
async function eraseFreedSpace(store: Store, folder: string): Promise<string> {
  const unlock = await tryLock(folder);
  try {
    if (unlock !== undefined && (await isCompacted(store))) return 'The store is as small as it can be.';
    const why = unlock === undefined ? 'The service is running' : 'The volume has no room to rewrite it';
    if (await store.erase()) return `${why}: the store keeps its size, and reuses the freed space.`;
  } finally {
    unlock?.();
  }
  throw new ConfigError([
    "Forgotten, but another process is reading the store's log, which may still contain the data until the service is restarted",
  ]);
}

async function isCompacted(store: Store): Promise<boolean> {
  try {
    await store.compact();
    return true;
  } catch (thrown) {
    if (codeOf(thrown) !== 'STORE_FULL') throw thrown;
    return false;
  }
}

function describeCounts(letters: number, changes: number): string {
  const parts = [countOf(letters, 'dead letter'), countOf(changes, 'change')].filter((part) => part !== undefined);
  return parts.join(' and ') || 'nothing';
}

function countOf(amount: number, what: string): string | undefined {
  if (amount === 0) return undefined;
  return `${amount} ${what}${amount === 1 ? '' : 's'}`;
}
