/** Writes like those of the real server: what it fills in, refuses and counts. */
import { createHash, randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '../../clock.ts';
import { apiVersionOf, type Manifest, type ManifestMetadata } from '../../change.ts';
import { isEmpty, type Json, type JsonObject } from '../../json.ts';
import { groupResource } from '../../source/resource-path.ts';
import { isEventType } from './events.ts';
import { managedFieldsAfter } from './managed-fields.ts';
import { TypeTable, type ServedType } from './resource-types.ts';
import { StatusError } from './status.ts';
import { Collection, keyOf, parse, Revision, stored } from './storage.ts';
import { sorted } from './wire.ts';

export interface ClusterOptions {
  /** The uid of the namespace `kube-system`; the uids of all other objects derive from it. Default: random. */
  readonly kubeSystemUid?: string;
  /** For the timestamps of objects. Default: the system's clock. */
  readonly clock?: Clock;
}

export interface WriteOptions {
  /** The field manager. Default `kubectl-client-side-apply`. */
  readonly manager?: string | undefined;
  readonly operation?: 'Apply' | 'Update' | undefined;
  /** Only this part of the manifest is used: `status`, or `scale` for `spec.replicas`. */
  readonly subresource?: string | undefined;
}

const NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

export class Cluster {
  readonly types = new TypeTable();
  readonly revision = new Revision();
  /** The output of a pod's containers, by its key. */
  readonly logs = new Map<string, string>();
  readonly #collections = new Map<string, Collection>();
  readonly #clock: Clock;
  readonly #kubeSystemUid: string;
  #uids = 0;

  constructor(options: ClusterOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#kubeSystemUid = options.kubeSystemUid ?? randomUUID();
    for (const name of NAMESPACES) {
      const uid = name === 'kube-system' ? this.#kubeSystemUid : this.#nextUid();
      this.create({ kind: 'Namespace', metadata: { name, uid }, spec: {}, status: { phase: 'Active' } });
    }
  }

  /** The objects of a kind; its versions share them, and so do the two groups of Events. */
  collection(type: ServedType): Collection {
    const name = isEventType(type) ? type.resource : groupResource(type);
    let collection = this.#collections.get(name);
    if (collection === undefined) {
      collection = new Collection(this.revision.current);
      this.#collections.set(name, collection);
    }
    return collection;
  }

  compact(): void {
    for (const collection of this.#collections.values()) collection.compact(this.revision.current);
  }

  get(type: ServedType, key: string): Manifest | undefined {
    const object = this.collection(type).get(key);
    return object === undefined ? undefined : parse(object);
  }

  /** By apiVersion and kind. Fills uid, resourceVersion, creationTimestamp, generation and managedFields. */
  create(manifest: object, options: WriteOptions = {}): Manifest {
    const given = withoutEmpty(manifest as Manifest);
    const type = this.types.byKind(given.kind ?? '', given.apiVersion);
    const name = given.metadata.name ?? this.#generatedName(given.metadata['generateName']);
    const namespace = type.namespaced ? (given.metadata.namespace ?? 'default') : undefined;
    if (this.collection(type).get(keyOf(name, namespace)) !== undefined) {
      const message = `${named(type, name)} already exists`;
      throw new StatusError(409, { reason: 'AlreadyExists', message, details: detailsOf(type, name) });
    }
    const metadata = {
      ...given.metadata,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: given.metadata.uid ?? this.#nextUid(),
      ...(type.hasGeneration ? { generation: 1 } : {}),
      creationTimestamp: this.#now(),
    };
    return this.#write(type, undefined, { ...withType(given, type), metadata }, options);
  }

  /**
   * Replaces an object, by kind, namespace and name; without a subresource as a whole, including `status`. Writes nothing if
   * nothing changes, as on the real server. A resourceVersion in the manifest that is not current is refused.
   */
  update(manifest: object, options: WriteOptions = {}): Manifest {
    const given = withoutEmpty(manifest as Manifest);
    const type = this.types.byKind(given.kind ?? '', given.apiVersion);
    const { name, namespace, resourceVersion } = given.metadata;
    const before = this.existing(type, keyOf(name, type.namespaced ? (namespace ?? 'default') : ''));
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) {
      const message = `Operation cannot be fulfilled on ${named(type, name)}: the object has been modified; please apply your changes to the latest version and try again`;
      throw new StatusError(409, { message, details: detailsOf(type, name) });
    }
    const after = replaced(before, given, options.subresource);
    if (sameContent(before, after)) return before;
    const finalized = before.metadata['deletionTimestamp'] !== undefined && !hasFinalizers(after);
    return finalized
      ? this.#remove(type, after)
      : this.#write(type, before, generationOf(type, before, after), options);
  }

  /**
   * Adds or replaces objects as given, including managedFields; only their resourceVersions are new. All are serialized before
   * the first is written, so that only the watches' sockets delay the events.
   */
  putAll(manifests: readonly Manifest[]): void {
    const first = this.revision.take(manifests.length);
    const writes = manifests.map((manifest, n) => {
      const type = this.types.byKind(manifest.kind ?? '', manifest.apiVersion);
      const metadata = { ...manifest.metadata, resourceVersion: String(first + n) };
      return { collection: this.collection(type), object: stored({ ...manifest, metadata }, type) };
    });
    for (const { collection, object } of writes) collection.put(object);
  }

  /** An object with finalizers is only marked as terminating; the update that removes the last one deletes it. */
  delete(type: ServedType, key: string): Manifest {
    const before = this.existing(type, key);
    if (!hasFinalizers(before)) return this.#remove(type, before);
    if (before.metadata['deletionTimestamp'] !== undefined) return before;
    const marks = { deletionTimestamp: this.#now(), deletionGracePeriodSeconds: 0 };
    return this.#write(type, before, { ...before, metadata: { ...before.metadata, ...marks } }, {});
  }

  /** Throws a 404 worded like the server's. */
  existing(type: ServedType, key: string): Manifest {
    const manifest = this.get(type, key);
    if (manifest !== undefined) return manifest;
    const name = key.slice(key.indexOf('/') + 1);
    throw new StatusError(404, { message: `${named(type, name)} not found`, details: detailsOf(type, name) });
  }

  #write(type: ServedType, before: Manifest | undefined, after: Manifest, options: WriteOptions): Manifest {
    const managedFields = this.#managedFields(type, before, after, options);
    const resourceVersion = String(this.revision.next());
    const manifest = { ...after, metadata: { ...after.metadata, resourceVersion, managedFields } };
    const object = stored(manifest, type);
    this.collection(type).put(object);
    return parse(object);
  }

  #remove(type: ServedType, last: Manifest): Manifest {
    const manifest = { ...last, metadata: { ...last.metadata, resourceVersion: String(this.revision.next()) } };
    this.collection(type).remove(stored(manifest, type));
    return manifest;
  }

  /** A status in a new object is owned by its controller. */
  #managedFields(type: ServedType, before: Manifest | undefined, after: Manifest, options: WriteOptions): Json[] {
    const { manager = 'kubectl-client-side-apply', operation = 'Update', subresource } = options;
    const writer = { manager, operation, apiVersion: apiVersionOf(type), subresource, time: this.#now() };
    if (before !== undefined || !type.subresources.includes('status')) return managedFieldsAfter(before, after, writer);
    const { status: _status, ...rest } = after;
    const desired = {
      ...rest,
      metadata: { ...after.metadata, managedFields: managedFieldsAfter(before, rest, writer) },
    };
    const controller = type.kind === 'Pod' ? 'kubelet' : 'kube-controller-manager';
    return managedFieldsAfter(desired, after, { ...writer, manager: controller, subresource: 'status' });
  }

  #now(): string {
    return `${new Date(this.#clock.now()).toISOString().slice(0, 19)}Z`;
  }

  #nextUid(): string {
    const hash = createHash('sha256').update(`${this.#kubeSystemUid} ${++this.#uids}`).digest('hex');
    return hash.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');
  }

  #generatedName(prefix: Json | undefined): string {
    if (typeof prefix !== 'string') throw new StatusError(422, { message: 'name or generateName is required' });
    return `${prefix}${this.#nextUid().slice(0, 5)}`;
  }
}

