/** A circuit breaker: stops sending to a receiver that keeps failing. Open means wait, never drop. */
import type { Clock } from '../clock.ts';
import { RetryAfterError } from '../errors.ts';

/** Opens after this many failures in a row ... */
const FAILURES_IN_A_ROW = 5;
/** ... or if half of this many requests failed. */
const WINDOW = 20;
/** Wait before the first probe; doubles with each failed probe, up to the maximum. */
const FIRST_WAIT_MS = 30_000;
const MAX_WAIT_MS = 600_000;
/** Wait while a probe is under way: the growing wait of a deferral could last up to 75 s after the receiver is back. */
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
  /** Monotonic time since which it has been open; a failed probe does not reset it. */
  #openSince = 0;
  /** Monotonic time of the next probe; undefined while closed. */
  #probeAt: number | undefined;
  #probing = false;

  constructor(clock: Clock, events: BreakerEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** Milliseconds until the next probe; undefined while closed. */
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
      const message = `${title} has failed repeatedly, deliveries to it are paused`;
      throw new RetryAfterError(message, { retryAfterMs: leftMs, openForMs });
    }
    if (!this.#probing) return;
    throw new RetryAfterError(`${title} is being probed with another change`, {
      retryAfterMs: PROBE_WAIT_MS,
      openForMs,
    });
  }

  /**
   * To be called for a request that passed {@link check}; exactly one of {@link succeeded}, {@link failed} or {@link undecided}
   * must follow. Returns whether it is the probe, for that call.
   */
  begin(): boolean {
    const probe = this.#probeAt !== undefined;
    if (probe) this.#probing = true;
    return probe;
  }

  succeeded(): void {
    this.#probing = false;
    this.#failuresInARow = 0;
    if (this.#probeAt === undefined) return this.#record(true);
    this.#probeAt = undefined;
    this.#waitMs = FIRST_WAIT_MS;
    this.#recent.length = 0;
    this.#events.closed();
  }

  /** Ignores requests from before it opened. */
  failed(probe: boolean): void {
    if (probe) return this.#open(Math.min(this.#waitMs * 2, MAX_WAIT_MS));
    if (this.#probeAt !== undefined) return;
    this.#failuresInARow++;
    this.#record(false);
    const failures = this.#recent.filter((isSuccess) => !isSuccess).length;
    const halfFailed = this.#recent.length === WINDOW && failures >= WINDOW / 2;
    if (this.#failuresInARow >= FAILURES_IN_A_ROW || halfFailed) this.#open(FIRST_WAIT_MS);
  }

  /** For a request that says nothing about the receiver, because we aborted it. */
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

  #record(isSuccess: boolean): void {
    this.#recent.push(isSuccess);
    if (this.#recent.length > WINDOW) this.#recent.shift();
  }
}
