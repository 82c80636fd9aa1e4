/** How long to wait before the next try. */
import type { Clock } from '../clock.ts';

export interface BackoffOptions {
  readonly clock: Clock;
  /** Upper limit of the first wait, milliseconds. Default 800, as in client-go's reflector. */
  readonly initialMs?: number;
  /** Upper limit of any wait, milliseconds. Default 30 s. */
  readonly maxMs?: number;
  /** After this long without a failure the limit starts over, milliseconds. Default 2 min. */
  readonly resetMs?: number;
  /** Returns a number from 0 to 1. Default Math.random. */
  readonly random?: () => number;
}

/**
 * Exponential backoff with full jitter: each wait is random between zero and a limit that doubles, so that a hundred watches
 * that broke together come back at different times. Starts over only after a healthy period, not on each success: a server that
 * accepts and then breaks every watch is not healthy.
 */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #limitMs: number;
  #lastMs: number | undefined;

  constructor(options: BackoffOptions) {
    this.#options = { initialMs: 800, maxMs: 30_000, resetMs: 120_000, random: Math.random, ...options };
    this.#limitMs = this.#options.initialMs;
  }

  /** Milliseconds to wait after a failure just now, at least `atLeastMs`, which the server may ask for. */
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

/** For what recovers only when someone acts: waits of 2.5 to 5 s at first, of half a minute to a minute in the end. */
export function slowBackoff({ clock, random }: Required<Pick<BackoffOptions, 'clock' | 'random'>>): Backoff {
  return new Backoff({ clock, random: () => (1 + random()) / 2, initialMs: 5_000, maxMs: 60_000 });
}
