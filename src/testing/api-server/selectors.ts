/** Label and field selectors, parsed once per list or watch. */
import type { Manifest } from '../../change.ts';
import { member, type Json, type JsonObject } from '../../json.ts';
import { eventFields, isEventType } from './events.ts';
import type { ServedType } from './resource-types.ts';
import { StatusError } from './status.ts';

/** What selectors check; kept beside each object's bytes so that selecting parses nothing. */
export interface Selectable {
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
}

export type Selector = (object: Selectable) => boolean;

type Kind = Pick<ServedType, 'group' | 'kind'> & {
  /** The `selectableFields` of a custom kind, without the leading dot. */
  readonly customFields?: readonly string[];
};

/** The fields that the real server selects by, for the kinds served here, each with its value in an object without it. */
const SELECTABLE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Event: {
    'involvedObject.apiVersion': '',
    'involvedObject.fieldPath': '',
    'involvedObject.kind': '',
    'involvedObject.name': '',
    'involvedObject.namespace': '',
    'involvedObject.resourceVersion': '',
    'involvedObject.uid': '',
    reason: '',
    reportingComponent: '',
    type: '',
  },
  Job: { 'status.successful': '0' },
  Namespace: { 'status.phase': '' },
  Node: { 'spec.unschedulable': 'false' },
  Pod: {
    'spec.hostNetwork': 'false',
    'spec.nodeName': '',
    'spec.restartPolicy': '',
    'spec.schedulerName': '',
    'spec.serviceAccountName': '',
    'status.nominatedNodeName': '',
    'status.phase': '',
    'status.podIP': '',
  },
  ReplicationController: { 'status.replicas': '0' },
  Secret: { type: '' },
};

/**
 * The selectable part of a manifest; an Event's under the names of the core group.
 * @param customFields as in {@link parseSelectors}
 */
export function selectable(manifest: Manifest, customFields: readonly string[] = []): Selectable {
  const { kind = '', metadata } = manifest;
  const given = kind === 'Event' ? eventFields(manifest as Record<string, Json>, { group: '' }) : manifest;
  const defaults = [...Object.entries(SELECTABLE[kind] ?? {}), ...customFields.map((path) => [path, ''] as const)];
  const fields = defaults.map(([path, absent]) => [path, valueAt(given as JsonObject, path) ?? absent] as const);
  const names = { 'metadata.name': metadata.name, 'metadata.namespace': metadata.namespace ?? '' };
  return { labels: metadata.labels ?? {}, fields: { ...names, ...Object.fromEntries(fields) } };
}

function valueAt(manifest: JsonObject, path: string): string | undefined {
  let value: Json | undefined = manifest;
  for (const name of path.split('.')) value = member(value, name);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}

/** Both selectors of a request as one test; undefined if neither is set. Throws StatusError 400 for a bad one. */
export function parseSelectors(type: Kind, label: string, field: string): Selector | undefined {
  const tests = [...requirements(label).map(labelTest), ...terms(field).map((term) => fieldTest(type, term))];
  return tests.length === 0 ? undefined : (object) => tests.every((test) => test(object));
}

const terms = (text: string): string[] => text.split(/(?<!\\),/).filter((term) => term.trim() !== '');

/** Split at the commas outside of parentheses. Unlike for fields, the server refuses an empty requirement among others. */
const requirements = (text: string): string[] => (text.trim() === '' ? [] : text.split(/,(?![^(]*\))/));

const KEY = String.raw`((?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)`;
const VALUE = String.raw`((?:[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)?)`;
const IN_SET = new RegExp(String.raw`^\s*${KEY}\s+(in|notin)\s*\(([^)]*)\)\s*$`);
const EQUAL = new RegExp(String.raw`^\s*${KEY}\s*(==|=|!=)\s*${VALUE}\s*$`);
const COMPARED = new RegExp(String.raw`^\s*${KEY}\s*([<>])\s*(\d+)\s*$`);
const EXISTS = new RegExp(String.raw`^\s*(!?)\s*${KEY}\s*$`);

function labelTest(text: string): Selector {
  const inSet = IN_SET.exec(text);
  if (inSet !== null) {
    const [, name = '', operator, list = ''] = inSet;
    const values = new Set(list.split(',').map((value) => value.trim()));
    return ({ labels }) => (labels[name] !== undefined && values.has(labels[name])) === (operator === 'in');
  }
  const equal = EQUAL.exec(text);
  if (equal !== null) {
    const [, name = '', operator, value] = equal;
    return ({ labels }) => (labels[name] === value) === (operator !== '!=');
  }
  const compared = COMPARED.exec(text);
  if (compared !== null) {
    const [, name = '', operator, limit] = compared;
    return ({ labels }) =>
      operator === '<' ? Number(labels[name]) < Number(limit) : Number(labels[name]) > Number(limit);
  }
  const exists = EXISTS.exec(text);
  if (exists === null) throw new StatusError(400, { message: `unable to parse requirement: found '${text}'` });
  const [, not, name = ''] = exists;
  return ({ labels }) => (labels[name] === undefined) === (not === '!');
}

const FIELD_TERM = /^\s*([^=!\s]+)\s*(==|=|!=)\s*(.*?)\s*$/;

/** The fields that a field selector names. */
export function fieldsNamedIn(selector: string): readonly string[] {
  return terms(selector).flatMap((term) => FIELD_TERM.exec(term)?.[1] ?? []);
}

function fieldTest(type: Kind, text: string): Selector {
  const match = FIELD_TERM.exec(text);
  if (match === null) throw new StatusError(400, { message: `invalid field selector: '${text}'` });
  const [, path = '', operator, escaped = ''] = match;
  const value = escaped.replace(/\\(.)/g, '$1');
  const field = storedField(type, path);
  if (field === undefined) throw new StatusError(400, { message: `field label not supported: ${path}` });
  return ({ fields }) => (fields[field] === value) === (operator !== '!=');
}

/** The name of a selectable field in {@link Selectable}; undefined if the kind has none such. */
function storedField(type: Kind, path: string): string | undefined {
  if (path === 'metadata.name' || path === 'metadata.namespace') return path;
  if (type.customFields?.includes(path) === true) return path;
  const isNewerEvent = isEventType(type) && type.group !== '';
  const [field] = Object.keys(SELECTABLE[type.kind] ?? {}).filter(
    (core) => path === (isNewerEvent ? newerEventField(core) : core),
  );
  return field;
}

const newerEventField = (core: string): string =>
  core.replace('involvedObject.', 'regarding.').replace('reportingComponent', 'reportingController');
