/** Prunes the history, updates the gauges that are read from the store, and warns of new dead letters. */
import { statfs } from 'node:fs/promises';
import { pause, type Clock } from '../clock.ts';
import type { ChainConfig } from '../config/config.ts';
import { findChain } from '../config/in-chains.ts';
import { codeOf, toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Retention } from '../store/looking-back.ts';
import type { Store } from '../store/store.ts';

export interface HousekeepingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Undefined if the state is in memory. */
  readonly stateFolder: string | undefined;
  /** From the current configuration. */
  readonly retention: () => Retention;
  readonly signal: AbortSignal;
}

const EVERY_MS = 15_000;

/** Errors to wait out, as chains and sources do too. */
const TRANSIENT_PROBLEMS: Readonly<Record<string, string>> = {
  STORE_FULL: 'The disk is full: no changes are accepted until there is room',
  // Usually another process holds its lock: a purge of large manifests on a slow disk, one stopped by Ctrl-Z, an sqlite3 shell.
  STORE_REFUSED: 'Cannot clean up the store, trying again',
};

/**
 * Runs until the signal aborts. Logs and waits out a full disk, or a store that refuses.
 * @throws what the store threw if it cannot continue; restarting the service may help
 */
export async function runHousekeeping(options: HousekeepingOptions): Promise<void> {
  const { store, clock, log, retention, signal } = options;
  let deadLetters = 0;
  let problemCode: string | undefined;
  while (!signal.aborted) {
    try {
      await reportFreeSpace(options);
      deadLetters = await reportBacklog(options, deadLetters);
      for (let pruned = -1; pruned !== 0;) pruned = await store.prune(retention(), clock.now());
      if (problemCode === 'STORE_FULL') log.info('There is room on the disk again');
      problemCode = undefined;
    } catch (thrown) {
      if (signal.aborted) return;
      const code = codeOf(thrown) ?? '';
      const message = TRANSIENT_PROBLEMS[code];
      if (message === undefined) throw thrown;
      if (problemCode !== code) log.error(message, { problem: toError(thrown).message });
      problemCode = code;
    }
    await pause(clock, EVERY_MS, signal);
  }
}

async function reportFreeSpace({ stateFolder, metrics }: HousekeepingOptions): Promise<void> {
  if (stateFolder === undefined) return;
  const { bavail, bsize } = await statfs(stateFolder).catch((cause: unknown) => {
    throw codeOf(cause) === 'ENOENT' ? folderIsGone(stateFolder, cause) : cause;
  });
  metrics.stateFree.set(bavail * bsize);
}

/** The store still writes to the moved files, or to deleted ones that end with this process. */
function folderIsGone(folder: string, cause: unknown): Error {
  return new Error(
    `The state folder ${folder} was moved or deleted; put it back before the next start, or that start begins with a new baseline`,
    { cause },
  );
}

/** @param reported how many dead letters have been logged. Returns how many there are now */
async function reportBacklog({ store, log, metrics }: HousekeepingOptions, reported: number): Promise<number> {
  let kept = 0;
  for (const { chain, pending, dueSince, dead, replayed } of await store.balances()) {
    kept += dead - replayed;
    metrics.pending.set({ chain }, pending);
    metrics.dead.set({ chain }, dead - replayed);
    if (dueSince === undefined) metrics.oldestPending.remove({ chain });
    else metrics.oldestPending.set({ chain }, dueSince / 1_000);
  }
  if (kept > reported)
    log.warn('There are dead letters: `watchchain dead list` shows them', { kept, more: kept - reported });
  return kept;
}

/** Warns of changes that wait for a chain that is not configured (any more): they are kept until it comes back. */
export async function warnOfOrphans(
  store: Pick<Store, 'balances'>,
  chains: readonly ChainConfig[],
  log: Logger,
): Promise<void> {
  for (const { chain, pending } of await store.balances()) {
    if (pending === 0 || findChain(chains, chain) !== undefined) continue;
    log.warn('Changes wait for a chain that is not configured: they are kept until a chain of that name exists', {
      chain,
      pending,
    });
  }
}
