/** Who owns which field: `metadata.managedFields` as on the real server. */
import type { Manifest } from '../../change.ts';
import { isObject, type Json, type JsonObject } from '../../json.ts';

export interface Writer {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string | undefined;
  /** RFC 3339, seconds. */
  readonly time: string;
}

/** Lists that are merged by key, from the `x-kubernetes-list-map-keys` of the built-in kinds. Other lists are owned whole. */
const MERGE_KEYS: Readonly<Record<string, readonly string[]>> = {
  conditions: ['type'],
  containers: ['name'],
  env: ['name'],
  ephemeralContainers: ['name'],
  hostAliases: ['ip'],
  imagePullSecrets: ['name'],
  initContainers: ['name'],
  ownerReferences: ['uid'],
  podIPs: ['ip'],
  topologySpreadConstraints: ['topologyKey', 'whenUnsatisfiable'],
  volumeDevices: ['devicePath'],
  volumeMounts: ['mountPath'],
  volumes: ['name'],
};

/** Maps whose existence is owned separately from their entries. */
const OWNED_MAPS: ReadonlySet<string> = new Set([
  'labels',
  'annotations',
  'ownerReferences',
  'data',
  'limits',
  'requests',
]);

/** Set by the server itself, and owned by nobody. */
const UNOWNED: ReadonlySet<string> = new Set([
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'name',
  'namespace',
  'resourceVersion',
  'selfLink',
  'uid',
]);

/** Owned paths and their values. A path is the JSON text of its FieldsV1 elements, so that paths compare as strings. */
type Leaves = Map<string, string>;

interface Entry {
  readonly writer: Omit<Writer, 'time'>;
  time: string | undefined;
  readonly paths: Set<string>;
}

/**
 * The managedFields after `writer` turned `before` into `after`: it alone owns what it set or changed, and
 * nobody owns what was removed.
 */
export function managedFieldsAfter(before: Manifest | undefined, after: Manifest, writer: Writer): Json[] {
  const old = before === undefined ? new Map<string, string>() : leavesOf(before);
  const now = leavesOf(after);
  const changed = [...now].filter(([path, value]) => old.get(path) !== value).map(([path]) => path);
  const entries = readEntries(before);
  for (const entry of entries) {
    for (const path of entry.paths) if (!now.has(path)) entry.paths.delete(path);
  }
  if (changed.length > 0) {
    for (const entry of entries) for (const path of changed) entry.paths.delete(path);
    own(entries, writer, changed);
  }
  return entries.filter(({ paths }) => paths.size > 0).map(writeEntry);
}

function own(entries: Entry[], { time, ...writer }: Writer, paths: readonly string[]): void {
  const same = (entry: Entry): boolean =>
    entry.writer.manager === writer.manager &&
    entry.writer.operation === writer.operation &&
    entry.writer.apiVersion === writer.apiVersion &&
    entry.writer.subresource === writer.subresource;
  const own = entries.find(same);
  if (own === undefined) entries.push({ writer, time, paths: new Set(paths) });
  else {
    own.time = time;
    for (const path of paths) own.paths.add(path);
  }
}

function leavesOf(manifest: Manifest): Leaves {
  const leaves: Leaves = new Map();
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = manifest;
  const owned = Object.entries(metadata).filter(([name]) => !UNOWNED.has(name));
  walk({ metadata: Object.fromEntries(owned), ...rest }, [], leaves);
  leaves.delete('["f:metadata"]');
  return leaves;
}

function walk(value: Json, path: readonly string[], leaves: Leaves): void {
  if (isObject(value) && Object.keys(value).length > 0) {
    for (const [name, field] of Object.entries(value)) {
      if (field !== undefined) walkField(name, field, [...path, `f:${name}`], leaves);
    }
  } else leaves.set(JSON.stringify(path), JSON.stringify(value));
}

function walkField(name: string, value: Json, path: readonly string[], leaves: Leaves): void {
  if (OWNED_MAPS.has(name)) leaves.set(JSON.stringify([...path, '.']), '');
  const keys = mergeKeys(name, value);
  if (name === 'finalizers' && Array.isArray(value)) {
    for (const item of value) leaves.set(JSON.stringify([...path, `v:${JSON.stringify(item)}`]), '');
  } else if (keys === undefined) walk(value, path, leaves);
  else {
    for (const item of value as readonly JsonObject[]) {
      const itemPath = [...path, `k:${JSON.stringify(Object.fromEntries(keys.map((key) => [key, item[key]])))}`];
      leaves.set(JSON.stringify([...itemPath, '.']), '');
      walk(item, itemPath, leaves);
    }
  }
}

function mergeKeys(name: string, value: Json): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || !value.every(isObject)) return undefined;
  const keys = name === 'ports' ? portKeys(value) : MERGE_KEYS[name];
  return keys !== undefined && value.every((item) => keys.every((key) => item[key] !== undefined)) ? keys : undefined;
}

/** Ports of containers are identified by `containerPort`, those of services by `port`. */
const portKeys = (ports: readonly JsonObject[]): readonly string[] =>
  ports.every(({ containerPort }) => containerPort !== undefined)
    ? ['containerPort', 'protocol']
    : ['port', 'protocol'];

function readEntries(manifest: Manifest | undefined): Entry[] {
  const entries = (manifest?.metadata['managedFields'] ?? []) as readonly JsonObject[];
  return entries.map(({ time, fieldsV1, fieldsType: _fieldsType, ...writer }) => {
    const paths = new Set<string>();
    readPaths(fieldsV1 as JsonObject, [], paths);
    return { writer: writer as unknown as Entry['writer'], time: time as string | undefined, paths };
  });
}

function readPaths(fields: JsonObject, path: readonly string[], paths: Set<string>): void {
  const children = Object.entries(fields);
  if (children.length === 0) paths.add(JSON.stringify(path));
  for (const [name, child] of children) readPaths(child as JsonObject, [...path, name], paths);
}

type Fields = { [name: string]: Fields };

function writeEntry({ writer, time, paths }: Entry): Json {
  const fieldsV1: Fields = {};
  for (const path of [...paths].sort()) {
    let at = fieldsV1;
    for (const name of JSON.parse(path) as string[]) at = at[name] ??= {};
  }
  const { manager, operation, apiVersion, subresource } = writer;
  return {
    manager,
    operation,
    apiVersion,
    // As on the real server: an entry of scaling has none.
    ...(subresource === 'scale' ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...(subresource === undefined ? {} : { subresource }),
  };
}
