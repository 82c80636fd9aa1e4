import { setTimeout as delay } from 'node:timers/promises';

/** Time, so that tests own it. Deadlines and backoff use `monotonic`; `now` is for display, retention and durable due times. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Never goes back, milliseconds from an arbitrary start. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout fires at once for anything longer (about 24.8 days). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    delay(Math.min(ms, MAX_TIMEOUT_MS), undefined, { ref: false, ...(signal === undefined ? {} : { signal }) }),
};
