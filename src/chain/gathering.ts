/** When a sink that can tell of several changes at once waits for more of them, instead of telling of one. */
import type { Change } from '../change.ts';
import type { Clock } from '../clock.ts';
import type { BatchWindow } from './handler.ts';

export interface GatheringOptions {
  readonly clock: Clock;
  /** Undefined: only the receiver's rate makes it wait. */
  readonly window: BatchWindow | undefined;
  /** From how many changes on those that happened while nothing was watching are told at once; undefined: they are as any other. */
  readonly awayFrom: number | undefined;
}

/** What was missed comes at once, and so does what waited behind a window's members: so long is waited to know how much it is. */
const BURST_MS = 2_000;

/** Of one sink. Forgotten with the process: what waits is in the store. */
export class Gathering {
  readonly #options: GatheringOptions;
  #windowEndsAt = -Infinity;
  #inWindow = 0;
  #burstUntil = -Infinity;
  /** While the receiver's rate has made some wait, the others wait with them: else they would take each turn. */
  #limitedUntil: number | undefined;

  constructor(options: GatheringOptions) {
    this.#options = options;
  }

  /** Until when the change waits for others, milliseconds since the epoch; undefined: it is told now. */
  until(change: Change): number | undefined {
    const { clock, window, awayFrom } = this.#options;
    const now = clock.steady();
    if (this.#limitedUntil !== undefined) return Math.max(now, this.#limitedUntil);
    if (awayFrom !== undefined && change.flags.whileAway === true) {
      return this.#endOfBurst(now);
    }
    return window === undefined ? undefined : this.#untilOf(change, window, now);
  }

  #endOfBurst(now: number): number {
    if (now >= this.#burstUntil) this.#burstUntil = now + BURST_MS;
    return this.#burstUntil;
  }

  /** Up to `over` are told one by one in each window, the rest of it together: when it ends, and whenever `max` have come. */
  #untilOf(change: Change, { windowMs, over, max }: BatchWindow, now: number): number | undefined {
    if (now >= this.#windowEndsAt) {
      // It belongs to the window that is over, but had to wait for an earlier change of its object that was told with it.
      const age = this.#options.clock.now() - change.observedAt;
      if (this.#inWindow > over && now - age < this.#windowEndsAt) return this.#endOfBurst(now);
      this.#windowEndsAt = now + windowMs;
      this.#inWindow = 0;
    }
    this.#inWindow++;
    if (this.#inWindow <= over) return undefined;
    return (this.#inWindow - over) % max === 0 ? now : this.#windowEndsAt;
  }

  /** The receiver's rate allows nothing before `until`. */
  limited(until: number): void {
    this.#limitedUntil = until;
  }

  /** Nothing waits any more. */
  drained(): void {
    this.#limitedUntil = undefined;
  }

  /** Whether these are told one by one after all, having waited to see how many they are. */
  areFew(changes: readonly Change[]): boolean {
    const { awayFrom = 0 } = this.#options;
    return changes.length < awayFrom && changes.every(({ flags }) => flags.whileAway === true);
  }
}
