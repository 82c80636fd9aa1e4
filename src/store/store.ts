/**
 * The Store contract: baselines, deliveries and their history. One conformance suite
 * (`conformance.ts` beside this file) runs on every implementation.
 *
 * All methods may be called concurrently; each is one transaction, durable when its promise resolves. Calls take effect
 * in the order in which they were made. After {@link Store.close} every call rejects.
 */
import type { Change, ChangeFlags, Gvk } from '../change.ts';
import type { EditedPart } from '../change/edits.ts';
import type { Interest } from '../interest.ts';
import type { Json } from '../json.ts';

/** What one list and watch covers; the unit of baseline, cursor and silent first list. Not the API version: see {@link ScopeSpec}. */
export interface ScopeKey {
  readonly group: string;
  /** The plural in the URL. */
  readonly resource: string;
  /** `""`: all namespaces, or a cluster-scoped resource; `shop`: one; `qa-*,team-*`: those that any pattern matches. */
  readonly namespace: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

export interface ScopeSpec extends ScopeKey {
  readonly version: string;
  readonly kind: string;
  /** Each change of this scope becomes one delivery per chain. */
  readonly chains: readonly string[];
}

/** How the bodies and digests of a scope's baseline were made. If that has changed, the baseline is rebuilt silently. */
export interface Basis {
  /** Absent in the data of earlier versions. */
  readonly kind?: string;
  readonly version: string;
  readonly interest: Interest;
  /** Fingerprint of the redaction key: digests made with another key cannot be compared. */
  readonly redaction: string;
}

export interface ScopeState {
  readonly id: number;
  /** Where the watch resumes; undefined until the first list was complete. */
  readonly cursor: string | undefined;
  /** Undefined until the first list was complete. */
  readonly basis: Basis | undefined;
  readonly objects: number;
}

/** What the source keeps in memory of each object, to recognise noise without asking the store. */
export interface Seen {
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly digest: number;
}

/** What a list or a watch showed of one object. */
export interface Observation {
  /** `gone`: deleted, or no longer selected. */
  readonly type: 'seen' | 'gone';
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Keyed digest of what the chains read of the object, as the server sent it: a non-negative safe integer. Ignored for `gone`. */
  readonly digest: number;
  /** The redacted manifest as UTF-8 JSON without managedFields; empty for `gone` (the baseline's body is what a deletion carries). */
  readonly body: Uint8Array;
  /** The cut `metadata.managedFields` array as UTF-8 JSON, read for `Change.by` only when a change is accepted. */
  readonly managedFields?: Uint8Array | undefined;
  /** Write or prune the baseline, and append no change: a first list, a new basis, an Event that expired. */
  readonly silent?: true;
  readonly flags?: ChangeFlags;
}

export interface AcceptBatch {
  /** {@link ScopeState.id}. */
  readonly scope: number;
  /** In the order of the cluster. */
  readonly observations: readonly Observation[];
  /** The resourceVersion to resume from once this batch is durable; undefined leaves the cursor unchanged. */
  readonly cursor?: string;
  /** Accept what was staged (see {@link Store.stage}) before `observations`: the end of a list. */
  readonly staged?: true;
  /** Set at the end of a list: the new basis of the scope. */
  readonly basis?: Basis;
}

export interface Accepted {
  /** Changes appended. */
  readonly changes: number;
  /** The chains of the scope, each with `changes` new deliveries; empty if there are no changes. */
  readonly chains: readonly string[];
}

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
  /** In how many crashes in a row it was being worked on. If any, it is handed out alone, or only with its batch. */
  readonly crashes: number;
  /** Never to be gathered with others: see {@link Death.isAlone}. */
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
  /** Milliseconds since the epoch: deliveries and timers due by then are handed out. */
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
  /** When the next one that is neither handed out nor blocked becomes due; undefined if nothing waits. */
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

export interface ParkRequest {
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly attempts: number;
  readonly deferredSince: number | undefined;
  /** Why it waits, for people; must not contain secrets. */
  readonly reason: string;
  /** Wait at this sink for others, until `until` at the latest. */
  readonly gather?: { readonly handler: string; readonly batch?: number | undefined } | undefined;
  /** Set if a handler failed; kept for {@link Store.trip}. */
  readonly failure?: { readonly handler: string; readonly outcome: 'failed' | 'deferred' } | undefined;
}

export interface Death {
  readonly handler: string;
  readonly error: string;
  readonly attempts: number;
  /** A replay is sent by itself: see {@link Delivery.isAlone}. */
  readonly isAlone?: boolean | undefined;
}

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

/** A recorded kind under one version of its API. */
export interface RecordedKind extends Gvk {
  /** The plural in the URL. */
  readonly resource: string;
}

/** A manifest to which baselines or changes refer. */
export interface StoredManifest {
  readonly id: number;
  readonly kind: RecordedKind;
  /** UTF-8 JSON. */
  readonly body: Uint8Array;
}

/** Handlers' edits of a change, kept for branches (see `editsOf`), and the manifests they were made from. */
export interface StoredEdits {
  readonly id: number;
  readonly kind: RecordedKind;
  readonly text: string;
  /** UTF-8 JSON. */
  readonly manifests: readonly Uint8Array[];
}

/** The state that a stateful handler keeps for an object or a group. */
export interface StoredState {
  readonly handler: string;
  readonly queue: string;
  /** JSON. */
  readonly text: string;
}

export interface HeldQuery {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  /** `""` to start with the first. */
  readonly afterKey: string;
  readonly limit: number;
}

export interface HeldManifest {
  readonly key: string;
  /** UTF-8 JSON. */
  readonly body: Uint8Array<ArrayBuffer>;
}

export interface DeadLetter {
  /** The delivery's id. */
  readonly id: number;
  readonly chain: string;
  /** The handler that failed last. */
  readonly handler: string;
  readonly error: string;
  readonly attempts: number;
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
  /** When the change of the oldest pending delivery was seen, milliseconds since the epoch; undefined if none is pending. */
  readonly oldestPendingAt: number | undefined;
}

/** Selects objects; by default all. */
export interface ObjectsQuery {
  readonly group?: string;
  readonly resource?: string;
  /** Exact, or with `*` and `?`. */
  readonly namespace?: string;
  /** Exact, or with `*` and `?`. */
  readonly name?: string;
}

export interface HistoryQuery extends ObjectsQuery {
  /** Changes with a greater id only. */
  readonly afterId?: number;
  /** Changes with a smaller id only. */
  readonly beforeId?: number;
  readonly since?: number;
  readonly key?: string;
  /** A manager in `Change.by`: exact, or with `*` and `?`. */
  readonly by?: string;
  readonly newestFirst?: boolean;
  readonly limit: number;
}

/** See {@link Store.ended}. */
export interface EndedQuery extends ObjectsQuery {
  /** Milliseconds since the epoch. */
  readonly observedBefore?: number;
}

export interface DeadLetterQuery extends ObjectsQuery {
  /** Letters with a greater id only. */
  readonly afterId?: number;
  readonly chain?: string;
  /** The handler that failed last, by its id. */
  readonly handler?: string;
  /** Milliseconds since the epoch. */
  readonly diedBefore?: number;
  readonly limit: number;
}

export interface Retention {
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

/** How long {@link Store.remember} keeps a value after it was last written, in milliseconds. */
export const MEMORY_KEPT_MS = 30 * 24 * 3_600_000;

/** Default retention of the history. */
export const DEFAULT_RETENTION: Retention = { maxAgeMs: 7 * 24 * 3_600_000, maxBytes: 512 * 1024 * 1024 };

export interface Store {
  /** Returns the scope's state, creating it if it is new. Its chains are as given here until the next call. */
  openScope(spec: ScopeSpec): Promise<ScopeState>;
  /** All scopes with a baseline, even if no longer configured. */
  scopes(): Promise<readonly (ScopeKey & ScopeState)[]>;
  /** Forgets baseline and cursor: the scope left the config, or belongs to another cluster. Keeps all else. Appends no change. */
  forgetScope(scope: number): Promise<void>;
  /** A page of the scope's baseline in key order, after `afterKey`. */
  seen(scope: number, afterKey: string | undefined, limit: number): Promise<readonly Seen[]>;
  /** The baseline's manifest of one object, from any scope that holds it; undefined if none does. */
  baseline(group: string, resource: string, key: string): Promise<Uint8Array | undefined>;
  /** A page of the baseline's manifests in key order, of one namespace or, with `""`, of all; each object once. */
  held(query: HeldQuery): Promise<readonly HeldManifest[]>;
  /** A page of all stored manifests, in baselines and history alike, in order of their ids after `afterId`; ids begin above 0. */
  manifests(afterId: number, limit: number): Promise<readonly StoredManifest[]>;
  /**
   * Replaces the bytes of manifests: whatever refers to one shows the new bytes, and errors and reasons that may quote the old
   * ones are forgotten. Digests stay. Appends no change.
   */
  replaceManifests(manifests: readonly Pick<StoredManifest, 'id' | 'body'>[]): Promise<void>;
  /** The same for edits of changes that branches have not delivered yet. */
  edits(afterId: number, limit: number): Promise<readonly StoredEdits[]>;
  replaceEdits(edits: readonly Pick<StoredEdits, 'id' | 'text'>[]): Promise<void>;
  /** The same for the states of stateful handlers, in order of handler and queue, after the given one. */
  states(after: Pick<StoredState, 'handler' | 'queue'> | undefined, limit: number): Promise<readonly StoredState[]>;
  /** Replaces `text` by `by`, except in states that a handler has changed in the meantime. */
  replaceStates(states: readonly (StoredState & { readonly by: string })[]): Promise<void>;

