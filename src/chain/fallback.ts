/** Lets another sink deliver in place of one whose receiver has been failing for long. */
import { RetryAfterError } from '../errors.ts';
import { asksToWait, HandlerFailure, numberOf } from './failure.ts';
import type { Observer } from './observe.ts';
import type { SinkStep } from './step.ts';

/** The sinks that are only fallbacks for others, by id. */
export type Spares = ReadonlyMap<string, SinkStep>;

/** One message, for one change or several, and how a sink delivers it. */
export interface Telling<T> {
  readonly spares: Spares;
  readonly observer: Pick<Observer, 'fallback'>;
  /** How many changes it contains. */
  readonly changes: number;
  /** @param insteadOf the sink that `sink` stands in for */
  tell(sink: SinkStep, insteadOf?: string): Promise<T>;
}

/** A delivery by the fallback counts as this sink's. If the fallback fails too, this sink's failure decides. */
export async function tellOrSpare<T>(step: SinkStep, telling: Telling<T>, insteadOf?: string): Promise<T> {
  try {
    return await telling.tell(step, insteadOf);
  } catch (thrown) {
    if (!(thrown instanceof HandlerFailure)) throw thrown;
    const spare = spareFor(step, thrown, telling.spares);
    if (spare === undefined) throw inTimeForFallback(step, thrown);
    const told = await tellOrSpare(spare, telling, step.id).catch((again: unknown) => {
      throw asksToWait(again) ? again : thrown;
    });
    telling.observer.fallback(step.id, spare.id, telling.changes);
    return told;
  }
}

/** The fallback to use for `step` after this failure; undefined to continue with its own retries and deferrals. */
function spareFor({ fallback }: SinkStep, failure: HandlerFailure, spares: Spares): SinkStep | undefined {
  const openForMs = numberOf(failure, 'openForMs');
  if (fallback === undefined || openForMs === undefined || openForMs < fallback.afterMs) return undefined;
  return spares.get(fallback.id);
}

/** Shortens the wait that a failure asks for so that it ends when the fallback may take over. */
function inTimeForFallback({ id, fallback }: SinkStep, failure: HandlerFailure): HandlerFailure {
  const openForMs = numberOf(failure, 'openForMs');
  if (fallback === undefined || openForMs === undefined || openForMs >= fallback.afterMs) return failure;
  const leftMs = fallback.afterMs - openForMs;
  const { cause } = failure;
  const retryAfterMs = Math.min(numberOf(failure, 'retryAfterMs') ?? leftMs, leftMs);
  return new HandlerFailure(id, new RetryAfterError(cause.message, { cause, retryAfterMs, openForMs }));
}
