/** What became of changes, and how to ask for it. */
import type { Change } from '../change.ts';

/** One failure of a delivery. */
export interface Failure {
  /** `failed` used up an attempt, `deferred` did not, `dead` was the last one. */
  readonly outcome: 'failed' | 'deferred' | 'dead';
  /** Which attempt it was, from 1 on; a replay counts from 1 again. */
  readonly attempt: number;
  readonly handler: string;
  readonly error: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** For deferrals: how often in a row, most recently at `lastAt`. */
  readonly times: number;
  readonly lastAt: number;
}

/** What happened to a change in one chain or branch. */
export interface DeliveryTrip {
  readonly id: number;
  readonly chain: string;
  /** `ready`: waiting for a slot or running; `blocked`: behind an earlier change of its object; `parked`: waiting for a time. */
  readonly state: 'ready' | 'blocked' | 'parked' | 'dead' | 'completed' | 'halted' | 'superseded' | 'discarded';
  /** The handler that halted it, or failed last. */
  readonly handler: string | undefined;
  /** Why it was halted or is waiting, or its last error. */
  readonly reason: string | undefined;
  /** Failed attempts since the last replay. */
  readonly attempts: number;
  /** Ids of the sinks whose success was checkpointed; a completed one has passed all of its sinks. */
  readonly delivered: readonly string[];
  /** If parked, milliseconds since the epoch. */
  readonly dueAt: number | undefined;
  /** Milliseconds since the epoch; undefined until it ends. */
  readonly endedAt: number | undefined;
  readonly replayed: boolean;
  /** The last change merged into this one under overload; it also reports those in between. */
  readonly mergedUpTo: number | undefined;
  /** Oldest first. */
  readonly failures: readonly Failure[];
}

/** The trip of one change. */
export interface Trip {
  readonly change: Change;
  /** In the order in which they began. */
  readonly deliveries: readonly DeliveryTrip[];
}

export interface DeadLetter {
  /** The delivery's id. */
  readonly id: number;
  readonly chain: string;
  /** The handler that failed last. */
  readonly handler: string;
  readonly error: string;
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly diedAt: number;
  readonly change: Change;
}

/** P8: for each chain `accepted + replayed = completed + halted + dead + superseded + discarded + pending`. */
export interface Balance {
  readonly chain: string;
  readonly accepted: number;
  readonly replayed: number;
  readonly completed: number;
  readonly halted: number;
  /** All deaths that were not discarded; currently kept as dead letters are `dead - replayed`. */
  readonly dead: number;
  readonly superseded: number;
  readonly discarded: number;
  readonly pending: number;
  /**
   * Since when the delivery that has waited longest has been due, milliseconds since the epoch: when its change was seen, the
   * end of a hold (`ParkRequest.isHold`) or the time of its replay, whichever is latest; undefined if none is due.
   */
  readonly dueSince: number | undefined;
}

/** Selects objects; by default all. */
export interface ObjectsQuery {
  readonly group?: string | undefined;
  readonly resource?: string | undefined;
  /** Exact, or with `*` and `?`. */
  readonly namespace?: string | undefined;
  /** Exact, or with `*` and `?`. */
  readonly name?: string | undefined;
}

export interface HistoryQuery extends ObjectsQuery {
  /** Changes with a greater id only. */
  readonly afterId?: number | undefined;
  /** Changes with a smaller id only. */
  readonly beforeId?: number | undefined;
  /** Changes seen at this time or later, milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Exact: {@link Change.key}. */
  readonly key?: string | undefined;
  /** A manager in `Change.by`: exact, or with `*` and `?`. */
  readonly by?: string | undefined;
  /** Default: oldest first. */
  readonly newestFirst?: boolean | undefined;
  readonly limit: number;
}

/** See {@link Store.ended}. */
export interface EndedQuery extends ObjectsQuery {
  /** Milliseconds since the epoch. */
  readonly observedBefore?: number | undefined;
}

export interface DeadLetterQuery extends ObjectsQuery {
  /** Letters with a greater id only. */
  readonly afterId?: number | undefined;
  readonly chain?: string | undefined;
  /** The handler that failed last, by its id. */
  readonly handler?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly diedBefore?: number | undefined;
  readonly limit: number;
}

export interface Retention {
  /** Since it was seen. */
  readonly maxAgeMs: number;
  /** Of all changes together, with their manifests. */
  readonly maxBytes: number;
}

/** Default retention of the history. */
export const DEFAULT_RETENTION: Retention = { maxAgeMs: 7 * 24 * 3_600_000, maxBytes: 512 * 1024 * 1024 };