  /** Erases all traces of replaced or removed data. Takes seconds for a large store, and as much room again on its volume. */
  compact(): Promise<void>;
  /**
   * The same for data removed through this store, which must not be the writer. Needs little time and room, so it can run beside
   * a service. Returns false while others read the previous data; then call again.
   */
  erase(): Promise<boolean>;

  /** Sets aside observations of an incomplete list, until {@link discardStaged} or the next accept with `staged`. */
  stage(scope: number, observations: readonly Observation[]): Promise<void>;
  discardStaged(scope: number): Promise<void>;

  /**
   * In one transaction: compares with the baseline, writes it, appends the changes and one delivery per chain, moves the cursor.
   * Equal uid and resourceVersion, or equal uid and digest, is no change. Another uid under the same key: `deleted` and `added`.
   */
  accept(batch: AcceptBatch): Promise<Accepted>;

  /** Claims deliveries that are due and whose predecessors of the same key in this chain have ended. */
  claim(request: ClaimRequest): Promise<Claimed>;
  /** Records that the sink has delivered this change, so that it is never run again for it. */
  checkpoint(delivery: number, handler: string): Promise<void>;
  /** The same for several deliveries, all or none. */
  checkpointAll(deliveries: readonly number[], handler: string): Promise<void>;
  /** Makes these deliveries, claimed from one batch, a fixed batch of their own. Returns its id. */
  fixBatch(deliveries: readonly number[]): Promise<number>;
  /**
   * Ends the delivery. `forks` opens deliveries of the same change in the same transaction. Returns whether its
   * chain has more to claim: a successor that this has freed, or a wake-up.
   */
  complete(delivery: number, end: End, writes?: StateWrites, forks?: Forks): Promise<boolean>;
  /**
   * Ends deliveries of one group that were handed out together, in order, all or none. `writes` are the final decisions of their
   * handlers. `next`, if given, was claimed with them and is now ready, ahead of any other. Returns the same as {@link complete}.
   */
  completeAll(ends: readonly GroupEnd[], writes: StateWrites, next: number | undefined): Promise<boolean>;
  /** Makes it wait without a slot until `until`. Successors of the key keep waiting. */
  park(delivery: number, park: ParkRequest): Promise<void>;
  /** Hands it back unchanged, as on shutdown. `perhapsSent`: it was interrupted, and must never be merged with others. */
  release(delivery: number, perhapsSent?: boolean): Promise<void>;
  /**
   * Moves this claimed delivery from the queue of its object to that of the group, where its id determines its place. It stays
   * there through retries and replays; branches use the object's order again. `states`: these handlers' states for the group;
   * undefined if the group is busy, and the delivery was released. `freed`: a successor of its object has become due.
   */
  join(delivery: number, group: string, handlers: readonly string[]): Promise<Joined>;
  /** Makes it a dead letter. `forks` opens deliveries that report this, in the same transaction. */
  deadLetter(delivery: number, death: Death, forks?: Forks): Promise<void>;

