/** Lets ends wait a little for an accept, or for each other, to share a commit: its fsync costs more than its contents. */
import type { Clock } from '../clock.ts';

export class HeldWrites {
  readonly #clock: Clock;
  #held: (() => void)[] = [];
  #cancel: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#held.length;
  }

  /** Runs `work` at the next {@link flush}; the first to wait causes one after at most `maxMs`. */
  add<T>(work: () => Promise<T>, maxMs: number): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    if (this.#held.push(() => resolve(work())) === 1) this.#cancel = this.#clock.after(maxMs, () => this.flush());
    return promise;
  }

  /** Runs all in one turn, and so in one transaction. */
  flush(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    this.#cancel();
    for (const write of held) write();
  }
}
