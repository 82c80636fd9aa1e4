/** Turns records of the store into {@link Change}s: manifests and actors are parsed once, on first access. */
import { splitKey, type Actor, type Change, type ChangeFlags, type Gvk, type Manifest } from '../change.ts';
import { LazyChange } from '../change/lazy-change.ts';
import { parseManifest } from '../parse-json.ts';

/** What an implementation stores of a change; a {@link Change} is made from it lazily. */
export interface ChangeRecord {
  readonly id: number;
  readonly action: Change['action'];
  readonly gvk: Gvk;
  readonly resource: string;
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
  /** JSON array of `Actor`. */
  readonly actors: string;
  readonly observedAt: number;
  readonly flags: ChangeFlags;
  /** JSON of its cluster if that is not the store's (see {@link Store.leaveCluster}). */
  readonly cluster: string | undefined;
}

/** @param storeCluster the store's cluster, to which the change belongs unless the record says otherwise */
export function changeOf(record: ChangeRecord, storeCluster: Change['cluster']): Change {
  const { id, action, gvk, key, uid, resourceVersion, observedAt, flags } = record;
  const cluster = record.cluster === undefined ? storeCluster : (JSON.parse(record.cluster) as Change['cluster']);
  return new LazyChange(
    {
      id,
      action,
      cluster,
      gvk,
      gvr: { group: gvk.group, version: gvk.version, resource: record.resource },
      key,
      ...splitKey(key),
      uid,
      resourceVersion,
      observedAt,
      flags,
      notes: {},
    },
    {
      before: memoize(() => manifestFrom(record.before)),
      after: memoize(() => manifestFrom(record.after)),
      by: memoize(() => JSON.parse(record.actors) as readonly Actor[]),
    },
  );
}

function manifestFrom(bytes: Uint8Array | null): Manifest | undefined {
  return bytes === null ? undefined : parseManifest(bytes);
}

function memoize<T>(make: () => T): () => T {
  let cached: { readonly value: T } | undefined;
  return () => (cached ??= { value: make() }).value;
}
