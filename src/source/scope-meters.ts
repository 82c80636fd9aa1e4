/** What one scope counts. */
import type { Counter } from 'prom-client';
import type { Metrics } from '../metrics.ts';
import type { Counts } from './observer.ts';

/** Looked up once: labels cost more than an increment. @param resource `apps/v1/deployments` */
export function metersOf(metrics: Metrics, resource: string, namespace: string) {
  const { watchEvents, changes, malformed } = metrics;
  // From 0 on: where the first sample is 1 already, Prometheus sees no increase.
  malformed.inc({ resource }, 0);
  const events = {
    ADDED: new Tally(watchEvents.labels(resource, 'ADDED')),
    MODIFIED: new Tally(watchEvents.labels(resource, 'MODIFIED')),
    DELETED: new Tally(watchEvents.labels(resource, 'DELETED')),
    BOOKMARK: new Tally(watchEvents.labels(resource, 'BOOKMARK')),
  };
  const noise = new Tally(metrics.noise.labels(resource));
  const [added, updated, deleted] = [
    new Tally(changes.labels(resource, 'added')),
    new Tally(changes.labels(resource, 'updated')),
    new Tally(changes.labels(resource, 'deleted')),
  ];
  const tallies = [...Object.values(events), noise, added, updated, deleted];
  return {
    events,
    noise,
    malformed: malformed.labels(resource),
    objects: metrics.scopeObjects.labels(resource, namespace),
    heard: metrics.scopeHeard.labels(resource, namespace),
    changed: (counts: Counts) => {
      added.add(counts.added);
      updated.add(counts.updated);
      deleted.add(counts.deleted);
    },
    /** Shows what was counted since the last time. */
    flush: () => {
      for (const tally of tallies) tally.flush();
    },
  };
}

/** For what comes with every event: prom-client makes a text of the labels at each increment, a microsecond each time. */
class Tally {
  readonly #counter: Counter.Internal;
  #n = 0;

  constructor(counter: Counter.Internal) {
    this.#counter = counter;
  }

  add(n = 1): void {
    this.#n += n;
  }

  flush(): void {
    if (this.#n > 0) this.#counter.inc(this.#n);
    this.#n = 0;
  }
}
