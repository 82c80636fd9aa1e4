/** A Kubernetes Event as templates see it, in core/v1 or events.k8s.io/v1, which renamed half of the fields. */
import { manifestOf, type Change } from '../change.ts';
import { eventFact, isEvent, occurrencesOf } from '../event.ts';
import type { JsonObject } from '../json.ts';

/** The fields of `event`, with the meaning of those that differ from the manifest. */
export const EVENT_FIELDS = {
  reason: '`BackOff`',
  message: 'also if the manifest calls it `note`',
  type: '`Normal` or `Warning`',
  count: 'how often it happened: its count, or that of its series; at least 1',
  involvedObject:
    'what it is about: `kind`, `namespace`, `name`, `uid`, `apiVersion`, `fieldPath`; also if the manifest calls it `regarding`',
  component: 'who reported it: `source.component`, else the reporting controller; nothing if the Event names neither',
  host: 'the host of the source',
  firstTimestamp: 'as in the manifest, else the event time, else the creation time',
  lastTimestamp: 'as in the manifest, else that of the series, else the event time, else the creation time',
  action: 'as in the manifest',
  metadata: '',
  source: '',
  series: '',
  related: '',
  eventTime: '',
  reportingComponent: '',
  reportingController: '',
  reportingInstance: '',
  kind: '',
  apiVersion: '',
} as const;

/** Undefined if the change is not about an Event. */
export function eventScope(change: Change): Readonly<Record<string, unknown>> | undefined {
  const event = isEvent(change.gvk) ? manifestOf(change) : undefined;
  if (event === undefined) return undefined;
  const manifest = event as JsonObject;
  const { series, metadata } = manifest as Readonly<Record<string, JsonObject | undefined>>;
  const created = metadata?.['creationTimestamp'];
  const { eventTime, deprecatedFirstTimestamp, deprecatedLastTimestamp } = manifest;
  return {
    ...manifest,
    message: eventFact(change, 'message'),
    involvedObject: first(manifest['involvedObject'], manifest['regarding']),
    count: occurrencesOf(event),
    component: eventFact(change, 'component'),
    host: eventFact(change, 'host'),
    firstTimestamp: first(manifest['firstTimestamp'], deprecatedFirstTimestamp, eventTime, created),
    lastTimestamp: first(
      manifest['lastTimestamp'],
      deprecatedLastTimestamp,
      series?.['lastObservedTime'],
      eventTime,
      created,
    ),
  };
}

/** The first value that is set: the API writes null or `""` for what it does not know. */
function first<T>(...values: readonly T[]): T | undefined {
  return values.find((value) => value !== undefined && value !== null && value !== '');
}