const named = (type: ServedType, name: string): string => `${groupResource(type)} "${name}"`;

const detailsOf = ({ group, resource }: ServedType, name: string): object => ({
  name,
  ...(group === '' ? {} : { group }),
  kind: resource,
});

const withType = (manifest: Manifest, type: ServedType): Manifest => ({
  ...manifest,
  apiVersion: apiVersionOf(type),
  kind: type.kind,
});

/** Go writes no empty maps and lists of the metadata: without its last label an object has no labels. */
function withoutEmpty(manifest: Manifest): Manifest {
  const metadata = Object.entries(manifest.metadata).filter(([, value]) => !isEmpty(value));
  return { ...manifest, metadata: Object.fromEntries(metadata) as ManifestMetadata };
}

const hasFinalizers = (manifest: Manifest): boolean =>
  Array.isArray(manifest.metadata['finalizers']) && manifest.metadata['finalizers'].length > 0;

/** Set by the server, whatever the writer sends. */
const SERVER_SET = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
] as const;

function replaced(before: Manifest, given: Manifest, subresource: string | undefined): Manifest {
  if (subresource === 'status') return { ...before, status: given['status'] };
  if (subresource === 'scale') {
    const { replicas } = given['spec'] as JsonObject;
    return { ...before, spec: { ...(before['spec'] as JsonObject), replicas } };
  }
  const { apiVersion, kind } = before;
  const kept = SERVER_SET.filter((name) => before.metadata[name] !== undefined).map((name) => [
    name,
    before.metadata[name],
  ]);
  const own = Object.entries(given.metadata).filter(([name]) => !(SERVER_SET as readonly string[]).includes(name));
  return {
    ...given,
    apiVersion,
    kind,
    metadata: Object.fromEntries([...kept, ...own]) as ManifestMetadata,
  } as Manifest;
}

/** Everything but metadata and status is desired state; for a Deployment the annotations count too, as in its update strategy. */
function generationOf(type: ServedType, before: Manifest, after: Manifest): Manifest {
  if (!type.hasGeneration) return after;
  const desired = ({ metadata, status: _status, ...rest }: Manifest): unknown =>
    sorted({ rest, annotations: type.kind === 'Deployment' ? (metadata.annotations ?? {}) : {} });
  if (JSON.stringify(desired(before)) === JSON.stringify(desired(after))) return after;
  const generation = Number(before.metadata['generation'] ?? 0) + 1;
  return { ...after, metadata: { ...after.metadata, generation } };
}

function sameContent(before: Manifest, after: Manifest): boolean {
  return JSON.stringify(sorted(before)) === JSON.stringify(sorted(after));
}
