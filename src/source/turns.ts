/** Limits how many run at once; the others wait their turn, in order. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param atOnce how many run side by side */
  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Runs `work` in its turn; once it calls `endTurn`, the next may start. Rejects with the signal's reason on an abort before. */
  async run<T>(work: (endTurn: () => void) => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#acquire(signal);
    let isOver = false;
    const endTurn = (): void => {
      if (!isOver) this.#release();
      isOver = true;
    };
    try {
      return await work(endTurn);
    } finally {
      endTurn();
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      const index = this.#waiting.indexOf(resolve);
      if (index !== -1) this.#waiting.splice(index, 1);
      reject(signal.reason as Error);
    };
    this.#waiting.push(resolve);
    signal.addEventListener('abort', onAbort, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** Hands the slot to the next in line without freeing it in between, so that nobody overtakes. */
  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
