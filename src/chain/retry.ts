/** Decides what happens to a change whose attempt failed: it is retried later, or given up. */
import pRetry, { AbortError } from 'p-retry';
import type { Clock } from '../clock.ts';
import type { RetryConfig } from '../config/config.ts';
import type { Delivery, ParkRequest } from '../store/delivery.ts';
import { isHold, isWait, HandlerFailure, numberField, waitUntilOf } from './failure.ts';
import type { Failed, Parked, ParkReason } from './fate.ts';

export interface RetryOptions {
  readonly retry: RetryConfig;
  readonly clock: Clock;
  /** 0 to 1, for the jitter of deferrals. */
  readonly random: () => number;
}

/** The result of one attempt, or what follows from its failure. */
export type RunResult<T> = { readonly kind: 'done'; readonly result: T } | Failed;

/** However many retries are configured, waits grow no longer than this, unless the first one is longer. */
const MAX_RETRY_WAIT_MS = 3_600_000;
const MIN_DEFER_MS = 1_000;
const MAX_DEFER_MS = 60_000;

/**
 * Runs one attempt and determines what follows. p-retry counts and computes the delay: 1 s, 5 s, 25 s by default, each times a
 * random 1 to 2. The waiting is left to the store, so that it survives a restart and a waiting change costs no memory:
 * each call is a p-retry run with the remaining retries, stopped after its first failure.
 */
export async function runOnce<T>(
  delivery: Delivery,
  attempt: () => Promise<T>,
  { retry, clock, random }: RetryOptions,
): Promise<RunResult<T>> {
  const spent = delivery.attempts;
  const maxWaitMs = longestWaitMs(retry);
  let parked: Pick<Parked, 'why' | 'park'> | undefined;
  try {
    const result = await pRetry(() => attempt().catch(abortWhenTerminal), {
      retries: Math.max(0, retry.retries - spent),
      minTimeout: Math.min(retry.minTimeoutMs * retry.factor ** spent, maxWaitMs),
      maxTimeout: maxWaitMs,
      factor: retry.factor,
      randomize: true,
      shouldConsumeRetry: ({ error }) => reasonOf(error, delivery, retry, clock) === 'failed',
      onFailedAttempt: ({ error, retriesLeft, retryDelay }) => {
        const why = reasonOf(error, delivery, retry, clock);
        if (why === 'failed' && retriesLeft <= 0) return;
        parked = { why, park: parkOf(error as HandlerFailure, why, delivery, { clock, random, retryDelay }) };
      },
      shouldRetry: () => false,
    });
    return { kind: 'done', result };
  } catch (thrown) {
    if (!(thrown instanceof HandlerFailure)) throw thrown;
    if (parked === undefined) return { kind: 'dead', failure: thrown, attempts: spent + 1 };
    return { kind: 'parked', failure: thrown, ...parked };
  }
}

/** The longest wait before a retry, in milliseconds. */
export function longestWaitMs({ minTimeoutMs }: RetryConfig): number {
  return Math.max(minTimeoutMs, MAX_RETRY_WAIT_MS);
}

function abortWhenTerminal(thrown: unknown): never {
  throw thrown instanceof HandlerFailure && thrown.code === 'TERMINAL' ? new AbortError(thrown) : thrown;
}

/** A deferral counts once it has gone on for too long; waiting for our own pace never does. */
function reasonOf(error: Error, { deferredSince }: Delivery, { deferForMs }: RetryConfig, clock: Clock): ParkReason {
  if (isWait(error)) return 'waiting';
  if (!(error instanceof HandlerFailure) || error.code !== 'DEFER') return 'failed';
  const now = clock.steady();
  return now - (deferredSince ?? now) < deferForMs ? 'deferred' : 'failed';
}

function parkOf(
  failure: HandlerFailure,
  why: ParkReason,
  { attempts, deferredSince }: Delivery,
  { clock, random, retryDelay }: Omit<RetryOptions, 'retry'> & { readonly retryDelay: number },
): ParkRequest {
  const now = clock.steady();
  const reason = failure.message;
  if (why === 'waiting')
    return { until: waitUntilOf(failure, now), isHold: isHold(failure), attempts, deferredSince, reason };
  const failed = { handler: failure.handler, outcome: why };
  const since = failure.code === 'DEFER' ? (deferredSince ?? now) : undefined;
  const requestedMs = numberField(failure, 'retryAfterMs');
  if (why === 'failed') {
    const until = Math.ceil(now + Math.max(retryDelay, requestedMs ?? 0));
    return { until, attempts: attempts + 1, deferredSince: since, reason, failure: failed };
  }
  // As long as it has waited so far, which doubles the total each time without storing a count.
  const backoffMs = Math.min(Math.max(now - (since ?? now), MIN_DEFER_MS), MAX_DEFER_MS) * (0.75 + random() / 2);
  const waitMs = requestedMs === undefined ? backoffMs : Math.max(requestedMs, MIN_DEFER_MS);
  return { until: Math.ceil(now + waitMs), attempts, deferredSince: since, reason, failure: failed };
}
