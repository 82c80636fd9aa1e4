/** What becomes of a change after one run of its chain. */
import type { Change } from '../change.ts';
import type { Delivery, End, ParkRequest, StateWrites } from '../store/store.ts';
import type { HandlerFailure } from './failure.ts';

/** How the change got through, and what stateful handlers want kept: committed together. */
export interface Passage {
  readonly end: End;
  readonly writes: StateWrites;
  /** What the handlers made of the change, for branches. */
  readonly edits?: string | undefined;
}

/** The change has come to a sink that will tell of several at once. */
export interface Arrival {
  /** The sink's id. */
  readonly at: string;
  /** As it came there. */
  readonly change: Change;
  /** When the sink waits no longer for more, milliseconds since the epoch. */
  readonly until: number;
  /** What is left of the chain once the sink has told of it. @throws HandlerFailure */
  readonly goOn: () => Promise<Outcome>;
}

/** The change waits for another of its group, handed back to the store. */
export interface Moved {
  readonly movedTo: string;
}

/** What one run of the chain comes to when no handler fails. */
export type Outcome = Passage | Arrival | Moved;

/** How a run of the chain ended. */
export type Fate =
  | { readonly kind: 'ended'; readonly passage: Passage }
  | { readonly kind: 'gathered'; readonly park: ParkRequest }
  | Failed;

/** What follows from a run that no failure ended; undefined: nothing does, the store has the change again. */
export function fateOf({ attempts, deferredSince }: Delivery, result: Outcome): Fate | undefined {
  if ('movedTo' in result) return undefined;
  if (!('goOn' in result)) return { kind: 'ended', passage: result };
  const { until, at } = result;
  const reason = 'waits to be told together with others';
  return { kind: 'gathered', park: { until, attempts, deferredSince, reason, gather: { handler: at } } };
}

/** A run that a handler's failure ended. */
export type Failed =
  | { readonly kind: 'parked'; readonly why: ParkReason; readonly failure: HandlerFailure; readonly park: ParkRequest }
  | {
      readonly kind: 'dead';
      readonly failure: HandlerFailure;
      readonly attempts: number;
      /** See `Death.isAlone`. */
      readonly isAlone?: true;
    };

/** `failed` spent an attempt; `deferred` and `waiting` did not. */
export type ParkReason = 'failed' | 'deferred' | 'waiting';
