/** A step of a change's trip as an OpenTelemetry span, and its ids. */
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
  /** Without contents of manifests or secrets. */
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Why it failed, without secrets; undefined if it did not. */
  readonly error: string | undefined;
}

/**
 * The trace id of a change: the same for all its chains, attempts and replays, even after restarts, so that they form one trace
 * without storing anything.
 */
export function traceIdOf(change: Change): string {
  return hexDigest(idempotencyKey(change, 'trace'), 32);
}

/** The span id of a change's trip through one chain or branch; its attempts refer to it before the trip is over. */
export function tripIdOf(change: Change, chain: string): string {
  return hexDigest(idempotencyKey(change, chain), 16);
}

export function newSpanId(): string {
  return randomBytes(8).toString('hex');
}

/** Whether a trace is among the `ratio` of traces to keep. Decided by its id, so that all chains and processes agree. */
export function isSampled(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}

/** The header of W3C Trace Context: https://www.w3.org/TR/trace-context/#traceparent-header */
export function traceparentOf(traceId: string, spanId: string): string {
  return `00-${traceId}-${spanId}-01`;
}

function hexDigest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
