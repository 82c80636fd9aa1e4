/** Every metric of the service, in one place; stages observe, handlers work. Names follow Prometheus conventions. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { HandlerCounters } from './handler-counters.ts';
import type { ScopeHealth } from './source/source.ts';
import { VERSION } from './version.ts';

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Without the metrics of the process itself: see {@link collectProcessMetrics}.
 * @param scopes called on each collection
 */
export function createMetrics(scopes: () => readonly ScopeHealth[] = () => []) {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter<L>({ name: `watchchain_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge<L>({ name: `watchchain_${name}`, help, labelNames, registers });
  const seconds = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram<L>({ name: `watchchain_${name}`, help, labelNames, buckets, registers });
  const perScope = (
    name: string,
    help: string,
    valueOf: (sameLabelled: readonly ScopeHealth[]) => number | undefined,
  ) =>
    new Gauge({
      name: `watchchain_${name}`,
      help,
      labelNames: ['resource', 'namespace'],
      registers,
      collect() {
        this.reset();
        // Scopes that differ only by selector share their labels: shown as one, so that none hides a problem of another.
        for (const sameLabelled of Map.groupBy(scopes(), (scope) => JSON.stringify(labelsOf(scope))).values()) {
          const [first] = sameLabelled;
          const value = valueOf(sameLabelled);
          if (first !== undefined && value !== undefined) this.set(labelsOf(first), value);
        }
      },
    });
  gauge('build_info', 'Always 1; the labels name the running version', 'version', 'node').set(
    { version: VERSION, node: process.version },
    1,
  );
  const stateFree = gauge(
    'state_free_bytes',
    'Free space on the volume of the state; absent until the state is open, or if it is kept in memory',
  );
  // A gauge without labels starts at 0, which would raise the alert for a full disk.
  stateFree.remove();
  return {
    registry,
    /** Counters that the configuration names. */
    counters: new HandlerCounters(registry),
    watchEvents: counter('watch_events_total', 'Watch events received, by type', 'resource', 'type'),
    noise: counter('noise_total', 'Updates outside the interest of every chain, not stored', 'resource'),
    malformed: counter('malformed_total', 'Objects or lines that could not be read', 'resource'),
    relists: counter('relists_total', 'Lists made, by reason', 'resource', 'reason'),
    watchRestarts: counter(
      'watch_restarts_total',
      'Watches opened again from the cursor, by reason',
      'resource',
      'reason',
    ),
    scopeObjects: perScope('scope_objects', 'Objects in the baseline', (sameLabelled) =>
      sameLabelled.reduce((sum, { objects }) => sum + objects, 0),
    ),
    scopeSynced: perScope(
      'scope_synced',
      '1 when the scope is listed and watched, 0 when it is degraded',
      (sameLabelled) => (sameLabelled.every(({ state }) => state === 'watching') ? 1 : 0),
    ),
    scopeHeard: perScope(
      'scope_last_heard_timestamp_seconds',
      'When the API server last sent anything for the scope: at least every ten minutes, whatever happens',
      (sameLabelled) => {
        const times = sameLabelled.map(({ lastHeardAt }) => lastHeardAt).filter((at) => at !== undefined);
        return times.length === 0 ? undefined : Math.min(...times) / 1_000;
      },
    ),
    lookups: counter(
      'lookups_total',
      'Lookups of objects that Events and changes involve, by where they were found',
      'outcome',
    ),
    changes: counter('changes_total', 'Changes accepted', 'resource', 'action'),
    verdicts: counter('verdicts_total', 'Verdicts of handlers', 'handler', 'verdict'),
    fallbacks: counter(
      'fallbacks_total',
      'Changes that a fallback delivered in place of a sink',
      'handler',
      'fallback',
    ),
    digests: counter('digests_total', 'Messages that reported several changes at once', 'handler'),
    attempts: counter('attempts_total', 'Runs of a chain for a change, by outcome', 'chain', 'outcome'),
    ends: counter('ends_total', 'How changes ended in a chain', 'chain', 'end'),
    pending: gauge('pending', 'Changes that have not ended yet', 'chain'),
    oldestPending: gauge(
      'oldest_pending_timestamp_seconds',
      'Since when the change that has waited longest has been due: when it was seen or replayed, or when a quiet or a digest no longer held it; absent while none is due',
      'chain',
    ),
    dead: gauge('dead_letters', 'Dead letters kept', 'chain'),
    deliveries: counter('deliveries_total', 'Requests to receivers, by outcome', 'receiver', 'outcome'),
    deliverySeconds: seconds('delivery_seconds', 'Time of a request', [0.005, 0.02, 0.1, 0.5, 2, 10], 'receiver'),
    latency: seconds(
      'latency_seconds',
      'Time from the watch event, or from the end of a hold (a digest, quiet hours) or a replay, to the end of the chain',
      [0.005, 0.02, 0.1, 0.5, 1, 5, 30, 300],
      'chain',
    ),
    heartbeats: counter(
      'heartbeats_total',
      "Heartbeats to the dead man's switch: sent, failed, or withheld",
      'outcome',
    ),
    spans: counter('spans_total', 'Spans for the trace collector: sent, or dropped, also by its own answer', 'outcome'),
    stateFree,
    leader: gauge(
      'leader',
      '1 while the configured Lease is held, 0 while another holds it; absent without one',
      'lease',
    ),
    configReloads: counter('config_reloads_total', 'Reloads of a changed configuration, by outcome', 'outcome'),
    configReloaded: gauge(
      'config_last_reload_successful',
      '0 while the file on disk is not the configuration that runs, else 1',
    ),
    breakerOpen: gauge('breaker_open', '1 while the circuit breaker of a receiver is open', 'receiver'),
  };
}

/**
 * CPU, memory, descriptors (`process_...`), heap, garbage collection and event loop delay (`nodejs_...`), under the names that
 * dashboards know. Measures from now until the process ends.
 */
export function collectProcessMetrics({ registry }: Metrics): void {
  collectDefaultMetrics({ register: registry });
}

const labelsOf = ({ kind, resource = kind, namespace }: ScopeHealth) => ({ resource, namespace });
