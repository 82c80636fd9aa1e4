/** Which alerts have been read: kept in the store, so that they stay read after a restart. */
import { isObject } from '../../json.ts';
import type { Store } from '../../store/store.ts';

/** The key in the store. */
const STATE_KEY = ['web', 'acknowledged'] as const;

/** When each alert was read, milliseconds since the epoch, by id. */
export type ReadTimes = ReadonlyMap<string, number>;

export class Acknowledged {
  readonly #store: Store;
  #times: Promise<ReadTimes> | undefined;
  /** The last pending write: each continues from the result of the one before. */
  #adding: Promise<void> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  /** If the store fails, it is asked again the next time. */
  times(): Promise<ReadTimes> {
    this.#times ??= this.#load().catch((thrown: unknown) => {
      this.#times = undefined;
      throw thrown;
    });
    return this.#times;
  }

  /** Durable when it resolves. @param current ids of all current alerts: others are forgotten */
  add(ids: readonly string[], now: number, current: ReadonlySet<string>): Promise<void> {
    const added = this.#adding.then(() => this.#add(ids, now, current));
    this.#adding = added.catch(() => undefined);
    return added;
  }

  async #add(ids: readonly string[], now: number, current: ReadonlySet<string>): Promise<void> {
    const before = await this.times();
    const kept = [...before].filter(([id]) => current.has(id));
    // An earlier reader may finish later.
    const read = ids.map((id): [string, number] => [id, Math.max(now, before.get(id) ?? 0)]);
    const next = new Map([...kept, ...read]);
    await this.#store.remember(...STATE_KEY, Object.fromEntries(next));
    this.#times = Promise.resolve(next);
  }

  async #load(): Promise<ReadTimes> {
    const stored = await this.#store.recall(...STATE_KEY);
    const entries = Object.entries(isObject(stored) ? stored : {});
    return new Map(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
  }
}
