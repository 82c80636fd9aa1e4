/** Metrics and log of a chain's work. Handlers report nothing themselves. */
import type { Change } from '../change.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Delivery, End } from '../store/delivery.ts';
import { numberField, type HandlerFailure } from './failure.ts';
import type { Dead, Fate, Parked } from './fate.ts';

export interface Observer {
  /** Returns an observer for one run of the chain. */
  attempt(delivery: Delivery): Observer;
  /** W3C Trace Context of the current handler; undefined if the run is not traced. */
  traceparent(): string | undefined;
  verdict(handler: string, verdict: 'pass' | 'halt' | 'wait' | 'error'): void;
  /** The sink delivered this many changes in one message. */
  deliveredTogether(handler: string, changes: number): void;
  /** A sink's fallback delivered this many changes in its place. */
  fallback(handler: string, fallback: string, changes: number): void;
  /** This many changes were merged into others, or cancelled out. */
  superseded(changes: number): void;
  /** Called once it is durable. */
  fate(delivery: Delivery, fate: Fate): void;
}

/** Traces changes on their way through chains; see src/tracing. */
export interface Tracer {
  /** Called when a run of the chain begins; undefined if this change is not traced. */
  attempt(chain: string, delivery: Delivery): AttemptTrace | undefined;
  /** Called once it is durable. */
  fate(chain: string, delivery: Delivery, fate: Fate): void;
}

/** The trace of one run of a chain. */
export interface AttemptTrace {
  /** W3C Trace Context of the current handler. */
  readonly traceparent: string;
  /** Called when the current handler has answered and the next one begins. */
  handled(handler: string, verdict: string): void;
}

export interface ObserverOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Undefined: nothing is traced. */
  readonly tracer?: Tracer | undefined;
}

export function createObserver(chain: string, options: ObserverOptions): Observer {
  const { clock, log, metrics, tracer } = options;
  // Starts at 0: if the first sample were 1, Prometheus would see no increase.
  for (const end of ['completed', 'halted', 'dead', 'superseded']) metrics.ends.inc({ chain, end }, 0);

  function recordEnd({ change, dueSince = 0 }: Delivery, end: End): void {
    metrics.attempts.inc({ chain, outcome: end.kind });
    metrics.ends.inc({ chain, end: end.kind });
    metrics.latency.observe({ chain }, Math.max(0, clock.now() - Math.max(change.observedAt, dueSince)) / 1000);
    if (!log.isDebugEnabled()) return;
    const { kind, ...halted } = end;
    log.debug(kind === 'halted' ? 'Change halted' : 'Change completed', { ...fieldsOf(change), ...halted });
  }

  function recordParked({ change, deferredSince }: Delivery, fate: Parked): void {
    const { why, park, failure } = fate;
    metrics.attempts.inc({ chain, outcome: why });
    const retryInMs = Math.max(0, park.until - clock.steady());
    const fields = { ...fieldsOf(change), ...failureOf(failure), attempts: park.attempts, retryInMs };
    if (why === 'failed') return void log.warn('Handler failed, the change will be retried', fields);
    // An open breaker has already been logged once; a line for each change waiting for the receiver would add nothing.
    const isFirstDeferral =
      why === 'deferred' && deferredSince === undefined && numberField(failure, 'openForMs') === undefined;
    log.log(isFirstDeferral ? 'warn' : 'debug', why === 'deferred' ? 'Delivery deferred' : 'Delivery waits', fields);
  }

  function recordDead({ change }: Delivery, { failure, attempts }: Dead): void {
    metrics.attempts.inc({ chain, outcome: 'failed' });
    metrics.ends.inc({ chain, end: 'dead' });
    log.error('Change given up and kept as a dead letter', { ...fieldsOf(change), ...failureOf(failure), attempts });
  }

  const observer: Observer = {
    attempt(delivery) {
      const trace = tracer?.attempt(chain, delivery);
      return trace === undefined ? observer : traced(observer, trace);
    },
    traceparent: () => undefined,
    verdict: (handler, verdict) => metrics.verdicts.inc({ handler, verdict }),
    fallback(handler, fallback, changes) {
      metrics.fallbacks.inc({ handler, fallback }, changes);
      log.warn('Changes delivered by the fallback', { handler, fallback, changes });
    },
    superseded(changes) {
      metrics.ends.inc({ chain, end: 'superseded' }, changes);
      log.info('Waiting changes of the same object were merged', { superseded: changes });
    },
    deliveredTogether(handler, changes) {
      metrics.verdicts.inc({ handler, verdict: 'pass' }, changes);
      metrics.digests.inc({ handler });
      log.info('Changes delivered together', { handler, changes });
    },
    fate(delivery, fate) {
      tracer?.fate(chain, delivery, fate);
      switch (fate.kind) {
        case 'ended':
          return recordEnd(delivery, fate.end);
        case 'gathered':
          return metrics.attempts.inc({ chain, outcome: 'gathered' });
        case 'parked':
          return recordParked(delivery, fate);
        case 'dead':
          return recordDead(delivery, fate);
      }
    },
  };
  return observer;
}

function traced(observer: Observer, trace: AttemptTrace): Observer {
  return {
    ...observer,
    traceparent: () => trace.traceparent,
    verdict(handler, verdict) {
      observer.verdict(handler, verdict);
      trace.handled(handler, verdict);
    },
  };
}

function fieldsOf({ id, action, gvr, key }: Change) {
  return { change: id, action, resource: gvr.resource, key };
}

function failureOf({ handler, message }: HandlerFailure) {
  return { handler, error: message };
}
