/** One step of a change's trip, as OpenTelemetry has it; and which ids it gets. */
import { createHash, randomBytes } from 'node:crypto';
import { idempotencyKey, type Change } from '../change.ts';

export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** Milliseconds since the epoch, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  /** Nothing of a manifest, and no secret. */
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Why it failed, without a secret; undefined: it did not. */
  readonly error: string | undefined;
}

/**
 * Of a change: the same for all its chains, attempts and replays, over restarts too, so that they are one trace although nobody
 * keeps it in between.
 */
export function traceIdOf(change: Change): string {
  return digits(idempotencyKey(change, 'trace'), 32);
}

/** Of the trip of a change through one chain or branch, known to its attempts before it is over. */
export function tripIdOf(change: Change, chain: string): string {
  return digits(idempotencyKey(change, chain), 16);
}

export function newSpanId(): string {
  return randomBytes(8).toString('hex');
}

/** Whether a trace is among the `ratio` of all that is kept. By its id, so that every chain and process decides the same. */
export function isSampled(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}

/** The header of W3C Trace Context: https://www.w3.org/TR/trace-context/#traceparent-header */
export function traceparentOf(traceId: string, spanId: string): string {
  return `00-${traceId}-${spanId}-01`;
}

function digits(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
