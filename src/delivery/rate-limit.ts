/** A token bucket that hands out times instead of making callers wait: a change that has to wait is parked, without a slot. */
import type { Clock } from '../clock.ts';
import { WaitError } from '../errors.ts';

/** Most reservations kept; further callers get a time without one, and have to line up again then. */
const MAX_RESERVATIONS = 10_000;
/** Due times are wall time, this bucket is monotonic; a difference of a millisecond is not worth another wait. */
const TOLERANCE_MS = 2;

interface Limit {
  readonly intervalMs: number;
  readonly burst: number;
}

/**
 * At most `perSecond` on average and `burst` at once. A caller that is too early gets a reservation under its key and a
 * `WaitError` with its time; times are handed out in the order of asking. One that comes back late (the process slept, the
 * receiver said 429 meanwhile) lines up ahead of newcomers, each at a time of its own.
 */
export class RateLimit {
  readonly #clock: Clock;
  readonly #limits = new Set<Limit>();
  #intervalMs = 0;
  #burst = 1;
  readonly #reservations = new Map<string, number>();
  /** Monotonic time at which the bucket will be full again, counting only actual sends. */
  #fullAt = -Infinity;
  #blockedUntil = -Infinity;
  /** The last time handed out to newcomers, and to those that came back late. */
  #tail = -Infinity;
  #lateTail = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The slowest rate requested applies to all who share the receiver; 0 requests none. Returns a function that withdraws it. */
  addLimit(perSecond: number, burst: number): () => void {
    const limit = { intervalMs: perSecond <= 0 ? 0 : 1000 / perSecond, burst: Math.max(1, burst) };
    this.#limits.add(limit);
    this.#applySlowest();
    return () => {
      this.#limits.delete(limit);
      this.#applySlowest();
    };
  }

  #applySlowest(): void {
    const [slowest] = [...this.#limits].toSorted((a, b) => b.intervalMs - a.intervalMs);
    // Nobody sends, as between the two halves of a reload: the times stay those that were handed out.
    if (slowest === undefined) return;
    if (slowest.intervalMs < this.#intervalMs) this.#handOutAnew(slowest);
    this.#intervalMs = slowest.intervalMs;
    this.#burst = slowest.burst;
  }

  /** Whoever lined up at a slower rate would hold back newcomers for as long as that rate would have taken. */
  #handOutAnew({ intervalMs, burst }: Limit): void {
    this.#reservations.clear();
    this.#tail = -Infinity;
    this.#lateTail = -Infinity;
    this.#fullAt = Math.min(this.#fullAt, this.#clock.monotonic() + intervalMs * burst);
  }

  /** Blocks all sending for `ms`, for a receiver's Retry-After. */
  block(ms: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, this.#clock.monotonic() + ms);
  }

  /**
   * Returns if `key` may be sent now.
   * @throws WaitError with the time to come back with the same key; without `lineUp` that time is not reserved
   */
  take(key: string, lineUp = true): void {
    const now = this.#clock.monotonic();
    const reserved = this.#reservations.get(key);
    if (reserved !== undefined && reserved > now + TOLERANCE_MS) throw this.#waitUntil(reserved, now);
    const free = Math.max(this.#fullAt - (this.#burst - 1) * this.#intervalMs, this.#blockedUntil);
    const isBehindOthers = reserved === undefined && Math.max(this.#tail, this.#lateTail) > now;
    if (free > now + TOLERANCE_MS || isBehindOthers) {
      if (!lineUp) throw this.#waitUntil(Math.max(free, this.#tail, this.#lateTail), now);
      const at = reserved === undefined ? this.#reserve(key, free, now) : this.#reserveLate(key, free);
      throw this.#waitUntil(at, now);
    }
    this.#reservations.delete(key);
    this.#fullAt = Math.max(this.#fullAt, now) + this.#intervalMs;
  }

  #waitUntil(at: number, now: number): WaitError {
    return new WaitError(Math.ceil(this.#clock.steady() + at - now));
  }

  #reserve(key: string, free: number, now: number): number {
    const at = Math.max(free, Math.max(this.#tail, this.#lateTail) + this.#intervalMs);
    if (this.#reservations.size >= MAX_RESERVATIONS) this.#forgetExpired(now);
    if (this.#reservations.size >= MAX_RESERVATIONS) return at;
    this.#tail = at;
    this.#reservations.set(key, at);
    return at;
  }

  #reserveLate(key: string, free: number): number {
    const at = Math.max(free, this.#lateTail + this.#intervalMs);
    this.#lateTail = at;
    this.#reservations.set(key, at);
    return at;
  }

  /** Removes expired reservations: one whose change was discarded is never used. */
  #forgetExpired(now: number): void {
    for (const [key, at] of this.#reservations) if (at < now) this.#reservations.delete(key);
  }
}
