/** Prunes the history, updates the gauges that are read from the store, and warns of new dead letters. */
import { statfs } from 'node:fs/promises';
import { pause, type Clock } from '../clock.ts';
import type { ChainConfig } from '../config/config.ts';
import { findChain } from '../config/in-chains.ts';
import { codeOf, toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Retention, Store } from '../store/store.ts';

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
const TROUBLES: Readonly<Record<string, string>> = {
  STORE_FULL: 'The disk is full: no changes are accepted until there is room',
  // Usually another process holds its lock: a purge of large manifests on a slow disk, one stopped by Ctrl-Z, an sqlite3 shell.
  STORE_REFUSED: 'Cannot clean up the store, trying again',
};

/**
 * Runs until the signal aborts. Logs and waits out a full disk, or a store that refuses.
 * @throws what the store threw if it cannot continue; restarting the service may help
 */
export async function keepHouse(options: HousekeepingOptions): Promise<void> {
  const { store, clock, log, retention, signal } = options;
  let deadLetters = 0;
  let trouble: string | undefined;
  while (!signal.aborted) {
    try {
      await showRoom(options);
      deadLetters = await showBacklog(options, deadLetters);
      for (let pruned = -1; pruned !== 0;) pruned = await store.prune(retention(), clock.now());
      if (trouble === 'STORE_FULL') log.info('There is room on the disk again');
      trouble = undefined;
    } catch (thrown) {
      if (signal.aborted) return;
      const code = codeOf(thrown) ?? '';
      const what = TROUBLES[code];
      if (what === undefined) throw thrown;
      if (trouble !== code) log.error(what, { problem: toError(thrown).message });
      trouble = code;
    }
    await pause(clock, EVERY_MS, signal);
  }
}

async function showRoom({ stateFolder, metrics }: HousekeepingOptions): Promise<void> {
  if (stateFolder === undefined) return;
  const { bavail, bsize } = await statfs(stateFolder);
  metrics.stateFree.set(bavail * bsize);
}

/** @param told how many dead letters have been logged. Returns how many there are now */
async function showBacklog({ store, log, metrics }: HousekeepingOptions, told: number): Promise<number> {
  let kept = 0;
  for (const { chain, pending, oldestPendingAt, dead, replayed } of await store.balances()) {
    kept += dead - replayed;
    metrics.pending.set({ chain }, pending);
    metrics.dead.set({ chain }, dead - replayed);
    if (oldestPendingAt === undefined) metrics.oldestPending.remove({ chain });
    else metrics.oldestPending.set({ chain }, oldestPendingAt / 1_000);
  }
  if (kept > told) log.warn('There are dead letters: `watchchain dead list` shows them', { kept, more: kept - told });
  return kept;
}

/** Warns of changes that wait for a chain that is not configured (any more): they are kept until it comes back. */
export async function tellOfOrphans(
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