  /** In order of id. */
  deadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]>;
  deadLetterOf(id: number): Promise<DeadLetter | undefined>;
  /** Puts back into the chain with the same change and key, `replayed` set, attempts at 0. Returns the ids of dead letters. */
  replay(ids: readonly number[]): Promise<readonly number[]>;
  /** Returns the ids that were dead letters. `withChanges`: also forgets their changes, unless another delivery needs them. */
  discard(ids: readonly number[], options?: { readonly withChanges?: boolean }): Promise<readonly number[]>;

  history(query: HistoryQuery): Promise<readonly Change[]>;
  /** What happened to a change; undefined if there is none with this id, or no longer. */
  trip(change: number): Promise<Trip | undefined>;
  /** All kinds that a scope or a change ever had, in no particular order. */
  kinds(): Promise<readonly RecordedKind[]>;
  /**
   * Removes ended changes beyond the retention, oldest first; never one that is pending or a dead letter. Returns how many, which
   * is limited per call: repeat until it is 0.
   */
  prune(retention: Retention, now: number): Promise<number>;
  /** Ids of changes without a pending delivery or dead letter, in accept order. */
  ended(query: EndedQuery): Promise<readonly number[]>;
  /** Removes these changes and all their traces, except those a delivery needs. Returns the removed ids. The sums of P8 stay. */
  forget(changes: readonly number[]): Promise<readonly number[]>;
  balances(): Promise<readonly Balance[]>;

