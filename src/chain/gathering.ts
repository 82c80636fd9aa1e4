/** Decides when a sink that can deliver several changes at once waits for more, instead of delivering a single one. */
import type { Change } from '../change.ts';
import type { Clock } from '../clock.ts';
import type { ParkRequest } from '../store/delivery.ts';
import type { BatchWindow } from './handler.ts';

export interface GatheringOptions {
  readonly clock: Clock;
  /** Undefined if only the receiver's rate limit makes it wait. */
  readonly window: BatchWindow | undefined;
  /** Least number of changes from while nothing was watching that are delivered together; undefined: treated like any other. */
  readonly awayFrom: number | undefined;
}

/** For how long a change waits at a sink for others. */
export type GatherWait = Pick<ParkRequest, 'until' | 'isHold'>;

/** The gathering of all sinks of a chain, by id: consulted at each that can deliver several changes in one message. */
export interface Gather {
  /** See {@link Gathering.wait}. */
  wait(sink: string, change: Change): GatherWait | undefined;
  /** See {@link Gathering.rateLimited}. */
  rateLimited(sink: string, until: number): void;
}

/** How long to wait to see how many changes come at once: those that were missed, or that waited behind a window's members. */
const BURST_MS = 2_000;

/** The gathering state of one sink. In memory only, as what waits is in the store. */
export class Gathering {
  readonly #options: GatheringOptions;
  #windowEndsAt = -Infinity;
  #inWindow = 0;
  #burstUntil = -Infinity;
  /** While some wait for the receiver's rate limit, all others wait with them, or they would use up every free turn. */
  #limitedUntil: number | undefined;

  constructor(options: GatheringOptions) {
    this.#options = options;
  }

  /** Undefined to deliver the change now. */
  wait(change: Change): GatherWait | undefined {
    const { clock, window, awayFrom } = this.#options;
    const now = clock.steady();
    if (this.#limitedUntil !== undefined) return { until: Math.max(now, this.#limitedUntil) };
    if (awayFrom !== undefined && change.flags.whileAway === true) {
      return { until: this.#endOfBurst(now), isHold: true };
    }
    const until = window === undefined ? undefined : this.#endOfWindow(change, window, now);
    return until === undefined ? undefined : { until, isHold: true };
  }

  #endOfBurst(now: number): number {
    if (now >= this.#burstUntil) this.#burstUntil = now + BURST_MS;
    return this.#burstUntil;
  }

  /** In each window up to `over` are delivered one by one, the rest together: when it ends, and whenever `max` have come. */
  #endOfWindow(change: Change, { windowMs, over, max }: BatchWindow, now: number): number | undefined {
    if (now >= this.#windowEndsAt) {
      // Belongs to the window that is over, but had to wait for an earlier change of its object that was delivered with it.
      const age = this.#options.clock.now() - change.observedAt;
      if (this.#inWindow > over && now - age < this.#windowEndsAt) return this.#endOfBurst(now);
      this.#windowEndsAt = now + windowMs;
      this.#inWindow = 0;
    }
    this.#inWindow++;
    if (this.#inWindow <= over) return undefined;
    return (this.#inWindow - over) % max === 0 ? now : this.#windowEndsAt;
  }

  /** To be called when the receiver's rate limit allows nothing before `until`. */
  rateLimited(until: number): void {
    this.#limitedUntil = until;
  }

  /** To be called when nothing waits any more. */
  drained(): void {
    this.#limitedUntil = undefined;
  }

  /** Whether these, having waited to see how many they are, are delivered one by one after all. */
  areFew(changes: readonly Change[]): boolean {
    const { awayFrom = 0 } = this.#options;
    return changes.length < awayFrom && changes.every(({ flags }) => flags.whileAway === true);
  }
}
