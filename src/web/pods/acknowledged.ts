/** Which alerts somebody has read: kept in the store, so that a restart does not tell them anew. */
import type { Store } from '../../store/store.ts';

/** Under which the store remembers them. */
const PLACE = ['web', 'acknowledged'] as const;

/** When each was read, milliseconds since the epoch, by the id of its alert. */
export type ReadTimes = ReadonlyMap<string, number>;

export class Acknowledged {
  readonly #store: Store;
  #times: Promise<ReadTimes> | undefined;
  /** The last of them: each goes on from what the one before it left. */
  #adding: Promise<void> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  /** A store that refuses is asked again the next time. */
  times(): Promise<ReadTimes> {
    this.#times ??= this.#load().catch((thrown: unknown) => {
      this.#times = undefined;
      throw thrown;
    });
    return this.#times;
  }

  /** Durable when it resolves. @param current ids of all alerts there are: what is no more is forgotten */
  add(ids: readonly string[], now: number, current: ReadonlySet<string>): Promise<void> {
    const added = this.#adding.then(() => this.#add(ids, now, current));
    this.#adding = added.catch(() => undefined);
    return added;
  }

  async #add(ids: readonly string[], now: number, current: ReadonlySet<string>): Promise<void> {
    const before = await this.times();
    const kept = [...before].filter(([id]) => current.has(id));
    // Who looked earlier may be done later.
    const read = ids.map((id): [string, number] => [id, Math.max(now, before.get(id) ?? 0)]);
    const next = new Map([...kept, ...read]);
    await this.#store.remember(...PLACE, Object.fromEntries(next));
    this.#times = Promise.resolve(next);
  }

  async #load(): Promise<ReadTimes> {
    const stored = await this.#store.recall(...PLACE);
    const entries = Object.entries(typeof stored === 'object' && stored !== null ? stored : {});
    return new Map(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
  }
}
