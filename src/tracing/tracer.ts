/**
 * The trip of a change as a trace: a span for each chain, from when the change was seen to its end there, within it one for each
 * attempt, and within that one for each handler. Nothing is stored: the ids are derived from the change.
 */
import type { Fate } from '../chain/fate.ts';
import type { AttemptTrace, Tracer } from '../chain/observe.ts';
import type { Change } from '../change.ts';
import type { Clock } from '../clock.ts';
import { resourceName } from '../source/resource-path.ts';
import type { Delivery } from '../store/delivery.ts';
import { Exporter, type ExporterOptions } from './exporter.ts';
import { isSampled, newSpanId, traceIdOf, traceparentOf, tripIdOf, type Span } from './span.ts';

export interface RunningTracer extends Tracer {
  /** Sends the remaining spans. */
  stop(): Promise<void>;
}

export function createTracer(options: ExporterOptions): RunningTracer {
  const { config, clock } = options;
  const exporter = new Exporter(options);
  const add = (span: Span): void => exporter.add(span);
  const attempts = new WeakMap<Delivery, Attempt>();
  return {
    attempt(chain, delivery) {
      const traceId = traceIdOf(delivery.change);
      if (!isSampled(traceId, config.ratio)) return undefined;
      const attempt = new Attempt({ traceId, chain, delivery, clock, add });
      attempts.set(delivery, attempt);
      return attempt;
    },
    fate(chain, delivery, fate) {
      attempts.get(delivery)?.end(fate);
      attempts.delete(delivery);
      const { change } = delivery;
      const isOver = fate.kind === 'ended' || fate.kind === 'dead';
      if (isOver && isSampled(traceIdOf(change), config.ratio)) add(tripSpan(chain, change, fate, clock.now()));
    },
    stop: () => exporter.stop(),
  };
}

interface AttemptOptions {
  readonly traceId: string;
  readonly chain: string;
  readonly delivery: Delivery;
  readonly clock: Clock;
  readonly add: (span: Span) => void;
}

class Attempt implements AttemptTrace {
  readonly #options: AttemptOptions;
  readonly #spanId = newSpanId();
  readonly #startMs: number;
  readonly #startedAt: number;
  /** The span id of the current handler. */
  #handlerSpanId = newSpanId();
  #handlerStartMs: number;

  constructor(options: AttemptOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
    this.#startMs = options.clock.now();
    this.#handlerStartMs = this.#startMs;
  }

  get traceparent(): string {
    return traceparentOf(this.#options.traceId, this.#handlerSpanId);
  }

  handled(handler: string, verdict: string): void {
    const { traceId, add } = this.#options;
    const endMs = this.#now();
    const name = handler.slice(handler.lastIndexOf('/') + 1);
    const attributes = { 'watchchain.handler': handler, 'watchchain.verdict': verdict };
    const error = verdict === 'error' ? 'failed: see the attempt' : undefined;
    const [spanId, startMs, parentSpanId] = [this.#handlerSpanId, this.#handlerStartMs, this.#spanId];
    add({ traceId, spanId, parentSpanId, name, startMs, endMs, attributes, error });
    this.#handlerSpanId = newSpanId();
    this.#handlerStartMs = endMs;
  }

  end(fate: Fate): void {
    const { traceId, chain, delivery, add } = this.#options;
    const attributes = { 'watchchain.chain': chain, 'watchchain.outcome': outcomeOf(fate) };
    add({
      traceId,
      spanId: this.#spanId,
      parentSpanId: tripIdOf(delivery.change, chain),
      name: `attempt ${delivery.attempts + 1}`,
      startMs: this.#startMs,
      endMs: this.#now(),
      attributes,
      error: errorOf(fate),
    });
  }

  /** More precise than the wall clock, and unaffected if that is set. */
  #now(): number {
    return this.#startMs + (this.#options.clock.monotonic() - this.#startedAt);
  }
}

/** A branch's span is within that of its parent chain. */
function tripSpan(chain: string, change: Change, fate: Fate, endMs: number): Span {
  const parentSpanId = chain.includes('/') ? tripIdOf(change, chain.slice(0, chain.lastIndexOf('/'))) : undefined;
  return {
    traceId: traceIdOf(change),
    spanId: tripIdOf(change, chain),
    parentSpanId,
    name: `${chain}: ${change.action} ${change.gvk.kind}`,
    startMs: change.observedAt,
    endMs: Math.max(change.observedAt, endMs),
    attributes: {
      'watchchain.chain': chain,
      'watchchain.outcome': outcomeOf(fate),
      'watchchain.change': change.id,
      'watchchain.action': change.action,
      'watchchain.resource': resourceName(change.gvr),
      'watchchain.name': change.name,
      ...(change.namespace === undefined ? {} : { 'k8s.namespace.name': change.namespace }),
    },
    error: errorOf(fate),
  };
}

function outcomeOf(fate: Fate): string {
  if (fate.kind === 'ended') return fate.end.kind;
  return fate.kind === 'parked' ? fate.why : fate.kind;
}

/** Waiting for the receiver's or our own pace is not an error. */
function errorOf(fate: Fate): string | undefined {
  if (fate.kind === 'dead' || (fate.kind === 'parked' && fate.why === 'failed')) return fate.failure.message;
  return undefined;
}
