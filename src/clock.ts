/** Time, so that tests own it. Deadlines and backoff use `monotonic`, due times that outlive the process `steady`. */
import { uptime } from 'node:os';

export interface Clock {
  /** Wall clock, milliseconds since the epoch: for display and retention. Jumps when somebody sets the clock. */
  now(): number;
  /**
   * The wall clock of the start of the process, carried on: milliseconds since the epoch, for what is due later. Setting the
   * clock moves it with the next start of the process only, so that nothing is tried early, late, or given up for it.
   */
  steady(): number;
  /** Never goes back, milliseconds from an arbitrary start. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `work` after `ms`, unless what it answers is called before: for deadlines, which are seldom met. As above. */
  after(ms: number, work: () => void): () => void;
}

/** Resolves when `work` does, and after `ms` at the latest; rejects when it does before. */
export async function atMost(clock: Pick<Clock, 'after'>, ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const cancel = clock.after(ms, late.resolve);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}

/** {@link Clock.sleep} that an abort ends early instead of failing: for loops that ask the signal themselves. */
export async function pause(clock: Pick<Clock, 'sleep'>, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}

/** setTimeout fires at once for anything longer (about 24.8 days). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  steady,
  monotonic: () => performance.now(),
  sleep,
  after,
};

/** The monotonic clock stands still while the machine sleeps, its uptime goes on (in steps of 10 ms). */
const STARTED_AT_UPTIME_MS = uptime() * 1_000 - performance.now();
const SHORTEST_SLEEP_MS = 1_000;

function steady(): number {
  const awake = performance.timeOrigin + performance.now();
  // Asking for the uptime takes 10 us: only when the wall clock says that something has happened, to itself or to us.
  if (Math.abs(Date.now() - awake) < SHORTEST_SLEEP_MS) return Math.floor(awake);
  const asleepMs = uptime() * 1_000 - performance.now() - STARTED_AT_UPTIME_MS;
  return Math.floor(asleepMs < SHORTEST_SLEEP_MS ? awake : awake + asleepMs);
}

/** What has come by then is read first: a process that stood still wakes up with its deadlines over, and the answers waiting. */
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
 * {@link Clock.sleep} of any clock, by its {@link Clock.after}. Not timers/promises: that makes an AbortError for each sleep that is
 * not needed any more, 10 µs for what takes 2 here.
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