  /** All states of a stateful handler, one per object or group, in no particular order. */
  statesOf(handler: string): Promise<readonly Json[]>;
  /** The value that a sink has stored under a key; undefined if there is none. */
  recall(handler: string, key: string): Promise<Json | undefined>;
  /** Stores a value for {@link MEMORY_KEPT_MS}; `null` forgets it. */
  remember(handler: string, key: string, value: Json | null): Promise<void>;

  /** To be called when the store passes to another cluster: changes until now keep `cluster` as theirs. */
  leaveCluster(cluster: Change['cluster']): Promise<void>;

  /** Small durable facts of the whole store, such as the cluster's identity. */
  getFact(name: string): Promise<string | undefined>;
  setFact(name: string, value: string): Promise<void>;

  /** Waits for pending calls, then closes. */
  close(): Promise<void>;
}

/** What an implementation stores of a change; a {@link Change} is made from it lazily. */
export interface ChangeRecord {
  readonly id: number;
  readonly action: Change['action'];
  readonly gvk: Gvk;
  readonly resource: string;
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
  /** JSON array of `Actor`. */
  readonly actors: string;
  readonly observedAt: number;
  readonly flags: ChangeFlags;
  /** JSON of its cluster if that is not the store's (see {@link Store.leaveCluster}). */
  readonly cluster: string | undefined;
}
