/** Another sink tells in place of one whose receiver has been unwell for long. */
import { RetryAfterError } from '../errors.ts';
import { HandlerFailure, numberOf } from './failure.ts';
import type { SinkStep } from './step.ts';

/** The sinks that tell only in place of others, by id. */
export type Spares = ReadonlyMap<string, SinkStep>;

/** The sink that may tell in place of `step` after this failure; undefined when its own retries and deferrals go on. */
export function spareFor({ fallback }: SinkStep, thrown: unknown, spares: Spares): SinkStep | undefined {
  const openForMs = openForMsOf(thrown);
  if (fallback === undefined || openForMs === undefined || openForMs < fallback.afterMs) return undefined;
  return spares.get(fallback.id);
}

/** A failure that asks to wait for longer than until the fallback's time comes asks for less. */
export function inTimeForFallback({ id, fallback }: SinkStep, thrown: unknown): unknown {
  const openForMs = openForMsOf(thrown);
  if (fallback === undefined || openForMs === undefined || openForMs >= fallback.afterMs) return thrown;
  const leftMs = fallback.afterMs - openForMs;
  const { cause } = thrown as HandlerFailure;
  const retryAfterMs = Math.min(numberOf(thrown as HandlerFailure, 'retryAfterMs') ?? leftMs, leftMs);
  return new HandlerFailure(id, new RetryAfterError(cause.message, { cause, retryAfterMs, openForMs }));
}

function openForMsOf(thrown: unknown): number | undefined {
  return thrown instanceof HandlerFailure ? numberOf(thrown, 'openForMs') : undefined;
}
