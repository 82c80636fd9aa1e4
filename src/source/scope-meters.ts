/** What one scope counts. */
import type { Counter } from 'prom-client';
import type { Metrics } from '../metrics.ts';
import type { Counts } from './observer.ts';

/** Looked up once: labels cost more than an increment. @param resource `apps/v1/deployments` */
export function metersOf(metrics: Metrics, resource: string) {
  const { watchEvents, changes, malformed } = metrics;
  // From 0 on: where the first sample is 1 already, Prometheus sees no increase.
  malformed.inc({ resource }, 0);
  const [added, updated, deleted] = [
    new Tally(changes.labels(resource, 'added')),
    new Tally(changes.labels(resource, 'updated')),
    new Tally(changes.labels(resource, 'deleted')),
  ];
  return {
    events: {
      ADDED: new Tally(watchEvents.labels(resource, 'ADDED')),
      MODIFIED: new Tally(watchEvents.labels(resource, 'MODIFIED')),
      DELETED: new Tally(watchEvents.labels(resource, 'DELETED')),
      BOOKMARK: new Tally(watchEvents.labels(resource, 'BOOKMARK')),
    },
    noise: new Tally(metrics.noise.labels(resource)),
    malformed: malformed.labels(resource),
    changed: (counts: Counts) => {
      added.inc(counts.added);
      updated.inc(counts.updated);
      deleted.inc(counts.deleted);
    },
  };
}

/**
 * For what comes with every event: prom-client makes a text of the labels at each increment, so that those of one turn, which is one
 * read of the socket, are made together. A tenth of what noise costs.
 */
class Tally {
  readonly #counter: Counter.Internal;
  #n = 0;

  constructor(counter: Counter.Internal) {
    this.#counter = counter;
  }

  inc(n = 1): void {
    if (n > 0 && this.#n === 0) queueMicrotask(() => this.#flush());
    this.#n += n;
  }

  #flush(): void {
    this.#counter.inc(this.#n);
    this.#n = 0;
  }
}
