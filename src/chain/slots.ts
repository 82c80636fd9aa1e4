/** How many changes of a chain are worked on at once: it bounds what a crash can send twice. */
export class Slots {
  readonly #max: number;
  readonly #onFree: () => void;
  #running = 0;
  #aside = 0;
  #returning: (() => void)[] = [];

  /** @param onFree a slot may be free now */
  constructor(max: number, onFree: () => void) {
    this.#max = max;
    this.#onFree = onFree;
  }

  get running(): number {
    return this.#running;
  }

  /** Those that gave up their slot for a while. */
  get aside(): number {
    return this.#aside;
  }

  get isFull(): boolean {
    return this.#running >= this.#max;
  }

  /** For as long as `work` takes. */
  async during(work: () => Promise<void>): Promise<void> {
    this.#running++;
    try {
      await work();
    } finally {
      this.#leave();
    }
  }

  /** Who waits for the store keeps nobody else from running: so, many share a transaction. Who comes back goes before who has not begun. */
  async lend<T>(wait: Promise<T>): Promise<T> {
    this.#aside++;
    this.#leave();
    const answer = await wait;
    if (this.isFull) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#returning.push(resolve);
      await promise;
    } else this.#running++;
    this.#aside--;
    return answer;
  }

  /** The slot goes to who comes back, or is free. */
  #leave(): void {
    const next = this.#returning.shift();
    if (next !== undefined) return next();
    this.#running--;
    this.#onFree();
  }
}
