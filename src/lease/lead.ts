/** Waits for the configured Lease. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../clock.ts';
import type { LeaseConfig } from '../config/config.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Connection } from '../source/connect.ts';
import { acquireLeadership, type Leadership } from './leadership.ts';
import { nameOf } from './lease-object.ts';

export interface LeadOptions {
  readonly lease: LeaseConfig;
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
}

/** Acquires it under a name unique to this process, so even its own restart has to wait. Rejects when `signal` aborts. */
export async function lead({ lease, connection, metrics, ...around }: LeadOptions): Promise<Leadership> {
  const at = { name: lease.name, namespace: lease.namespace ?? connection.namespace ?? 'default' };
  const setLeaderGauge = (holds: 0 | 1): void => metrics.leader.set({ lease: nameOf(at) }, holds);
  setLeaderGauge(0);
  const leadership = await acquireLeadership({
    api: connection.api,
    at,
    identity: `${hostname()}_${randomUUID()}`,
    durationMs: lease.durationMs,
    ...around,
  });
  setLeaderGauge(1);
  leadership.lost.catch(() => setLeaderGauge(0));
  return leadership;
}
