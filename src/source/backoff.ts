/** How long to wait before the next try. */
import type { Clock } from '../clock.ts';

export interface BackoffOptions {
  readonly clock: Clock;
  /** The longest first wait, milliseconds. Default 800, as client-go's reflector. */
  readonly initialMs?: number;
  /** No wait is longer, milliseconds. Default 30 s. */
  readonly maxMs?: number;
  /** After this long without a failure the next one is a first one, milliseconds. Default 2 min. */
  readonly resetMs?: number;
  /** From 0 to 1. Default Math.random. */
  readonly random?: () => number;
}

/**
 * Waits that double, with full jitter: each is random between nothing and its limit, so that a hundred watches that broke
 * together come back apart. Starts anew only after a healthy while, not with each success: a server that accepts and then
 * breaks every watch is not well.
 */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #limitMs: number;
  #lastMs: number | undefined;

  constructor(options: BackoffOptions) {
    this.#options = { initialMs: 800, maxMs: 30_000, resetMs: 120_000, random: Math.random, ...options };
    this.#limitMs = this.#options.initialMs;
  }

  /** Milliseconds to wait after a failure that happened now; at least `atLeastMs`, when the server said so. */
  next(atLeastMs = 0): number {
    const { clock, initialMs, maxMs, resetMs, random } = this.#options;
    const now = clock.monotonic();
    if (this.#lastMs !== undefined && now - this.#lastMs > resetMs) this.#limitMs = initialMs;
    const waitMs = Math.max(random() * this.#limitMs, atLeastMs);
    this.#limitMs = Math.min(this.#limitMs * 2, maxMs);
    this.#lastMs = now + waitMs;
    return waitMs;
  }
}
