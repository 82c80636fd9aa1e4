/** So many at once, the others in turn. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param atOnce how many run side by side */
  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Runs it when its turn has come; from `leave` on the next one may run beside it. Rejects with the signal's reason when that aborts before. */
  async run<T>(work: (leave: () => void) => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#take(signal);
    let isOver = false;
    const leave = (): void => {
      if (!isOver) this.#give();
      isOver = true;
    };
    try {
      return await work(leave);
    } finally {
      leave();
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      const place = this.#waiting.indexOf(resolve);
      if (place !== -1) this.#waiting.splice(place, 1);
      reject(signal.reason as Error);
    };
    this.#waiting.push(resolve);
    signal.addEventListener('abort', onAbort, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** Passed on without being free in between, so that nobody overtakes. */
  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
