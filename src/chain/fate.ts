/** What happens to a change after one run of its chain. */
import type { Change } from '../change.ts';
import type { Delivery, End, ParkRequest, StateWrites } from '../store/delivery.ts';
import type { HandlerFailure } from './failure.ts';
import type { GatherWait } from './gathering.ts';

/** How the change ended, and what stateful handlers want stored: committed together. */
export interface Completion {
  readonly kind: 'ended';
  readonly end: End;
  readonly writes: StateWrites;
  /** The handlers' edits of the change, for branches. */
  readonly edits?: string | undefined;
}

/** The change has reached a sink that will deliver several at once. */
export interface Arrival {
  readonly kind: 'arrived';
  /** The sink's id. */
  readonly at: string;
  /** The change as it reached the sink. */
  readonly change: Change;
  /** When the sink stops waiting for more. */
  readonly wait: GatherWait;
  /** Runs the rest of the chain once the sink has delivered the change. @throws HandlerFailure */
  readonly resume: () => Promise<Outcome>;
}

/** The change was released to the store, where it waits for another of its group. */
export interface Moved {
  readonly kind: 'moved';
}

/** The result of one run of the chain in which no handler fails. */
export type Outcome = Completion | Arrival | Moved;

/** How a run of the chain ended. */
export type Fate = Completion | { readonly kind: 'gathered'; readonly park: ParkRequest } | Failed;

/** What follows from a run without a failure; undefined if nothing does, as the change was released. */
export function fateOf({ attempts, deferredSince }: Delivery, result: Outcome): Fate | undefined {
  if (result.kind === 'ended') return result;
  if (result.kind === 'moved') return undefined;
  const { wait, at } = result;
  const reason = 'waits to be delivered together with others';
  return { kind: 'gathered', park: { ...wait, attempts, deferredSince, reason, gather: { handler: at } } };
}

/** A run that ended with a handler's failure. */
export type Failed = Parked | Dead;

export interface Parked {
  readonly kind: 'parked';
  readonly why: ParkReason;
  readonly failure: HandlerFailure;
  readonly park: ParkRequest;
}

export interface Dead {
  readonly kind: 'dead';
  readonly failure: HandlerFailure;
  readonly attempts: number;
  /** See `Death.isAlone`. */
  readonly isAlone?: true;
}

/** `failed` used up an attempt; `deferred` and `waiting` did not. */
export type ParkReason = 'failed' | 'deferred' | 'waiting';
