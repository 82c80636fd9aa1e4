/** Changes as they are accepted, read and rendered once for all viewers with the same filter. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pause } from '../clock.ts';
import { toError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { newestShown, type ChangesFilter } from './changes.ts';
import type { ServiceView } from './service-view.ts';

/** Gets a server-sent event `changes` in wire format, made once for all viewers: `{"changes": [...], "truncated": false}`. */
export type Viewer = (message: Uint8Array) => void;

/** Between two messages: people read no faster, and 1,000 changes a second become two messages. */
const EVERY_MS = 500;
/** The newest changes in one message. Nobody reads more at once, and older ones are in the history. */
const MAX_SHOWN = 50;

/** The viewers with the same filter. */
interface Subscribers {
  readonly filter: ChangesFilter;
  readonly viewers: Set<Viewer>;
}

export class Feed {
  readonly #service: Pick<ServiceView, 'clock' | 'log' | 'store'>;
  readonly #subscribersByFilter = new Map<string, Subscribers>();
  #running: { readonly stop: AbortController; readonly begun: Promise<void> } | undefined;

  constructor(service: Pick<ServiceView, 'clock' | 'log' | 'store'>) {
    this.#service = service;
  }

  get viewers(): number {
    return [...this.#subscribersByFilter.values()].reduce((n, { viewers }) => n + viewers.size, 0);
  }

  /**
   * Calls back with what is accepted from now on, and perhaps a little from before; resolves to a function that ends this. Once
   * it resolves, the viewer has to read only what is already in the store. Nothing is read while there are no viewers.
   */
  async subscribe(filter: ChangesFilter, viewer: Viewer): Promise<() => void> {
    const key = JSON.stringify(filter);
    const subscribers = this.#subscribersByFilter.get(key) ?? { filter, viewers: new Set() };
    this.#subscribersByFilter.set(key, subscribers);
    subscribers.viewers.add(viewer);
    this.#running ??= this.#run();
    await this.#running.begun;
    return () => {
      subscribers.viewers.delete(viewer);
      if (subscribers.viewers.size === 0) this.#subscribersByFilter.delete(key);
      if (this.#subscribersByFilter.size === 0) this.stop();
    };
  }

  stop(): void {
    this.#running?.stop.abort();
    this.#running = undefined;
  }

  #run(): { readonly stop: AbortController; readonly begun: Promise<void> } {
    const stop = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    void this.#read(stop.signal, resolve);
    return { stop, begun: promise };
  }

  async #read(signal: AbortSignal, begun: () => void): Promise<void> {
    const { clock, log } = this.#service;
    let lastSentId: number | undefined;
    let trouble: string | undefined;
    while (!signal.aborted) {
      try {
        const store = this.#service.store();
        if (store !== undefined) lastSentId = await this.#sendNew(store, lastSentId);
        begun();
        if (trouble !== undefined) log.info('The page can read new changes again');
        trouble = undefined;
      } catch (thrown) {
        const problem = toError(thrown).message;
        if (!signal.aborted && problem !== trouble)
          log.warn('The page cannot read new changes, trying again', { problem });
        trouble = problem;
      }
      await pause(clock, EVERY_MS, signal);
    }
    begun();
  }

  /** Returns the id up to which everything was sent. The first time, everything is on the page already and nothing is sent. */
  async #sendNew(store: Store, lastSentId: number | undefined): Promise<number> {
    const [newest] = await store.history({ newestFirst: true, limit: 1 });
    const end = newest?.id ?? 0;
    if (lastSentId === undefined || end <= lastSentId) return end;
    for (const { filter, viewers } of this.#subscribersByFilter.values()) {
      const message = await messageOf(store, { ...filter, afterId: lastSentId, beforeId: end + 1 });
      if (message !== undefined) await sendToAll(viewers, message);
    }
    return end;
  }
}

/** Viewers served at once; other work runs in between. */
const SENT_PER_TURN = 8;

async function sendToAll(viewers: ReadonlySet<Viewer>, message: Uint8Array): Promise<void> {
  let n = 0;
  for (const viewer of viewers) {
    viewer(message);
    if (++n % SENT_PER_TURN === 0) await nextTurn();
  }
}

/** The newest of these changes, oldest first; undefined if there are none. */
export async function messageOf(store: Store, filter: ChangesFilter): Promise<Uint8Array | undefined> {
  const found = await newestShown(store, filter, MAX_SHOWN + 1);
  const [newest] = found;
  if (newest === undefined) return undefined;
  const changes = found.slice(0, MAX_SHOWN).toReversed();
  const data = JSON.stringify({ changes, truncated: found.length > MAX_SHOWN });
  return new TextEncoder().encode(`event: changes\ndata: ${data}\nid: ${newest.id}\n\n`);
}
