/** Compares a whole list with the baseline: what is new, what differs, what is gone. */
import type { ChangeFlags } from '../change.ts';
import type { Accepted, Basis, Observation, Seen } from '../store/scope.ts';
import type { Store } from '../store/store.ts';
import type { ScannedManifest } from './manifest.ts';
import type { ObjectIndex } from './object-index.ts';
import { countChange, type Counts, type Observer } from './observer.ts';

/**
 * - `first`: nothing was known; everything is written page by page, silently by default.
 * - `compare`: what differs is a change. Nothing takes effect before the list is complete.
 * - `rebase`: digests have changed with the interest, version or key; an object that equals the old baseline is written silently.
 */
export type ListMode = 'first' | 'compare' | 'rebase';

export interface BaselineListOptions {
  readonly mode: ListMode;
  /** Report the objects of a first list as added. */
  readonly reportsExisting: boolean;
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
const FOUND_FLAGS: ChangeFlags = { compacted: true };
const GONE_FLAGS: ChangeFlags = { finalStateUnknown: true };
const AWAY_FLAGS: ChangeFlags = { whileAway: true };

export class BaselineList {
  /** The changes that {@link commit} will make. */
  readonly counts: Counts = { added: 0, updated: 0, deleted: 0 };
  readonly #options: BaselineListOptions;
  readonly #foundFlags: ChangeFlags;
  readonly #goneFlags: ChangeFlags;
  readonly #isSilent: boolean;
  /** Goes into the index when the list is complete. */
  readonly #pending = new Map<string, Seen>();
  #page: Observation[] = [];
  #pageBytes = 0;
  #items = 0;
  #knownItems = 0;

  constructor(options: BaselineListOptions) {
    this.#options = options;
    const away = options.resumed ? {} : AWAY_FLAGS;
    const { mode, reportsExisting } = options;
    this.#isSilent = mode === 'first' && !reportsExisting;
    // What exists at the first start did not happen while nothing was watching.
    this.#foundFlags = mode === 'first' ? {} : { ...FOUND_FLAGS, ...away };
    this.#goneFlags = { ...GONE_FLAGS, ...away };
    options.index.beginRound();
  }

  add(item: ScannedManifest): void {
    const { mode, index, observer } = this.#options;
    const { key, uid, resourceVersion } = item;
    const known = index.get(key);
    const isSameObject = known?.uid === uid;
    this.#items++;
    if (isSameObject) this.#knownItems++;
    const isUnchanged = isSameObject && known.resourceVersion === resourceVersion;
    if (isUnchanged && mode === 'compare') return index.mark(known);
    const digest = item.digest();
    if (isSameObject && known.digest === digest && mode === 'compare') {
      known.resourceVersion = resourceVersion;
      return index.mark(known);
    }
    const silent =
      this.#isSilent ||
      (mode === 'rebase' && (isUnchanged || (isSameObject && this.#matchesOldDigest(known.digest, item))));
    const observation = observer.seen(item, digest, { silent, flags: this.#foundFlags });
    if (observation === undefined) return this.skip(key);
    const expired = observer.expired(key, known, uid);
    if (expired !== undefined) this.#append(expired, known?.uid);
    this.#append(observation, expired === undefined ? known?.uid : undefined);
    if (mode === 'first') index.set(observation);
    else this.#pending.set(key, { key, uid, resourceVersion, digest });
  }

  /** For an object that exists but cannot be read: it is not gone, and what is known of it stays. */
  skip(key: string): void {
    const { index } = this.#options;
    const known = index.get(key);
    if (known !== undefined) index.mark(known);
  }

  /** Writes the page if it is full; undefined if there is nothing to wait for. */
  writeIfFull(): Promise<void> | undefined {
    const isFull = this.#page.length >= PAGE_OBSERVATIONS || this.#pageBytes >= PAGE_BYTES;
    return isFull ? this.#write() : undefined;
  }

  /** Whether this may be another cluster: the list has objects, but none that were known. */
  get isForeign(): boolean {
    return this.#items > 0 && this.#knownItems === 0 && this.#options.index.size > 0 && this.#options.mode !== 'first';
  }

  /** Applies the complete list; known objects that it did not contain are gone. */
  async commit(cursor: string, basis: Basis): Promise<Accepted> {
    const { mode, store, scope, index, observer } = this.#options;
    const gone: string[] = [];
    for (const [key, { uid, resourceVersion }] of index.unmarked()) {
      if (this.#pending.has(key)) continue;
      gone.push(key);
      this.#append(
        observer.gone({ key, uid, resourceVersion }, { silent: this.#isSilent, flags: this.#goneFlags }),
        uid,
      );
      await this.writeIfFull();
    }
    const staged = mode === 'first' ? {} : { staged: true as const };
    const accepted = await store.accept({ scope, observations: this.#page, cursor, basis, ...staged });
    for (const key of gone) index.delete(key);
    for (const seen of this.#pending.values()) index.set(seen);
    return accepted;
  }

  /** Drops the list; what a first list has already written stays until the next one overwrites it. */
  async discard(): Promise<void> {
    const { mode, store, scope } = this.#options;
    if (mode !== 'first') await store.discardStaged(scope);
  }

  #matchesOldDigest(digest: number, item: ScannedManifest): boolean {
    return this.#options.oldDigest?.(item) === digest;
  }

  #append(observation: Observation, knownUid: string | undefined): void {
    countChange(this.counts, observation, knownUid);
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
