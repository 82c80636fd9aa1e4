/** Time, so that tests can control it. Deadlines and backoff use `monotonic`; due times that outlive the process use `steady`. */
import { uptime } from 'node:os';

export interface Clock {
  /** Wall clock, milliseconds since the epoch: for display and retention. Jumps when somebody sets the clock. */
  now(): number;
  /**
   * The wall clock as it was when the process started, plus the time elapsed since: milliseconds since the epoch, for due times.
   * Setting the clock affects it only from the next start on, so nothing is tried early or late, or given up, because of it.
   */
  steady(): number;
  /** Never goes back, milliseconds from an arbitrary start. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `work` after `ms` unless the returned function is called first. Does not keep the process alive. */
  after(ms: number, work: () => void): () => void;
}

/** Resolves when `work` does, but after `ms` at the latest; rejects if `work` rejects before that. */
export async function waitAtMost(clock: Pick<Clock, 'after'>, ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const cancel = clock.after(ms, late.resolve);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}

/** {@link Clock.sleep} that resolves on abort instead of rejecting: for loops that check the signal themselves. */
export async function pause(clock: Pick<Clock, 'sleep'>, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}

/** setTimeout fires immediately for any longer delay (about 24.8 days). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  steady,
  monotonic: () => performance.now(),
  sleep,
  after,
};

/** The monotonic clock stops while the machine sleeps; its uptime goes on (in steps of 10 ms). */
const STARTED_AT_UPTIME_MS = uptime() * 1_000 - performance.now();
const SHORTEST_SLEEP_MS = 1_000;

function steady(): number {
  const awake = performance.timeOrigin + performance.now();
  // Reading the uptime takes 10 µs: do so only if the wall clock shows that it was set or that the machine slept.
  if (Math.abs(Date.now() - awake) < SHORTEST_SLEEP_MS) return Math.floor(awake);
  const asleepMs = uptime() * 1_000 - performance.now() - STARTED_AT_UPTIME_MS;
  return Math.floor(asleepMs < SHORTEST_SLEEP_MS ? awake : awake + asleepMs);
}

/** Pending input is read first: a process that was frozen wakes up with expired deadlines and the answers already waiting. */
function after(ms: number, work: () => void): () => void {
  let turn: NodeJS.Immediate | undefined;
  const timer = setTimeout(
    () => {
      turn = setImmediate(work);
    },
    Math.min(Math.max(0, ms), MAX_TIMEOUT_MS),
  ).unref();
  return () => {
    clearTimeout(timer);
    clearImmediate(turn);
  };
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return sleepBy({ after }, ms, signal);
}

/**
 * {@link Clock.sleep} for any clock, built on its {@link Clock.after}. Not timers/promises: that creates an AbortError for each
 * cancelled sleep, which takes 10 µs instead of 2.
 */
export function sleepBy(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
