/** Reads Kubernetes Events of both core/v1 and events.k8s.io/v1, which renamed half of the fields. */
import { manifestOf, type Change, type Gvk, type Manifest } from './change.ts';
import { member, type Json } from './json.ts';

/**
 * Which repeats of an Event are reported, from fewest to all: none; the 2nd, 4th, 8th, ... occurrence; every one. Each setting
 * includes what the previous one reports, so that scopes can be shared.
 */
export const REPEATS = ['first', 'powers', 'every'] as const;
export type Repeats = (typeof REPEATS)[number];

/**
 * The fields that a repeat changes. client-go patches `count`, `lastTimestamp` and `message` (an aggregated Event quotes a
 * different one each time), the newer recorder `series`; events.k8s.io/v1 has other names for them. resourceVersion changes with
 * every write.
 */
export const REPEAT_FIELDS: readonly string[] = [
  'count',
  'lastTimestamp',
  'message',
  'series',
  'note',
  'deprecatedCount',
  'deprecatedLastTimestamp',
];

/** Whether the kind is Kubernetes' own Event, in either of its groups. */
export function isEvent({ group, kind }: Pick<Gvk, 'group' | 'kind'>): boolean {
  return kind === 'Event' && isEventGroup(group);
}

/** Whether a name in a configuration means Kubernetes' own Event: `event`, `ev`, `events.events.k8s.io`. */
export function isEventName(name: string, apiVersion: string | undefined): boolean {
  const [head = '', ...suffix] = name.toLowerCase().split('.');
  if (!['event', 'events', 'ev'].includes(head)) return false;
  const group = suffix.length > 0 ? suffix.join('.').replace(/^v\d\w*\.?/, '') : groupOf(apiVersion);
  return isEventGroup(group);
}

function groupOf(apiVersion = ''): string {
  if (/^v\d\w*$/.test(apiVersion)) return '';
  return apiVersion.split('/')[0]?.toLowerCase() ?? '';
}

function isEventGroup(group: string): boolean {
  return group === '' || group === 'events.k8s.io';
}

/** Where each fact is, the field of core/v1 first. */
const PLACES = {
  involvedKind: [
    ['involvedObject', 'kind'],
    ['regarding', 'kind'],
  ],
  involvedName: [
    ['involvedObject', 'name'],
    ['regarding', 'name'],
  ],
  involvedNamespace: [
    ['involvedObject', 'namespace'],
    ['regarding', 'namespace'],
  ],
  involvedApiVersion: [
    ['involvedObject', 'apiVersion'],
    ['regarding', 'apiVersion'],
  ],
  involvedUid: [
    ['involvedObject', 'uid'],
    ['regarding', 'uid'],
  ],
  reason: [['reason']],
  type: [['type']],
  message: [['message'], ['note']],
  component: [
    ['source', 'component'],
    ['reportingComponent'],
    ['reportingController'],
    ['deprecatedSource', 'component'],
  ],
  host: [
    ['source', 'host'],
    ['deprecatedSource', 'host'],
  ],
} as const satisfies Readonly<Record<string, readonly (readonly string[])[]>>;

export type EventFact = keyof typeof PLACES;

/** Undefined if the change is not about an Event, or the Event does not say; the API writes `""` for what it does not know. */
export function eventFact(change: Change, fact: EventFact): string | undefined {
  if (!isEvent(change.gvk)) return undefined;
  const event = manifestOf(change) as Json | undefined;
  for (const place of PLACES[fact]) {
    const found = place.reduce(member, event);
    if (typeof found === 'string' && found !== '') return found;
  }
  return undefined;
}

/** Whether it is an Event of type Warning: that matters more than whether it was added or seen again. */
export function isWarning(change: Change): boolean {
  return eventFact(change, 'type') === 'Warning';
}

/** How often it has happened: `count` or `series.count`, whichever is larger; 1 if it has neither. */
export function occurrencesOf(event: Manifest): number {
  const series = event['series'];
  const counts = [event['count'], event['deprecatedCount'], member(series, 'count')];
  return Math.max(1, ...counts.filter((count) => typeof count === 'number'));
}

/** The largest n with 2^n <= `occurrences`, 0 to 31: when it grows, a power of two was reached or passed. */
export function floorLog2(occurrences: number): number {
  return 31 - Math.clz32(occurrences);
}

/**
 * When it last happened, in milliseconds since the epoch: the first valid time of `lastTimestamp`, `series.lastObservedTime`,
 * `eventTime` and `metadata.creationTimestamp`; undefined if there is none.
 */
export function lastOccurredAt(event: Manifest): number | undefined {
  const times = [
    event['lastTimestamp'] ?? event['deprecatedLastTimestamp'],
    member(event['series'], 'lastObservedTime'),
    event['eventTime'],
    event.metadata['creationTimestamp'],
  ];
  return times.map((time) => (typeof time === 'string' ? Date.parse(time) : NaN)).find((ms) => !Number.isNaN(ms));
}
