/** Ends wait a little for an accept, or for each other, to share a commit with: it is an fsync, and costs more than what is in it. */
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

  /** `work` runs at the next {@link flush}, in `maxMs` at the latest when it is the first that waits. */
  add<T>(work: () => Promise<T>, maxMs: number): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    if (this.#held.push(() => resolve(work())) === 1) this.#cancel = this.#clock.after(maxMs, () => this.flush());
    return promise;
  }

  /** In one turn, and so in one transaction. */
  flush(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    this.#cancel();
    for (const write of held) write();
  }
}
