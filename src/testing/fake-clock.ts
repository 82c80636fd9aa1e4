/** Time that stands still until a test moves it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sleepBy, type Clock } from '../clock.ts';

interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

/** A {@link Clock} whose sleeps end only by {@link FakeClock.advance}, in order of their due time. */
export class FakeClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #setByMs = 0;
  #sleepers: Sleeper[] = [];
  readonly #waiting = new Set<{ readonly n: number; resolve(): void }>();

  /** @param startMs the initial value of {@link now}, milliseconds since the epoch. Default 2026-01-01T00:00:00Z. */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.steady() + this.#setByMs;
  }

  steady(): number {
    return this.#startMs + this.#elapsedMs;
  }

  /** Sets the wall clock forward or back. */
  set(byMs: number): void {
    this.#setByMs += byMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepBy(this, ms, signal);
  }

  after(ms: number, work: () => void): () => void {
    // Whole milliseconds, like timers: a remaining 1e-11 ms would never pass, since adding it does not change the sum.
    const sleeper: Sleeper = { dueMs: this.#elapsedMs + Math.ceil(Math.max(0, ms)), wake: work };
    this.#sleepers.push(sleeper);
    for (const waiting of this.#waiting) if (this.sleeping >= waiting.n) waiting.resolve();
    return () => this.#remove(sleeper);
  }

  /** How many sleeps are under way, including deadlines. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /**
   * Moves time by `ms`, stopping at each due sleep to let what it wakes run (microtasks, then one turn of the event loop), so
   * that a sleep begun on waking ends within the same call if it is due by then.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    await nextTurn();
    for (let next = this.#nextDue(endMs); next !== undefined; next = this.#nextDue(endMs)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
      this.#remove(next);
      next.wake();
      await nextTurn();
    }
    this.#elapsedMs = endMs;
  }

  /** Resolves once at least `n` sleeps are under way. */
  async waitForSleepers(n: number): Promise<void> {
    if (this.sleeping >= n) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = { n, resolve };
    this.#waiting.add(waiting);
    await promise;
    this.#waiting.delete(waiting);
  }

  #nextDue(endMs: number): Sleeper | undefined {
    const due = this.#sleepers.filter(({ dueMs }) => dueMs <= endMs);
    return due.reduce<Sleeper | undefined>(
      (first, one) => (first === undefined || one.dueMs < first.dueMs ? one : first),
      undefined,
    );
  }

  #remove(sleeper: Sleeper): void {
    this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
  }
}
