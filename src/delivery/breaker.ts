/** A circuit breaker: stops knocking at a receiver that does not answer. Open means wait, never drop. */
import type { Clock } from '../clock.ts';
import { RetryAfterError } from '../errors.ts';

/** Opens after this many failures in a row ... */
const FAILURES_IN_A_ROW = 5;
/** ... or when half of this many requests failed. */
const WINDOW = 20;
/** Until the first probe; doubles with each that fails, up to the maximum. */
const FIRST_WAIT_MS = 30_000;
const MAX_WAIT_MS = 600_000;
/** Who meets a probe asks again so soon: left to the growing waits of a deferral, it would come up to 75 s after the receiver is back. */
const PROBE_WAIT_MS = 5_000;

export interface BreakerEvents {
  opened(waitMs: number): void;
  closed(): void;
}

export class Breaker {
  readonly #clock: Clock;
  readonly #events: BreakerEvents;
  readonly #recent: boolean[] = [];
  #failuresInARow = 0;
  #waitMs = FIRST_WAIT_MS;
  /** Monotonic time since which it has been open: probes that failed do not count anew. */
  #openSince = 0;
  /** Monotonic time of the next probe; undefined while closed. */
  #probeAt: number | undefined;
  #probing = false;

  constructor(clock: Clock, events: BreakerEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** Until the next probe, in milliseconds; undefined while closed. */
  get restsForMs(): number | undefined {
    return this.#probeAt === undefined ? undefined : Math.max(0, this.#probeAt - this.#clock.monotonic());
  }

  /** @throws RetryAfterError while open, with the time left, or a short one while a probe is under way */
  check(title: string): void {
    if (this.#probeAt === undefined) return;
    const now = this.#clock.monotonic();
    const leftMs = this.#probeAt - now;
    const openForMs = now - this.#openSince;
    if (leftMs > 0) {
      const message = `${title} has failed repeatedly and is given a rest`;
      throw new RetryAfterError(message, { retryAfterMs: leftMs, openForMs });
    }
    if (!this.#probing) return;
    throw new RetryAfterError(`${title} is being tried by another change`, { retryAfterMs: PROBE_WAIT_MS, openForMs });
  }

  /**
   * A request that {@link check} let pass goes out; exactly one of {@link succeeded}, {@link failed} or {@link undecided} follows.
   * Answers whether it is the probe, to be told to that one.
   */
  begin(): boolean {
    const probe = this.#probeAt !== undefined;
    if (probe) this.#probing = true;
    return probe;
  }

  succeeded(): void {
    this.#probing = false;
    this.#failuresInARow = 0;
    if (this.#probeAt === undefined) return this.#remember(true);
    this.#probeAt = undefined;
    this.#waitMs = FIRST_WAIT_MS;
    this.#recent.length = 0;
    this.#events.closed();
  }

  /** A request from before it opened that fails now is no news. */
  failed(probe: boolean): void {
    if (probe) return this.#open(Math.min(this.#waitMs * 2, MAX_WAIT_MS));
    if (this.#probeAt !== undefined) return;
    this.#failuresInARow++;
    this.#remember(false);
    const failures = this.#recent.filter((good) => !good).length;
    const halfFailed = this.#recent.length === WINDOW && failures >= WINDOW / 2;
    if (this.#failuresInARow >= FAILURES_IN_A_ROW || halfFailed) this.#open(FIRST_WAIT_MS);
  }

  /** The request says nothing about the receiver: it was given up by us. */
  undecided(probe: boolean): void {
    if (probe) this.#probing = false;
  }

  #open(waitMs: number): void {
    const now = this.#clock.monotonic();
    if (this.#probeAt === undefined) this.#openSince = now;
    this.#probing = false;
    this.#waitMs = waitMs;
    this.#probeAt = now + waitMs;
    this.#events.opened(waitMs);
  }

  #remember(good: boolean): void {
    this.#recent.push(good);
    if (this.#recent.length > WINDOW) this.#recent.shift();
  }
}
