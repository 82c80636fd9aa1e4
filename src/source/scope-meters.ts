/** What one scope counts. */
import type { Metrics } from '../metrics.ts';
import type { Counts } from './observer.ts';

/** Looked up once: labels cost more than an increment. @param resource `apps/v1/deployments` */
export function metersOf(metrics: Metrics, resource: string, namespace: string) {
  const { watchEvents, changes, malformed } = metrics;
  // From 0 on: where the first sample is 1 already, Prometheus sees no increase.
  malformed.inc({ resource }, 0);
  const [added, updated, deleted] = [
    changes.labels(resource, 'added'),
    changes.labels(resource, 'updated'),
    changes.labels(resource, 'deleted'),
  ];
  return {
    events: {
      ADDED: watchEvents.labels(resource, 'ADDED'),
      MODIFIED: watchEvents.labels(resource, 'MODIFIED'),
      DELETED: watchEvents.labels(resource, 'DELETED'),
      BOOKMARK: watchEvents.labels(resource, 'BOOKMARK'),
    },
    noise: metrics.noise.labels(resource),
    malformed: malformed.labels(resource),
    objects: metrics.scopeObjects.labels(resource, namespace),
    heard: metrics.scopeHeard.labels(resource, namespace),
    changed: (counts: Counts) => {
      if (counts.added > 0) added.inc(counts.added);
      if (counts.updated > 0) updated.inc(counts.updated);
      if (counts.deleted > 0) deleted.inc(counts.deleted);
    },
  };
}
