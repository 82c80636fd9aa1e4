/** Compares a whole list with the baseline: what is new, what differs, what is gone. */
import type { ChangeFlags } from '../change.ts';
import type { Accepted, Basis, Observation, Seen, Store } from '../store/store.ts';
import type { ScannedManifest } from './manifest.ts';
import type { ObjectIndex } from './object-index.ts';
import { count, type Counts, type Observer } from './observer.ts';

/**
 * - `first`: nothing was known; everything is written page by page, silently by default.
 * - `compare`: what differs is a change. Nothing takes effect before the list is complete.
 * - `rebase`: digests have changed with the interest, version or key; an object that equals the old baseline is written silently.
 */
export type ListMode = 'first' | 'compare' | 'rebase';

export interface BaselineListOptions {
  readonly mode: ListMode;
  /** Report the objects of a first list as added. */
  readonly tellsExisting: boolean;
  readonly store: Store;
  readonly scope: number;
  readonly index: ObjectIndex;
  readonly observer: Observer;
  /** The digest under the interest of the old baseline; undefined if it cannot be computed any more. */
  readonly oldDigest: ((item: ScannedManifest) => number) | undefined;
  /** The scope was watched until just now: what is found did not happen while nothing was watching. */
  readonly resumed: boolean;
}

/** A page is written once it reaches either size. */
const PAGE_OBSERVATIONS = 100;
const PAGE_BYTES = 1024 * 1024;
/** A difference found by a list may be the result of several changes. */
const FOUND: ChangeFlags = { compacted: true };
const FOUND_GONE: ChangeFlags = { finalStateUnknown: true };
const AWAY: ChangeFlags = { whileAway: true };

export class BaselineList {
  /** The changes that {@link commit} will make. */
  readonly counts: Counts = { added: 0, updated: 0, deleted: 0 };
  readonly #options: BaselineListOptions;
  readonly #found: ChangeFlags;
  readonly #foundGone: ChangeFlags;
  readonly #isSilent: boolean;
  /** Goes into the index when the list is complete. */
  readonly #fresh = new Map<string, Seen>();
  #page: Observation[] = [];
  #pageBytes = 0;
  #items = 0;
  #shared = 0;

  constructor(options: BaselineListOptions) {
    this.#options = options;
    const away = options.resumed ? {} : AWAY;
    const { mode, tellsExisting } = options;
    this.#isSilent = mode === 'first' && !tellsExisting;
    // What exists at the first start did not happen while nothing was watching.
    this.#found = mode === 'first' ? {} : { ...FOUND, ...away };
    this.#foundGone = { ...FOUND_GONE, ...away };
    options.index.beginRound();
  }

  add(item: ScannedManifest): void {
    const { mode, index, observer } = this.#options;
    const { key, uid, resourceVersion } = item;
    const known = index.get(key);
    const same = known?.uid === uid;
    this.#items++;
    if (same) this.#shared++;
    const isEqual = same && known.resourceVersion === resourceVersion;
    if (isEqual && mode === 'compare') return index.mark(known);
    const digest = item.digest();
    if (same && known.digest === digest && mode === 'compare') {
      known.resourceVersion = resourceVersion;
      return index.mark(known);
    }
    const silent = this.#isSilent || (mode === 'rebase' && (isEqual || (same && this.#wasSame(known.digest, item))));
    const observation = observer.seen(item, digest, { silent, flags: this.#found });
    if (observation === undefined) return this.passOver(key);
    const expired = observer.expired(key, known, uid);
    if (expired !== undefined) this.#put(expired, known?.uid);
    this.#put(observation, expired === undefined ? known?.uid : undefined);
    if (mode === 'first') index.set(observation);
    else this.#fresh.set(key, { key, uid, resourceVersion, digest });
  }

  /** For an object that exists but cannot be read: it is not gone, and what is known of it stays. */
  passOver(key: string): void {
    const { index } = this.#options;
    const known = index.get(key);
    if (known !== undefined) index.mark(known);
  }

  /** Writes the page if it is full; undefined if there is nothing to wait for. */
  room(): Promise<void> | undefined {
    const isFull = this.#page.length >= PAGE_OBSERVATIONS || this.#pageBytes >= PAGE_BYTES;
    return isFull ? this.#write() : undefined;
  }

  /** Whether this may be another cluster: the list has objects, but none that were known. */
  get isOther(): boolean {
    return this.#items > 0 && this.#shared === 0 && this.#options.index.size > 0 && this.#options.mode !== 'first';
  }

  /** Applies the complete list; known objects that it did not contain are gone. */
  async commit(cursor: string, basis: Basis): Promise<Accepted> {
    const { mode, store, scope, index, observer } = this.#options;
    const gone: string[] = [];
    for (const [key, { uid, resourceVersion }] of index.unmarked()) {
      if (this.#fresh.has(key)) continue;
      gone.push(key);
      this.#put(observer.gone({ key, uid, resourceVersion }, { silent: this.#isSilent, flags: this.#foundGone }), uid);
      await this.room();
    }
    const staged = mode === 'first' ? {} : { staged: true as const };
    const accepted = await store.accept({ scope, observations: this.#page, cursor, basis, ...staged });
    for (const key of gone) index.delete(key);
    for (const seen of this.#fresh.values()) index.set(seen);
    return accepted;
  }

  /** Drops the list; what a first list has already written stays until the next one overwrites it. */
  async discard(): Promise<void> {
    const { mode, store, scope } = this.#options;
    if (mode !== 'first') await store.discardStaged(scope);
  }

  #wasSame(digest: number, item: ScannedManifest): boolean {
    return this.#options.oldDigest?.(item) === digest;
  }

  #put(observation: Observation, knownUid: string | undefined): void {
    count(this.counts, observation, knownUid);
    this.#page.push(observation);
    this.#pageBytes += observation.body.length;
  }

  async #write(): Promise<void> {
    const { mode, store, scope } = this.#options;
    const page = this.#page;
    this.#page = [];
    this.#pageBytes = 0;
    if (mode === 'first') await store.accept({ scope, observations: page });
    else await store.stage(scope, page);
  }
}
