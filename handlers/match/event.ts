/** What a Kubernetes Event says, in core/v1 or events.k8s.io/v1, which renamed half of the fields. */
import { manifestOf, type Change } from '../../src/change.ts';
import { isEvent } from '../../src/event.ts';
import { member, type Json } from '../../src/json.ts';

/** Where to find each fact, the older API's field first. */
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

/** Undefined if the change is not about an Event, or the Event does not say; the API writes `""` for what it does not know. */
export function eventFact(change: Change, fact: EventFact): string | undefined {
  if (!isEvent(change.gvk)) return undefined;
  const event = manifestOf(change) as Json | undefined;
  for (const place of PLACES[fact]) {
    const found = place.split('.').reduce(member, event);
    if (typeof found === 'string' && found !== '') return found;
  }
  return undefined;
}

/** Whether it is an Event of type Warning: that matters more than whether it was added or seen again. */
export function isWarning(change: Change): boolean {
  return eventFact(change, 'type') === 'Warning';
}
