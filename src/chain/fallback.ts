/** Lets another sink deliver in place of one whose receiver has been failing for long. */
import { RetryAfterError } from '../errors.ts';
import { isStopped, isWait, HandlerFailure, numberField } from './failure.ts';
import type { Observer } from './observe.ts';
import type { SinkStep } from './step.ts';

/** The sinks that are only fallbacks for others, by id. */
export type Fallbacks = ReadonlyMap<string, SinkStep>;

/** One message, for one change or several, and how a sink delivers it. */
export interface FallbackDelivery<T> {
  readonly fallbacks: Fallbacks;
  readonly observer: Pick<Observer, 'fallback'>;
  /** How many changes it contains. */
  readonly changes: number;
  /** @param insteadOf the sink that `sink` stands in for */
  deliver(sink: SinkStep, insteadOf?: string): Promise<T>;
}

/** A delivery by the fallback counts as this sink's. If the fallback fails too, this sink's failure decides, unless the fallback only waits or was cut off. */
export async function deliverWithFallback<T>(
  step: SinkStep,
  delivery: FallbackDelivery<T>,
  insteadOf?: string,
): Promise<T> {
  try {
    return await delivery.deliver(step, insteadOf);
  } catch (thrown) {
    if (!(thrown instanceof HandlerFailure)) throw thrown;
    const substitute = fallbackFor(step, thrown, delivery.fallbacks);
    if (substitute === undefined) throw capWaitForFallback(step, thrown);
    const result = await deliverWithFallback(substitute, delivery, step.id).catch((fallbackError: unknown) => {
      throw isWait(fallbackError) || isStopped(fallbackError) ? fallbackError : thrown;
    });
    delivery.observer.fallback(step.id, substitute.id, delivery.changes);
    return result;
  }
}

/** The fallback to use for `step` after this failure; undefined to continue with its own retries and deferrals. */
function fallbackFor({ fallback }: SinkStep, failure: HandlerFailure, fallbacks: Fallbacks): SinkStep | undefined {
  const openForMs = numberField(failure, 'openForMs');
  if (fallback === undefined || openForMs === undefined || openForMs < fallback.afterMs) return undefined;
  return fallbacks.get(fallback.id);
}

/** Shortens the wait that a failure asks for so that it ends when the fallback may take over. */
function capWaitForFallback({ id, fallback }: SinkStep, failure: HandlerFailure): HandlerFailure {
  const openForMs = numberField(failure, 'openForMs');
  if (fallback === undefined || openForMs === undefined || openForMs >= fallback.afterMs) return failure;
  const leftMs = fallback.afterMs - openForMs;
  const { cause } = failure;
  const retryAfterMs = Math.min(numberField(failure, 'retryAfterMs') ?? leftMs, leftMs);
  return new HandlerFailure(id, new RetryAfterError(cause.message, { cause, retryAfterMs, openForMs }));
}
