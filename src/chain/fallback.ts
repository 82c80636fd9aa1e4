/** Another sink tells in place of one whose receiver has been unwell for long. */
import { RetryAfterError } from '../errors.ts';
import { asksToWait, HandlerFailure, numberOf } from './failure.ts';
import type { Observer } from './observe.ts';
import type { SinkStep } from './step.ts';

/** The sinks that tell only in place of others, by id. */
export type Spares = ReadonlyMap<string, SinkStep>;

/** One message, of one change or of several, and how a sink tells it. */
export interface Telling<T> {
  readonly spares: Spares;
  readonly observer: Pick<Observer, 'fallback'>;
  /** Changes in it. */
  readonly changes: number;
  /** @param insteadOf the sink in whose place `sink` tells */
  tell(sink: SinkStep, insteadOf?: string): Promise<T>;
}

/** What another sink tells in this one's place counts as told by this one; where it fails, too, this one's failure decides. */
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

/** The sink that may tell in place of `step` after this failure; undefined when its own retries and deferrals go on. */
function spareFor({ fallback }: SinkStep, failure: HandlerFailure, spares: Spares): SinkStep | undefined {
  const openForMs = numberOf(failure, 'openForMs');
  if (fallback === undefined || openForMs === undefined || openForMs < fallback.afterMs) return undefined;
  return spares.get(fallback.id);
}

/** A failure that asks to wait for longer than until the fallback's time comes asks for less. */
function inTimeForFallback({ id, fallback }: SinkStep, failure: HandlerFailure): HandlerFailure {
  const openForMs = numberOf(failure, 'openForMs');
  if (fallback === undefined || openForMs === undefined || openForMs >= fallback.afterMs) return failure;
  const leftMs = fallback.afterMs - openForMs;
  const { cause } = failure;
  const retryAfterMs = Math.min(numberOf(failure, 'retryAfterMs') ?? leftMs, leftMs);
  return new HandlerFailure(id, new RetryAfterError(cause.message, { cause, retryAfterMs, openForMs }));
}
