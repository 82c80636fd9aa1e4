/** Manifests as bytes, with their fields in the order of the real server. */
import { apiVersionOf, type Manifest } from '../../change.ts';
import { isObject, type Json, type JsonObject } from '../../json.ts';
import { eventFields, isEventType } from './events.ts';
import type { ServedType } from './resource-types.ts';

/** The order of Go's `ObjectMeta`; other fields follow. */
const METADATA_ORDER = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

/** Built-in kinds in the order of their Go structs (as given, below the top), custom resources sorted throughout. */
export function serialize(manifest: Manifest, type: ServedType): Buffer {
  if (type.custom) return Buffer.from(JSON.stringify(sorted(manifest as JsonObject)));
  const { kind: _kind, apiVersion: _apiVersion, metadata, data, status, ...rest } = manifest;
  const ordered = {
    kind: type.kind,
    apiVersion: apiVersionOf(type),
    metadata: inOrder(metadata),
    ...(data === undefined ? {} : { data: sortedMap(data) }),
    ...(isEventType(type) ? eventFields(rest as Record<string, Json>, type) : rest),
    ...(status === undefined ? {} : { status }),
  };
  return Buffer.from(JSON.stringify(ordered));
}

function inOrder(metadata: JsonObject): JsonObject {
  const ordered: Record<string, Json | undefined> = {};
  for (const name of METADATA_ORDER) if (metadata[name] !== undefined) ordered[name] = metadata[name];
  for (const name of ['labels', 'annotations'])
    if (ordered[name] !== undefined) ordered[name] = sortedMap(ordered[name]);
  return { ...ordered, ...metadata, ...ordered };
}

/** Go writes maps sorted. */
const sortedMap = (value: Json): Json =>
  isObject(value) ? Object.fromEntries(Object.entries(value).sort(byName)) : value;

/** A deep copy with the keys of every object sorted. */
export function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(byName)
      .map(([name, field]) => [name, field === undefined ? undefined : sorted(field)]),
  );
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

/** An object as a list item: built-in kinds have no kind and apiVersion there. */
export function listItem(bytes: Buffer, type: ServedType): Buffer {
  if (type.custom) return bytes;
  const typeMeta = `"kind":"${type.kind}","apiVersion":"${apiVersionOf(type)}",`;
  return Buffer.concat([Buffer.from('{'), bytes.subarray(1 + typeMeta.length)]);
}

export const WATCH_LINE_TAIL = Buffer.from('}\n');

/** One line of a watch. */
export function watchLine(type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR', object: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), object, WATCH_LINE_TAIL]);
}

/** Converts an object, or a line that holds it, to another version of a custom resource or an Event; it is stored as written. */
export function inVersion(bytes: Buffer, type: ServedType): Buffer {
  const apiVersion = `"apiVersion":"${apiVersionOf(type)}"`;
  const isFixed = !type.custom && !isEventType(type);
  if (isFixed || bytes.subarray(0, 200).includes(apiVersion)) return bytes;
  if (isEventType(type)) return eventInVersion(bytes, type);
  return Buffer.from(bytes.toString().replace(/"apiVersion":"[^"]*"/, apiVersion));
}

function eventInVersion(bytes: Buffer, type: ServedType): Buffer {
  const given: unknown = JSON.parse(bytes.toString());
  return isLine(given) ? watchLine(given.type, serialize(given.object, type)) : serialize(given as Manifest, type);
}

function isLine(
  given: unknown,
): given is { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Manifest } {
  return isObject(given) && 'object' in given;
}
