/** The {@link Change} that handlers see: manifests and actors are worked out when they are read. */
import type { Actor, Change, Manifest } from './change.ts';
import { ownGetters } from './own-getters.ts';

/** Each is asked as often as it is read. */
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
