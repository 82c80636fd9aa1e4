/** What a Kubernetes Event says, of core/v1 and of events.k8s.io/v1 alike: the second renamed half of the fields. */
import { manifestOf, type Change } from '../../src/change.ts';
import { isEvent } from '../../src/event.ts';
import type { Json } from '../../src/json.ts';
import { isMap, own } from '../diff/json.ts';

/** Where each fact stands, the older API's place first. */
const PLACES = {
  involvedKind: ['involvedObject.kind', 'regarding.kind'],
  involvedName: ['involvedObject.name', 'regarding.name'],
  involvedNamespace: ['involvedObject.namespace', 'regarding.namespace'],
  involvedApiVersion: ['involvedObject.apiVersion', 'regarding.apiVersion'],
  reason: ['reason'],
  type: ['type'],
  message: ['message', 'note'],
  component: ['source.component', 'reportingComponent', 'reportingController', 'deprecatedSource.component'],
  host: ['source.host', 'deprecatedSource.host'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type EventFact = keyof typeof PLACES;

/** Undefined when the change is not about an Event, or the Event does not say; the API fills what it does not know with `""`. */
export function eventFact(change: Change, fact: EventFact): string | undefined {
  if (!isEvent(change.gvk)) return undefined;
  const event = manifestOf(change) as Json | undefined;
  for (const place of PLACES[fact]) {
    const found = place.split('.').reduce((value, key) => (isMap(value) ? own(value, key) : undefined), event);
    if (typeof found === 'string' && found !== '') return found;
  }
  return undefined;
}

/** Of an Event that says so of itself: that it was added, or seen again, is not what matters of it. */
export function isWarning(change: Change): boolean {
  return eventFact(change, 'type') === 'Warning';
}
