/** Events are one kind in two groups: the same objects, with other names for half of the fields. */
import type { Json } from '../../json.ts';
import type { ServedType } from './resource-types.ts';

/** Field names in core/v1 and in events.k8s.io/v1, as the real server converts them. */
const NAMES: readonly (readonly [core: string, newer: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];
const TO_NEWER = new Map(NAMES);
const TO_CORE = new Map(NAMES.map(([core, newer]) => [newer, core]));

export function isEventType({ group, kind }: Pick<ServedType, 'group' | 'kind'>): boolean {
  return kind === 'Event' && (group === '' || group === 'events.k8s.io');
}

/** The fields of an Event under the group's names. */
export function eventFields(fields: Readonly<Record<string, Json>>, { group }: Pick<ServedType, 'group'>) {
  const names = group === '' ? TO_CORE : TO_NEWER;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [names.get(name) ?? name, value]));
}
