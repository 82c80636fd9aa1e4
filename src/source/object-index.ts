/** What is kept in memory of each object of a scope, about 250 bytes: enough to recognise noise without asking the store. */
import type { Seen } from '../store/scope.ts';
import type { Store } from '../store/store.ts';

/** The last observation of an object, written or on its way to the store. */
export interface Known {
  readonly uid: string;
  resourceVersion: string;
  digest: number;
  /** The last list that contained it; see {@link ObjectIndex.beginRound}. */
  round: number;
}

/** Rows read at once. */
const PAGE = 1_000;

export class ObjectIndex {
  readonly #known = new Map<string, Known>();
  #round = 0;

  get size(): number {
    return this.#known.size;
  }

  get(key: string): Known | undefined {
    return this.#known.get(key);
  }

  set({ key, uid, resourceVersion, digest }: Seen): void {
    this.#known.set(key, { uid, resourceVersion, digest, round: this.#round });
  }

  delete(key: string): void {
    this.#known.delete(key);
  }

  clear(): void {
    this.#known.clear();
  }

  /** Unmarks everything. */
  beginRound(): void {
    this.#round++;
  }

  mark(known: Known): void {
    known.round = this.#round;
  }

  /** The entries neither marked nor set since {@link beginRound}. */
  *unmarked(): Generator<[key: string, known: Known]> {
    for (const entry of this.#known) {
      if (entry[1].round !== this.#round) yield entry;
    }
  }

  /** Replaces the index with the store's baseline. */
  async load(store: Pick<Store, 'seen'>, scope: number): Promise<void> {
    this.clear();
    for (let after: string | undefined; ;) {
      const page = await store.seen(scope, after, PAGE);
      for (const seen of page) this.set(seen);
      after = page.at(-1)?.key;
      if (page.length < PAGE) return;
    }
  }
}
