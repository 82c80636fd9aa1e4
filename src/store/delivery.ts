/** Changes on their way through the chains: how they are claimed, and what becomes of each attempt. */
import type { Change } from '../change.ts';
import type { EditedPart } from '../change/edits.ts';
import type { Json } from '../json.ts';

/** One change on its way through a chain (or `chain/branch`). At most one per chain and key or group is handed out at a time. */
export interface Delivery {
  readonly id: number;
  readonly chain: string;
  /** In a branch, as the handlers before it passed it along; otherwise as accepted. */
  readonly change: Change;
  /** In a branch, the parts that the handlers before it replaced. */
  readonly edited: readonly EditedPart[];
  /** Failed attempts so far. */
  readonly attempts: number;
  /** Since when it has been deferred without an attempt in between, milliseconds since the epoch. */
  readonly deferredSince: number | undefined;
  /** From when on it is late, if not from when its change was seen: the end of a hold, the time of a replay. Since the epoch. */
  readonly dueSince: number | undefined;
  /** In how many crashes in a row it was being worked on. If any, it is handed out alone, or only with its batch. */
  readonly crashes: number;
  /** A receiver may have it without a record of it: it was cut off, or may have been, when an earlier process ended. */
  readonly perhapsSent: boolean;
  /** Never to be gathered with others: see {@link Death.isAlone}, {@link ParkRequest.isAlone}. Set by a crash and by an interruption, too. */
  readonly isAlone: boolean;
  /** Ids of the sinks that have already delivered this change. */
  readonly delivered: readonly string[];
  /** States of the stateful handlers for this key or group, by handler id. */
  readonly states: ReadonlyMap<string, Json>;
  /** For a `timer`: the id of the handler that asked for it. */
  readonly timerOf: string | undefined;
  /** The group whose order and state it has instead of the object's: see {@link Store.join}. */
  readonly group: string | undefined;
  /**
   * Handed out together with the preceding delivery of the same group. Its turn comes when that one has ended, whose states it
   * then takes over.
   */
  readonly isBehind: boolean;
  /** Size of its manifests as stored. */
  readonly bytes: number;
}

export interface ClaimRequest {
  readonly chain: string;
  readonly limit: number;
  /** Deliveries and timers due by then are handed out: milliseconds since the epoch, by {@link Clock.steady}. */
  readonly now: number;
  /** Ids of the handlers whose states to include. */
  readonly stateful: readonly string[];
  /** How many of those handed out the chain runs at once, in order: after a crash these are suspects. Default: all. */
  readonly atOnce?: number;
  /** Whether to hand out a batch, too. Default: no. */
  readonly batch?: boolean;
  /** How many deliveries waiting in a group are handed out with the one whose turn it is, beyond `limit`. Default: none. */
  readonly behind?: number;
  /**
   * Whether changes of one object that have waited for ten seconds or more, none of them attempted, are handed out as one:
   * `compacted`, from the first `before` to the newest `after`, made by all their managers. Those that cancel out are not
   * handed out at all. Default: no.
   */
  readonly coalesce?: boolean;
  /** The wall clock, which stamps changes, to compute how long they have waited. Default: `now`. */
  readonly wallNow?: number;
}

/** Deliveries that waited at one sink to be sent together. */
export interface Batch {
  /** The sink's id. */
  readonly handler: string;
  /** Set once its members are fixed; they are then always handed out together. */
  readonly id: number | undefined;
  /** In accept order. Until they are fixed, at most 1,000, or fewer if their manifests are large. */
  readonly deliveries: readonly Delivery[];
}

export interface Claimed {
  /** Due deliveries in accept order. They stay claimed until complete, park, deadLetter or release; a crash releases them. */
  readonly deliveries: readonly Delivery[];
  /** The deliveries parked with `gather` at a sink where one is due; claimed like the others. */
  readonly batch: Batch | undefined;
  /** Whether any wait at a sink, including this batch; false if no batch was requested. */
  readonly hasGathered: boolean;
  /** How many ended as superseded in this call. */
  readonly superseded: number;
  /** When the next one that is neither handed out nor held back by another becomes due; undefined if nothing waits. */
  readonly nextDueAt: number | undefined;
}

/** See {@link Store.join}. */
export interface Joined {
  readonly states: ReadonlyMap<string, Json> | undefined;
  readonly freed: boolean;
}

/** What stateful handlers decided, committed together with the end of the delivery, but not with a park. */
export interface StateWrites {
  /** By handler id; `null` forgets the state for this key. */
  readonly states?: ReadonlyMap<string, Json>;
  /** Durable wake-ups, at most one per handler and key or group: a later one replaces an earlier one; `at: null` cancels it. */
  readonly wakeUps?: readonly { readonly handler: string; readonly key: string; readonly at: number | null }[];
}

export type End =
  { readonly kind: 'completed' } | { readonly kind: 'halted'; readonly by: string; readonly reason: string };

/** The end of one of several deliveries: see {@link Store.completeAll}. */
export interface GroupEnd {
  readonly delivery: number;
  readonly end: End;
}

/** Where a change continues when its delivery has ended. */
export interface Forks {
  /** Each gets a delivery. */
  readonly chains: readonly string[];
  /** The handlers' edits of the change (see `editsOf`); undefined: the branches get it as this delivery did. */
  readonly edits?: string | undefined;
}

/** What is committed together with the end of a delivery. */
export interface Sequel {
  readonly writes?: StateWrites | undefined;
  readonly forks?: Forks | undefined;
}

export interface ParkRequest {
  /** Milliseconds since the epoch, by {@link Clock.steady}. */
  readonly until: number;
  /** It is held on purpose, by a quiet or a digest: it counts as late only from `until` on. */
  readonly isHold?: boolean | undefined;
  /** Failed attempts so far, with the one that it waits after. */
  readonly attempts: number;
  /** As {@link Delivery.deferredSince} from now on. */
  readonly deferredSince: number | undefined;
  /** Why it waits, for people; must not contain secrets. */
  readonly reason: string;
  /** Wait at this sink for others, until `until` at the latest. */
  readonly gather?: { readonly handler: string; readonly batch?: number | undefined } | undefined;
  /** Never to be gathered with others again. */
  readonly isAlone?: boolean | undefined;
  /** Set if a handler failed; kept for {@link Store.trip}. */
  readonly failure?: { readonly handler: string; readonly outcome: 'failed' | 'deferred' } | undefined;
}

export interface Death {
  /** The handler that failed last, by its id. */
  readonly handler: string;
  /** For people; must not contain secrets. */
  readonly error: string;
  /** Failed attempts, with the last one. */
  readonly attempts: number;
  /** A replay is sent by itself: see {@link Delivery.isAlone}. */
  readonly isAlone?: boolean | undefined;
}
