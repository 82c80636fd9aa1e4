/** Limits how many changes of a chain are worked on at once, and so what a crash can send twice. */
export class Slots {
  readonly #max: number;
  readonly #onFree: () => void;
  #running = 0;
  #lent = 0;
  #returning: (() => void)[] = [];

  /** @param onFree called when a slot may be free */
  constructor(max: number, onFree: () => void) {
    this.#max = max;
    this.#onFree = onFree;
  }

  get running(): number {
    return this.#running;
  }

  /** How many have given up their slot temporarily. */
  get lent(): number {
    return this.#lent;
  }

  get isFull(): boolean {
    return this.#running >= this.#max;
  }

  /** Takes a slot while `work` runs. */
  async runInSlot(work: () => Promise<void>): Promise<void> {
    this.#running++;
    try {
      await work();
    } finally {
      this.#free();
    }
  }

  /** Gives up the slot during a wait for the store, so that many can share a transaction. Returning goes before new work. */
  async lend<T>(wait: Promise<T>): Promise<T> {
    this.#lent++;
    this.#free();
    const answer = await wait;
    if (this.isFull) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#returning.push(resolve);
      await promise;
    } else this.#running++;
    this.#lent--;
    return answer;
  }

  /** Passes the slot to one that is returning, or frees it. */
  #free(): void {
    const next = this.#returning.shift();
    if (next !== undefined) return next();
    this.#running--;
    this.#onFree();
  }
}
