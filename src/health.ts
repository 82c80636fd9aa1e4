/** How the service is, for `/readyz` and for tests. */
import type { ReceiverState } from './delivery/receiver.ts';
import type { ScopeHealth } from './source/source.ts';

export interface Health {
  /** The stages run, every scope is watched or named in `degraded`, and at least one is watched. */
  readonly ready: boolean;
  /** `standby`: another process holds the Lease. */
  readonly phase: 'connecting' | 'standby' | 'starting' | 'running' | 'stopping';
  readonly degraded: readonly ScopeHealth[];
  readonly scopes: readonly ScopeHealth[];
  /** Why the configuration file on disk is not the one that runs; undefined: it is. */
  readonly configProblem: string | undefined;
}

/** Bookmarks come every minute; a server that sends none still ends each watch after 5 to 10 minutes, as it was asked to. */
const STALE_AFTER_MS = 15 * 60_000;

/** A watch that stands, and of which nothing is heard, watches nothing. @param now milliseconds since the epoch */
export function judged(scope: ScopeHealth, now: number): ScopeHealth {
  const { state, lastHeardAt = now } = scope;
  if (state !== 'watching' || now - lastHeardAt < STALE_AFTER_MS) return scope;
  const minutes = Math.floor((now - lastHeardAt) / 60_000);
  return { ...scope, state: 'degraded', problem: `stale: nothing heard for ${minutes} minutes, not even a bookmark` };
}

/**
 * What keeps the service from telling everybody of everything, as far as it knows; none: it is well. Stricter than `ready`, which
 * asks whether a restart may help.
 */
export function complaintsOf(
  { phase, degraded }: Pick<Health, 'phase' | 'degraded'>,
  receivers: readonly ReceiverState[],
): readonly string[] {
  if (phase !== 'running') return [`it is ${phase}`];
  return [
    ...degraded.map((scope) => `${nameOf(scope)} is degraded`),
    ...receivers
      .filter(({ restsUntil }) => restsUntil !== undefined)
      .map(({ names }) => `${names.join(', ')} fails and is given a rest`),
  ];
}

/** `apps/v1/deployments in shop` */
export function nameOf({ resource, kind, namespace }: ScopeHealth): string {
  return `${resource ?? kind}${namespace === '' ? '' : ` in ${namespace}`}`;
}
