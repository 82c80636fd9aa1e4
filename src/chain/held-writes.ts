/** Ends wait a little for an accept, or for each other, to share a commit with: it is an fsync, and costs more than what is in it. */
import type { Clock } from '../clock.ts';

export class HeldWrites {
  readonly #clock: Clock;
  #held: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#held.length;
  }

  /** `work` runs at the next {@link flush}, in `maxMs` at the latest when it is the first that waits. */
  add<T>(work: () => Promise<T>, maxMs: number): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const held = this.#held;
    if (held.push(() => resolve(work())) === 1 && maxMs > 0) {
      this.#clock.sleep(maxMs).then(
        () => held === this.#held && this.flush(),
        () => undefined,
      );
    }
    return promise;
  }

  /** In one turn, and so in one transaction. */
  flush(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    for (const write of held) write();
  }
}
