/** The health of the service, for `/readyz` and for tests. */
import type { ReceiverState } from './delivery/receiver.ts';
import type { ScopeHealth } from './source/source.ts';

export interface Health {
  /** All stages run, every scope is watched or named in `degraded`, and at least one is watched. */
  readonly ready: boolean;
  /** `standby`: another process holds the Lease. */
  readonly phase: 'connecting' | 'standby' | 'starting' | 'running' | 'stopping';
  readonly degraded: readonly ScopeHealth[];
  readonly scopes: readonly ScopeHealth[];
  /** Why the configuration file on disk is not the one in use; undefined if it is. */
  readonly configProblem: string | undefined;
}

/** Bookmarks come every minute; even a server that sends none ends each watch after the 5 to 10 minutes requested. */
const STALE_AFTER_MS = 15 * 60_000;

/** Marks a scope as degraded if its watch has gone silent. @param now milliseconds since the epoch */
export function markStale(scope: ScopeHealth, now: number): ScopeHealth {
  const { state, lastHeardAt = now } = scope;
  if (state !== 'watching' || now - lastHeardAt < STALE_AFTER_MS) return scope;
  const minutes = Math.floor((now - lastHeardAt) / 60_000);
  return {
    ...scope,
    state: 'degraded',
    problem: `stale: nothing received for ${minutes} minutes, not even a bookmark`,
  };
}

/**
 * What is known to keep the service from delivering every change to every receiver; empty if all is well. Stricter than `ready`,
 * which is about whether a restart may help.
 */
export function healthProblems(
  { phase, degraded }: Pick<Health, 'phase' | 'degraded'>,
  receivers: readonly ReceiverState[],
): readonly string[] {
  if (phase !== 'running') return [`the service is ${phase}`];
  return [
    ...degraded.map((scope) => `${nameOf(scope)} is degraded`),
    ...receivers
      .filter(({ restsUntil }) => restsUntil !== undefined)
      .map(({ names }) => `${names.join(', ')} keeps failing, deliveries are paused`),
  ];
}

/** `apps/v1/deployments in shop` */
export function nameOf({ resource, kind, namespace }: ScopeHealth): string {
  return `${resource ?? kind}${namespace === '' ? '' : ` in ${namespace}`}`;
}
