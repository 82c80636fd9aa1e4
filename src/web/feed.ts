/** Changes as they are accepted, read once for all who look on. */
import type { Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';
import type { ShownChange } from './changes.ts';
import { batchAfter } from './stream.ts';

/** Some changes in accept order, and how many more there were than anybody could read. */
export interface Batch {
  readonly changes: readonly ShownChange[];
  readonly skipped: number;
  /** Of the newest change. */
  readonly lastId: number;
}

/** @param from the number after which the batch begins */
export type Viewer = (batch: Batch, from: number) => void;

/** Between two batches: people read no faster, and 1,000 changes a second become two batches. */
const EVERY_MS = 500;

export interface FeedOptions {
  readonly store: () => Store | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #viewers = new Set<Viewer>();
  #stopping: AbortController | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Calls back with what is accepted from now on; answers how to leave. Reads nothing while nobody looks on. */
  follow(viewer: Viewer): () => void {
    this.#viewers.add(viewer);
    if (this.#stopping === undefined) {
      this.#stopping = new AbortController();
      void this.#read(this.#stopping.signal);
    }
    return () => {
      this.#viewers.delete(viewer);
      if (this.#viewers.size === 0) this.stop();
    };
  }

  stop(): void {
    this.#stopping?.abort();
    this.#stopping = undefined;
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { clock, log, store } = this.#options;
    let lastId: number | undefined;
    while (!signal.aborted) {
      try {
        const open = store();
        if (open !== undefined) lastId = await this.#tell(open, lastId);
      } catch (thrown) {
        if (!signal.aborted) log.warn('The page cannot read what was accepted', { problem: toError(thrown).message });
      }
      await clock.sleep(EVERY_MS, signal).catch(() => undefined);
    }
  }

  /** The first time there is nothing to tell: what was accepted before is on the page already. */
  async #tell(store: Store, lastId: number | undefined): Promise<number> {
    const [newest] = await store.history({ newestFirst: true, limit: 1 });
    const end = newest?.id ?? 0;
    if (lastId === undefined || end <= lastId) return end;
    const batch = await batchAfter(store, {}, lastId);
    for (const viewer of this.#viewers) viewer(batch, lastId);
    return Math.max(end, batch.lastId);
  }
}
