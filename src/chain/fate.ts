/** What becomes of a change after one run of its chain. */
import type { End, ParkRequest, StateWrites } from '../store/store.ts';
import type { HandlerFailure } from './failure.ts';

/** How the change got through, and what stateful handlers want kept: committed together. */
export interface Passage {
  readonly end: End;
  readonly writes: StateWrites;
  /** What the handlers made of the change, for branches. */
  readonly edits?: string | undefined;
}

/** How a run of the chain ended. */
export type Fate =
  | { readonly kind: 'ended'; readonly passage: Passage }
  | { readonly kind: 'parked'; readonly why: ParkReason; readonly failure: HandlerFailure; readonly park: ParkRequest }
  | { readonly kind: 'dead'; readonly failure: HandlerFailure; readonly attempts: number };

/** `failed` spent an attempt; `deferred` and `waiting` did not. */
export type ParkReason = 'failed' | 'deferred' | 'waiting';
