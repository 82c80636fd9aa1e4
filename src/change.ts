/**
 * The one value that crosses every boundary: source -> store -> chain -> handlers -> receivers.
 */
import type { Json } from './json.ts';

/** What happened. `timer` is a wake-up that a stateful handler asked for; it has neither `before` nor `after`. */
export type Action = 'added' | 'updated' | 'deleted' | 'timer';

/** Group, version, kind. The core group is `""`. */
export interface Gvk {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The `apiVersion` field of a manifest: `v1`, `apps/v1`. */
export function apiVersionOf({ group, version }: Pick<Gvk, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** The group and the version of an `apiVersion`. */
export function groupVersionOf(apiVersion: string): Pick<Gvk, 'group' | 'version'> {
  const [version = '', group = ''] = apiVersion.split('/').toReversed();
  return { group, version };
}

/** Group, version, resource (the plural in the URL). */
export interface Gvr {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** An object as the API server returned it, without `metadata.managedFields` and with secrets redacted. Treat as frozen. */
export interface Manifest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ManifestMetadata;
  readonly [field: string]: Json | ManifestMetadata | undefined;
}

export interface ManifestMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: Json | undefined;
}

/** One managedFields entry that the change added or altered: who wrote, and which fields it owns. */
export interface Actor {
  /** e.g. `kubectl-set`, `helm`, `kube-controller-manager`. */
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  /** e.g. `status`, `scale`; absent for the main resource. */
  readonly subresource?: string;
  /** RFC 3339, second precision; absent if the server gave none. */
  readonly time?: string;
  /** Leaf field paths that the entry owns: `spec.replicas`, `spec.template.spec.containers[name="web"].image`. */
  readonly paths: readonly string[];
}

export interface ChangeFlags {
  /** Happened while nothing was watching: found by comparing a list, or a resumed watch, with the baseline. */
  readonly whileAway?: true;
  /** Several changes seen as one. */
  readonly compacted?: true;
  /** A deletion inferred from a list: the last known manifest may not be the final one. */
  readonly finalStateUnknown?: true;
  /** A selector is set, so DELETED may mean "no longer selected". */
  readonly leftScope?: true;
  /** Seen late, because the watch was interrupted meanwhile. */
  readonly delayed?: true;
  /** Sent again from the dead letters. */
  readonly replayed?: true;
}

/**
 * Typed notes that handlers leave for later ones; each handler declares its own by module augmentation in its own file. A note
 * must survive JSON (lazy values are own getters, or the note has a `toJSON`): the branches of a chain read it from the store.
 */
export interface Notes {}

/**
 * One difference between baseline and cluster. Immutable: a handler that edits returns a copy (`withNote`).
 * `before` and `after` are parsed from bytes at first access, once.
 */
export interface Change {
  /** The accept number: monotonic in a store, never reused. */
  readonly id: number;
  readonly action: Action;
  /** `id`: the uid of its namespace `kube-system`, or a hash of its address if that may not be read; `name`: for people. */
  readonly cluster: { readonly id: string; readonly name: string };
  readonly gvk: Gvk;
  readonly gvr: Gvr;
  /** `namespace/name`, or `name` for a cluster-scoped object. */
  readonly key: string;
  readonly namespace: string | undefined;
  readonly name: string;
  /** For a `timer` about another object than the change was that asked for it: the key. */
  readonly uid: string;
  /** That of `after`, or of `before` for a deletion; for a `timer` the time at which it was due. Opaque. */
  readonly resourceVersion: string;
  /** Present for `updated` and `deleted`. */
  readonly before: Manifest | undefined;
  /** Present for `added` and `updated`. */
  readonly after: Manifest | undefined;
  /**
   * Who made it. The latest comes first, and those without a time last; of changes that were merged (`compacted` by overload), in
   * the order of the changes. Empty where managedFields name nobody, as for a deletion.
   */
  readonly by: readonly Actor[];
  /** Milliseconds since the epoch, our clock. */
  readonly observedAt: number;
  readonly flags: ChangeFlags;
  readonly notes: Readonly<Partial<Notes>>;
}

/** The {@link Change.key} of an object: `shop/web`, or just the name if it has no namespace. */
export function keyOf({ namespace, name }: { readonly namespace?: string | undefined; readonly name: string }): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The reverse of {@link keyOf}. */
export function splitKey(key: string): { readonly namespace: string | undefined; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: slash === -1 ? undefined : key.slice(0, slash), name: key.slice(slash + 1) };
}

/**
 * The same for every attempt to deliver a change to a sink, across retries, restarts and replays:
 * `cluster|uid|added:rv`, `updated:rv` or `deleted:rv-of-before`, then the handler's id.
 */
export function idempotencyKey(change: Change, handlerId: string): string {
  return `${change.cluster.id}|${change.uid}|${change.action}:${change.resourceVersion}|${handlerId}`;
}

/** The manifest that best describes the object: `after`, or for a deletion the last known one. */
export function manifestOf(change: Change): Manifest | undefined {
  return change.after ?? change.before;
}
