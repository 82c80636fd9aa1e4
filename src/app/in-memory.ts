/** For a service whose state folder is not writable: it runs from memory, so pending changes must go out before it stops. */
import { waitAtMost, type Clock } from '../clock.ts';
import { codeOf, toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';

/** The last two are Node's own: for a process with fewer permissions than its user, and for a user without a home. */
const UNWRITABLE: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOENT',
  'ENOTDIR',
  'ERR_ACCESS_DENIED',
  'ERR_SYSTEM_ERROR',
]);

/** Whether a state folder was refused because it cannot be made or written, and not because it belongs to someone else. */
export function isUnwritable(thrown: unknown): boolean {
  return UNWRITABLE.has(codeOf(toError(thrown).cause) ?? '');
}

export interface DrainOptions {
  readonly chains: { idle(): Promise<void>; stop(graceMs: number): Promise<void> };
  readonly store: Pick<Store, 'balances'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Lets the chains deliver everything due, within the grace period; the rest is lost, and its number logged. */
export async function drainAndStop({ chains, store, clock, log }: DrainOptions, graceMs: number): Promise<void> {
  const startedAt = clock.monotonic();
  await waitAtMost(clock, graceMs, chains.idle());
  await chains.stop(Math.max(0, graceMs - (clock.monotonic() - startedAt)));
  const lost = (await store.balances()).reduce((sum, { pending }) => sum + pending, 0);
  if (lost > 0)
    log.warn('Undelivered changes are lost: the service stopped, and its state was in memory only', { changes: lost });
}
