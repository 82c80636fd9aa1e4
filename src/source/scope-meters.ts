/** What one scope counts. */
import type { Metrics } from '../metrics.ts';
import type { Counts } from './observer.ts';

/** Looked up once: labels cost more than an increment. @param resource `apps/v1/deployments` */
export function metersOf(metrics: Metrics, resource: string, namespace: string) {
  const { watchEvents, changes } = metrics;
  return {
    events: {
      ADDED: watchEvents.labels(resource, 'ADDED'),
      MODIFIED: watchEvents.labels(resource, 'MODIFIED'),
      DELETED: watchEvents.labels(resource, 'DELETED'),
      BOOKMARK: watchEvents.labels(resource, 'BOOKMARK'),
    },
    noise: metrics.noise.labels(resource),
    malformed: metrics.malformed.labels(resource),
    objects: metrics.scopeObjects.labels(resource, namespace),
    changed: (counts: Counts) => {
      for (const action of ['added', 'updated', 'deleted'] as const) {
        if (counts[action] > 0) changes.inc({ resource, action }, counts[action]);
      }
    },
  };
}
