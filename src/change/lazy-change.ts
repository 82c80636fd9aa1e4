/** The {@link Change} that handlers see: manifests and actors are computed when they are read. */
import type { Actor, Change, Manifest, Notes } from '../change.ts';
import { ownGetters } from './own-getters.ts';

/** Called on every read. */
export interface Lazy {
  before(): Manifest | undefined;
  after(): Manifest | undefined;
  by(): readonly Actor[];
}

export class LazyChange implements Change {
  readonly id: number;
  readonly action: Change['action'];
  readonly cluster: Change['cluster'];
  readonly gvk: Change['gvk'];
  readonly gvr: Change['gvr'];
  readonly key: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  declare readonly before: Change['before'];
  declare readonly after: Change['after'];
  declare readonly by: Change['by'];
  readonly observedAt: number;
  readonly flags: Change['flags'];
  readonly notes: Change['notes'];
  readonly #lazy: Lazy;

  constructor(parts: Omit<Change, keyof Lazy>, lazy: Lazy) {
    this.id = parts.id;
    this.action = parts.action;
    this.cluster = parts.cluster;
    this.gvk = parts.gvk;
    this.gvr = parts.gvr;
    this.key = parts.key;
    this.namespace = parts.namespace;
    this.name = parts.name;
    this.uid = parts.uid;
    this.resourceVersion = parts.resourceVersion;
    this.observedAt = parts.observedAt;
    this.flags = parts.flags;
    this.notes = parts.notes;
    this.#lazy = lazy;
    Object.defineProperties(this, LazyChange.#getters);
  }

  static readonly #getters = ownGetters<LazyChange>({
    before: (change) => change.#lazy.before(),
    after: (change) => change.#lazy.after(),
    by: (change) => change.#lazy.by(),
  });
}

/** A copy of the change with one more note. Parses nothing. */
export function withNote<K extends keyof Notes>(change: Change, name: K, note: Notes[K]): Change {
  return withParts(change, { notes: { ...change.notes, [name]: note } });
}

/** A copy of the change with some parts replaced; lazily parsed manifests stay lazy. */
export function withParts(change: Change, parts: Partial<Change>): Change {
  return new LazyChange(
    {
      id: parts.id ?? change.id,
      action: parts.action ?? change.action,
      cluster: parts.cluster ?? change.cluster,
      gvk: parts.gvk ?? change.gvk,
      gvr: parts.gvr ?? change.gvr,
      key: parts.key ?? change.key,
      namespace: 'namespace' in parts ? parts.namespace : change.namespace,
      name: parts.name ?? change.name,
      uid: parts.uid ?? change.uid,
      resourceVersion: parts.resourceVersion ?? change.resourceVersion,
      observedAt: parts.observedAt ?? change.observedAt,
      flags: parts.flags ?? change.flags,
      notes: parts.notes ?? change.notes,
    },
    {
      before: () => ('before' in parts ? parts.before : change.before),
      after: () => ('after' in parts ? parts.after : change.after),
      by: () => parts.by ?? change.by,
    },
  );
}
