/** A whole list against the baseline: what is new, what differs, what is gone. */
import type { ChangeFlags } from '../change.ts';
import type { Accepted, Basis, Observation, Seen, Store } from '../store/store.ts';
import type { ScannedManifest } from './manifest.ts';
import type { ObjectIndex } from './object-index.ts';
import { count, type Counts, type Observer } from './observer.ts';

/**
 * - `first`: nothing was known; everything is written page by page, silently unless asked for.
 * - `compare`: what differs is a change. Nothing counts before the list is whole.
 * - `rebase`: another interest, version or key made today's digests; what was the same by the old ones is written silently.
 */
export type ListMode = 'first' | 'compare' | 'rebase';

export interface BaselineListOptions {
  readonly mode: ListMode;
  /** What a first list shows is told as added. */
  readonly tellsExisting: boolean;
  readonly store: Store;
  readonly scope: number;
  readonly index: ObjectIndex;
  readonly observer: Observer;
  /** The digest by the interest that the baseline was made with; undefined: it cannot be made again. */
  readonly oldDigest: ((item: ScannedManifest) => number) | undefined;
  /** It was watched until just now: what is found did not happen while nothing was watching. */
  readonly resumed: boolean;
}

/** Written in pages of this size. */
const PAGE_OBSERVATIONS = 100;
const PAGE_BYTES = 1024 * 1024;
/** What a list finds happened unseen; how often, nobody knows. */
const FOUND: ChangeFlags = { compacted: true };
const FOUND_GONE: ChangeFlags = { finalStateUnknown: true };
const AWAY: ChangeFlags = { whileAway: true };

export class BaselineList {
  /** The changes that it will be, once it counts. */
  readonly counts: Counts = { added: 0, updated: 0, deleted: 0 };
  readonly #options: BaselineListOptions;
  readonly #found: ChangeFlags;
  readonly #foundGone: ChangeFlags;
  readonly #isSilent: boolean;
  /** What the index becomes when the list is whole. */
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
    // What exists at the first start did not happen meanwhile.
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

  /** It is there and cannot be read, so that it is not gone: what is known of it stays. */
  passOver(key: string): void {
    const { index } = this.#options;
    const known = index.get(key);
    if (known !== undefined) index.mark(known);
  }

  /** Writes a page when one is full; undefined: nothing to wait for. */
  room(): Promise<void> | undefined {
    const isFull = this.#page.length >= PAGE_OBSERVATIONS || this.#pageBytes >= PAGE_BYTES;
    return isFull ? this.#write() : undefined;
  }

  /** Whether this may be another cluster: it shows objects, and none of those that were known. */
  get isOther(): boolean {
    return this.#items > 0 && this.#shared === 0 && this.#options.index.size > 0 && this.#options.mode !== 'first';
  }

  /** The list is whole: what it did not show is gone, and it counts. */
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

  /** Nothing of it counts; what a first list has written stays, and is written over by the next one. */
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
