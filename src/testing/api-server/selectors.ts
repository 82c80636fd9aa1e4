/** Label and field selectors, parsed once per list or watch. */
import type { Manifest } from '../../change.ts';
import type { JsonObject } from '../../json.ts';
import { StatusError } from './status.ts';

/** What selectors check; kept beside each object's bytes so that selecting parses nothing. */
export interface Selectable {
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
}

export type Selector = (object: Selectable) => boolean;

/** The field selectors that the real server supports, for the kinds that tests and demo use. */
const SELECTABLE: Readonly<Record<string, readonly string[]>> = {
  Event: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'reason',
    'reportingComponent',
    'type',
  ],
  Namespace: ['status.phase'],
  Node: ['spec.unschedulable'],
  Pod: ['spec.nodeName', 'spec.restartPolicy', 'spec.serviceAccountName', 'status.phase'],
  Secret: ['type'],
};

const COMMON_FIELDS = ['metadata.name', 'metadata.namespace'];

/** The selectable part of a manifest. */
export function selectable(manifest: Manifest): Selectable {
  const fields: Record<string, string> = {
    'metadata.name': manifest.metadata.name,
    'metadata.namespace': manifest.metadata.namespace ?? '',
  };
  for (const path of SELECTABLE[manifest.kind ?? ''] ?? []) fields[path] = valueAt(manifest, path);
  return { labels: manifest.metadata.labels ?? {}, fields };
}

function valueAt(manifest: Manifest, path: string): string {
  let value: unknown = manifest;
  for (const name of path.split('.')) value = (value as JsonObject | undefined)?.[name];
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : '';
}

/** Both selectors of a request as one test; undefined if neither is set. Throws StatusError 400 for a bad one. */
export function parseSelectors(kind: string, label: string, field: string): Selector | undefined {
  const tests = [...splitOutsideParens(label).map(labelTest), ...terms(field).map((term) => fieldTest(kind, term))];
  return tests.length === 0 ? undefined : (object) => tests.every((test) => test(object));
}

const terms = (text: string): string[] => text.split(',').filter((term) => term.trim() !== '');

const splitOutsideParens = (text: string): string[] =>
  text.split(/,(?![^(]*\))/).filter((requirement) => requirement.trim() !== '');

function labelTest(text: string): Selector {
  const set = /^\s*([\w./-]+)\s+(in|notin)\s*\(([^)]*)\)\s*$/.exec(text);
  if (set !== null) {
    const [, name = '', operator, list = ''] = set;
    const values = new Set(list.split(',').map((value) => value.trim()));
    return ({ labels }) => (labels[name] !== undefined && values.has(labels[name])) === (operator === 'in');
  }
  const equal = /^\s*([\w./-]+)\s*(==|=|!=)\s*([\w.-]*)\s*$/.exec(text);
  if (equal !== null) {
    const [, name = '', operator, value] = equal;
    return ({ labels }) => (labels[name] === value) === (operator !== '!=');
  }
  const exists = /^\s*(!?)\s*([\w./-]+)\s*$/.exec(text);
  if (exists === null) throw new StatusError(400, { message: `unable to parse requirement: found '${text}'` });
  const [, not, name = ''] = exists;
  return ({ labels }) => (labels[name] === undefined) === (not === '!');
}

function fieldTest(kind: string, text: string): Selector {
  const match = /^\s*([^=!\s]+)\s*(==|=|!=)\s*(.*?)\s*$/.exec(text);
  const [, path = '', operator, value] = match ?? [];
  if (match === null) throw new StatusError(400, { message: `invalid field selector: '${text}'` });
  if (!COMMON_FIELDS.includes(path) && SELECTABLE[kind]?.includes(path) !== true) {
    throw new StatusError(400, { message: `field label not supported: ${path}` });
  }
  return ({ fields }) => (fields[path] === value) === (operator !== '!=');
}
