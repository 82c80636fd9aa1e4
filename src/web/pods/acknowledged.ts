/** Which alerts somebody has read: kept in the store, so that a restart does not tell them anew. */
import type { Store } from '../../store/store.ts';

/** Under which the store remembers them. */
const PLACE = ['web', 'acknowledged'] as const;

/** When each was read, milliseconds since the epoch, by the id of its alert. */
export type ReadTimes = ReadonlyMap<string, number>;

export class Acknowledged {
  readonly #store: Store;
  #times: Promise<ReadTimes> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  times(): Promise<ReadTimes> {
    this.#times ??= this.#load();
    return this.#times;
  }

  /** Durable when it resolves. @param current ids of all alerts there are: what is no more is forgotten */
  async add(ids: readonly string[], now: number, current: ReadonlySet<string>): Promise<void> {
    const known = await this.times();
    const kept = [...known].filter(([id]) => current.has(id));
    const next = new Map([...kept, ...ids.map((id): [string, number] => [id, now])]);
    this.#times = Promise.resolve(next);
    await this.#store.remember(...PLACE, Object.fromEntries(next));
  }

  async #load(): Promise<ReadTimes> {
    const stored = await this.#store.recall(...PLACE);
    const entries = Object.entries(typeof stored === 'object' && stored !== null ? stored : {});
    return new Map(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
  }
}
