/** Records of the store as the {@link Change} that everyone else sees: manifests and actors are parsed at first access, once. */
import type { Actor, Change, Manifest } from '../change.ts';
import type { Json } from '../json.ts';
import type { ChangeRecord } from './store.ts';

export function changeOf(record: ChangeRecord, cluster: Change['cluster']): Change {
  const { id, action, gvk, key, uid, resourceVersion, observedAt, flags } = record;
  const slash = key.indexOf('/');
  const before = once(() => manifestFrom(record.before));
  const after = once(() => manifestFrom(record.after));
  const by = once(() => JSON.parse(record.actors) as readonly Actor[]);
  return {
    id,
    action,
    cluster,
    gvk,
    gvr: { group: gvk.group, version: gvk.version, resource: record.resource },
    key,
    namespace: slash === -1 ? undefined : key.slice(0, slash),
    name: key.slice(slash + 1),
    uid,
    resourceVersion,
    get before() {
      return before();
    },
    get after() {
      return after();
    },
    get by() {
      return by();
    },
    observedAt,
    flags,
    notes: {},
  };
}

/** 16 digits in a row may be an integer that a double cannot hold. */
const LONG_NUMBER = /\d{16}/;

/**
 * JSON.parse that keeps integers beyond 2^53 as written: they become `JSON.rawJSON`, which JSON.stringify writes back digit by
 * digit. Only text with a long number pays for that: a reviver on every body costs some 100 µs.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  return (LONG_NUMBER.test(text) ? JSON.parse(text, keepLongIntegers) : JSON.parse(text)) as Manifest;
}

/** ES2026, in Node since 22; not in TypeScript's libraries yet. */
declare global {
  interface JSON {
    rawJSON(text: string): Json;
  }
}

function keepLongIntegers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined || !/^-?\d+$/.test(source)) return value;
  return Number.isSafeInteger(value) ? value : JSON.rawJSON(source);
}

function manifestFrom(bytes: Uint8Array | null): Manifest | undefined {
  return bytes === null ? undefined : parseManifest(bytes);
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
