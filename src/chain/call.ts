/** What a handler is given for one call. */
import { idempotencyKey, type Change } from '../change.ts';
import { ownGetters } from '../change/own-getters.ts';
import type { Clock } from '../clock.ts';
import type { Evidence } from '../enrich/evidence.ts';
import type { Enricher } from '../enrich/involved.ts';
import type { Logger } from '../log.ts';
import type { Call, RunningCalls } from './deadline.ts';
import type { HandlerContext } from './handler.ts';
import type { Step } from './step.ts';

/** What all calls of a chain's handlers share. */
export interface CallEnvironment {
  readonly clock: Clock;
  readonly log: Logger;
  readonly calls: RunningCalls;
  readonly enricher: Enricher;
  readonly evidence: Evidence;
}

/** The circumstances of one call. */
export interface Circumstances {
  readonly environment: CallEnvironment;
  readonly call: Call;
  readonly attempt: number;
  /** The sink whose fallback this one is. */
  readonly insteadOf?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** The context of one call. Signal, log and key are created on first use: most calls need none of them. */
export class CallContext implements HandlerContext {
  readonly id: string;
  readonly attempt: number;
  readonly insteadOf: string | undefined;
  readonly traceparent: string | undefined;
  readonly evidence: Evidence;
  readonly involved: HandlerContext['involved'];
  readonly topOwner: HandlerContext['topOwner'];
  readonly namespaceOf: HandlerContext['namespaceOf'];
  declare readonly signal: AbortSignal;
  declare readonly log: Logger;
  declare readonly idempotencyKey: string;
  readonly #change: Change;
  readonly #call: Call;
  readonly #log: Logger;

  constructor({ id }: Step, change: Change, { environment, call, attempt, insteadOf, traceparent }: Circumstances) {
    const { enricher, evidence, log } = environment;
    this.id = id;
    this.attempt = attempt;
    this.insteadOf = insteadOf;
    this.traceparent = traceparent;
    this.evidence = evidence;
    this.involved = (about) => enricher.involved(about, call.signal);
    this.topOwner = (about) => enricher.topOwner(about, call.signal);
    this.namespaceOf = (about) => enricher.namespaceOf(about, call.signal);
    this.#change = change;
    this.#call = call;
    this.#log = log;
    Object.defineProperties(this, CallContext.#getters);
  }

  static readonly #getters = ownGetters<CallContext>({
    signal: (context) => context.#call.signal,
    log: (context) => context.#log.child({ handler: context.id, key: context.#change.key }),
    idempotencyKey: (context) => idempotencyKey(context.#change, context.id),
  });
}
