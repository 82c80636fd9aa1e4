/**
 * The Store contract: what was seen, what is owed, what became of it. One conformance suite
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
  /** `""`: all namespaces, or a resource that has none; `shop`: one; `qa-*,team-*`: those that any of them matches. */
  readonly namespace: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

export interface ScopeSpec extends ScopeKey {
  readonly version: string;
  readonly kind: string;
  /** The deliveries that each change of this scope becomes: one per chain. */
  readonly chains: readonly string[];
}

/** How the bodies and digests of a scope's baseline were made. When it differs from today's, the baseline is made anew, silently. */
export interface Basis {
  /** Earlier versions left it out. */
  readonly kind?: string;
  readonly version: string;
  readonly interest: Interest;
  /** Fingerprint of the redaction key: digests that were made with another cannot be compared. */
  readonly redaction: string;
}

export interface ScopeState {
  readonly id: number;
  /** Where the watch goes on; undefined until the first list was complete. */
  readonly cursor: string | undefined;
  /** Undefined until the first list was complete. */
  readonly basis: Basis | undefined;
  readonly objects: number;
}

/** What the source keeps in memory of each object, to tell noise without a question to the store. */
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
  /** In the order in which the cluster showed them. */
  readonly observations: readonly Observation[];
  /** The resourceVersion to go on from when this batch is durable; undefined leaves the cursor where it is. */
  readonly cursor?: string;
  /** Accept what was staged (see {@link Store.stage}) before `observations`: the end of a list. */
  readonly staged?: true;
  /** The list is whole: today's basis becomes the scope's. */
  readonly basis?: Basis;
}

export interface Accepted {
  /** Changes appended. */
  readonly changes: number;
  /** New deliveries, the same for each chain of the scope: `changes`, by chain. */
  readonly chains: readonly string[];
}

/** One change on its way through one chain (or branch: `chain/branch`). At most one per chain and key, or group, is handed out at a time. */
export interface Delivery {
  readonly id: number;
  readonly chain: string;
  /** In a branch as the handlers before it passed it; else as it was accepted. */
  readonly change: Change;
  /** In a branch: what the handlers before it replaced. */
  readonly edited: readonly EditedPart[];
  /** Failed attempts so far. */
  readonly attempts: number;
  /** Since when it has been deferred without an attempt in between, milliseconds since the epoch. */
  readonly deferredSince: number | undefined;
  /** In how many crashes in a row it was being worked on. Those of which it was in one are handed out alone, or with their batch alone. */
  readonly crashes: number;
  /** It is never gathered with others: see {@link Death.isAlone}. */
  readonly isAlone: boolean;
  /** Ids of the sinks that have delivered this change already. */
  readonly delivered: readonly string[];
  /** State of the stateful handlers for this key, or this group, by handler id. */
  readonly states: ReadonlyMap<string, Json>;
  /** For a `timer`: the id of the handler that asked for it. */
  readonly timerOf: string | undefined;
  /** Whose order and state it has in place of the object's: see {@link Store.join}. */
  readonly group: string | undefined;
  /** It was handed out with the one before it in the list, of the same group, and its turn comes when that one has ended; it has the states that that one leaves. */
  readonly isBehind: boolean;
  /** Of its manifests, as they are stored. */
  readonly bytes: number;
}

export interface ClaimRequest {
  readonly chain: string;
  readonly limit: number;
  /** Milliseconds since the epoch: what is due until then is handed out, timers too. */
  readonly now: number;
  /** Handlers whose state comes with the delivery. */
  readonly stateful: readonly string[];
  /** How many of those that are handed out the chain runs at once, in the order of getting them: after a crash these are suspects. Default: all. */
  readonly atOnce?: number;
  /** Whether a batch is wanted, too. Default: none. */
  readonly batch?: boolean;
  /** How many that wait in a group are handed out with the one whose turn it is, beyond `limit`. Default: none. */
  readonly behind?: number;
  /**
   * Whether changes of one object that waited for ten seconds and more, none of them attempted, are handed out as one:
   * `compacted`, from the first `before` to the newest `after`, made by all their managers. Those that cancel out are not
   * handed out at all. Default: no.
   */
  readonly coalesce?: boolean;
  /** What the wall clock says, by which changes were seen: how long they have waited. Default: `now`. */
  readonly wallNow?: number;
}

/** Deliveries that waited at one sink, to be told together. */
export interface Batch {
  /** The sink's id. */
  readonly handler: string;
  /** Set once its members are fixed: then they are always handed out together. */
  readonly id: number | undefined;
  /** In accept order; at most 1,000, and fewer when their manifests are large, until they are fixed. */
  readonly deliveries: readonly Delivery[];
}

export interface Claimed {
  /** In accept order among those that are due. They stay claimed until complete, park, deadLetter or release; a crash releases them. */
  readonly deliveries: readonly Delivery[];
  /** Of those parked with `gather`, the ones that wait at the sink whose first is due; claimed like the others. */
  readonly batch: Batch | undefined;
  /** Whether some wait at a sink, this batch included; false when no batch was wanted. */
  readonly hasGathered: boolean;
  /** How many have ended as superseded. */
  readonly superseded: number;
  /** When the next one that is neither handed out nor blocked becomes due; undefined: nothing waits. */
  readonly nextDueAt: number | undefined;
}

/** See {@link Store.join}. */
export interface Joined {
  readonly states: ReadonlyMap<string, Json> | undefined;
  readonly freed: boolean;
}

/** What stateful handlers decided, committed together with the end of the delivery; a park has none. */
export interface StateWrites {
  /** By handler id; `null` forgets the state for this key. */
  readonly states?: ReadonlyMap<string, Json>;
  /** Durable wake-ups: at most one per handler and key, or group, a later call replaces an earlier one; `at: null` cancels. */
  readonly wakeUps?: readonly { readonly handler: string; readonly key: string; readonly at: number | null }[];
}

export type End =
  { readonly kind: 'completed' } | { readonly kind: 'halted'; readonly by: string; readonly reason: string };

/** Of one of several: see {@link Store.completeAll}. */
export interface GroupEnd {
  readonly delivery: number;
  readonly end: End;
}

/** Where a change goes on when its delivery is completed. */
export interface Forks {
  /** A delivery each. */
  readonly chains: readonly string[];
  /** What the handlers made of the change (see `editsOf`); undefined: the branches get it as this delivery did. */
  readonly edits?: string | undefined;
}

export interface ParkRequest {
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly attempts: number;
  readonly deferredSince: number | undefined;
  /** Why it waits, for people: no secret. */
  readonly reason: string;
  /** Wait at this sink for others; then `until` is when it waits no longer. */
  readonly gather?: { readonly handler: string; readonly batch?: number | undefined } | undefined;
  /** When a handler failed: kept for {@link Store.trip}. */
  readonly failure?: { readonly handler: string; readonly outcome: 'failed' | 'deferred' } | undefined;
}

export interface Death {
  readonly handler: string;
  readonly error: string;
  readonly attempts: number;
  /** A replay is told by itself: see {@link Delivery.isAlone}. */
  readonly isAlone?: boolean | undefined;
}

/** One thing that went wrong on the way of a delivery. */
export interface Failure {
  /** `failed` spent an attempt, `deferred` did not, `dead` was the last. */
  readonly outcome: 'failed' | 'deferred' | 'dead';
  /** Which attempt it was, from 1 on; a replay counts from 1 again. */
  readonly attempt: number;
  readonly handler: string;
  readonly error: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** How often in a row, for deferrals, the last time at `lastAt`. */
  readonly times: number;
  readonly lastAt: number;
}

/** What became of a change in one chain or branch. */
export interface DeliveryTrip {
  readonly id: number;
  readonly chain: string;
  /** `ready` waits for a free slot or is running now, `blocked` waits for an earlier change of its object, `parked` for a time. */
  readonly state: 'ready' | 'blocked' | 'parked' | 'dead' | 'completed' | 'halted' | 'superseded' | 'discarded';
  /** Who halted it, or failed last. */
  readonly handler: string | undefined;
  /** Why it was halted or waits, or its last error. */
  readonly reason: string | undefined;
  /** Failed attempts, since the last replay. */
  readonly attempts: number;
  /** Ids of the sinks whose success was checkpointed; what completed has passed all of them. */
  readonly delivered: readonly string[];
  /** Of a parked one, milliseconds since the epoch. */
  readonly dueAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly replayed: boolean;
  /** It tells of this change and those in between as well: they were merged under overload. */
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

/** What was recorded: a kind under a version of its API. */
export interface RecordedKind extends Gvk {
  /** The plural in the URL. */
  readonly resource: string;
}

/** A manifest that a baseline, a change or several of them refer to. */
export interface StoredManifest {
  readonly id: number;
  readonly kind: RecordedKind;
  /** UTF-8 JSON. */
  readonly body: Uint8Array;
}

/** What handlers made of a change, kept for branches (see `editsOf`), and the manifests that it was made of. */
export interface StoredEdits {
  readonly id: number;
  readonly kind: RecordedKind;
  readonly text: string;
  /** UTF-8 JSON. */
  readonly manifests: readonly Uint8Array[];
}

/** What a stateful handler keeps of an object or a group of them. */
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
  /** `""`: from the first on. */
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
  /** Every death that was not discarded; kept as dead letters now are `dead - replayed`. */
  readonly dead: number;
  readonly superseded: number;
  readonly discarded: number;
  readonly pending: number;
  /** When the change of the pending delivery that was opened first was seen, milliseconds since the epoch; undefined: none is pending. */
  readonly oldestPendingAt: number | undefined;
}

/** Which objects are asked for; without a word, all. */
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

/** How long {@link Store.remember} lasts when nothing is written again, in milliseconds. */
export const MEMORY_KEPT_MS = 30 * 24 * 3_600_000;

/** Default retention of the history. */
export const DEFAULT_RETENTION: Retention = { maxAgeMs: 7 * 24 * 3_600_000, maxBytes: 512 * 1024 * 1024 };

export interface Store {
  /** The scope's state, made when it is new. Its chains are as given here until the next call. */
  openScope(spec: ScopeSpec): Promise<ScopeState>;
  /** Every scope that has a baseline, whether the config still has it or not. */
  scopes(): Promise<readonly (ScopeKey & ScopeState)[]>;
  /** Forget baseline and cursor: a scope that left the config, or another cluster. Pending deliveries and history stay. Appends no change. */
  forgetScope(scope: number): Promise<void>;
  /** A page of the scope's baseline in key order, after `afterKey`. */
  seen(scope: number, afterKey: string | undefined, limit: number): Promise<readonly Seen[]>;
  /** The baseline's manifest of one object, from whichever scope holds it; undefined when none does. */
  baseline(group: string, resource: string, key: string): Promise<Uint8Array | undefined>;
  /** A page of the baseline's manifests in key order, of one namespace or, with `""`, of all: what is watched now, each once. */
  held(query: HeldQuery): Promise<readonly HeldManifest[]>;
  /** A page of what is stored of objects, in baselines and history alike, by number after `afterId`; the first is above 0. */
  manifests(afterId: number, limit: number): Promise<readonly StoredManifest[]>;
  /**
   * Other bytes for the same manifests: whatever refers to one shows the new bytes, and errors and reasons that may quote the old ones
   * are forgotten. Digests stay. Appends no change.
   */
  replaceManifests(manifests: readonly Pick<StoredManifest, 'id' | 'body'>[]): Promise<void>;
  /** The same of what was made of changes that branches have not told yet. */
  edits(afterId: number, limit: number): Promise<readonly StoredEdits[]>;
  replaceEdits(edits: readonly Pick<StoredEdits, 'id' | 'text'>[]): Promise<void>;
  /** The same of what stateful handlers keep, in order of handler and queue, after one of them. */
  states(after: Pick<StoredState, 'handler' | 'queue'> | undefined, limit: number): Promise<readonly StoredState[]>;
  /** But for those that a handler has replaced since they were `text`. */
  replaceStates(states: readonly (StoredState & { readonly by: string })[]): Promise<void>;

  /** Leaves no trace of what was replaced or removed; takes seconds for a large store, and as much room again on its volume. */
  compact(): Promise<void>;
  /**
   * The same for what was removed through this store, which must not be the writer, in little time and room: for beside a service.
   * False: others are reading what was there before; ask again.
   */
  erase(): Promise<boolean>;

  /** Put aside observations of a list that is not complete yet; {@link discardStaged} or the next accept with `staged` ends it. */
  stage(scope: number, observations: readonly Observation[]): Promise<void>;
  discardStaged(scope: number): Promise<void>;

  /**
   * In one transaction: compare with the baseline, write it, append the changes and one delivery per chain, move the cursor.
   * Equal uid and resourceVersion, or equal uid and digest: no change. Another uid under the same key: `deleted` and `added`.
   */
  accept(batch: AcceptBatch): Promise<Accepted>;

  /** Deliveries that are due and whose predecessors of the same key (in this chain) have ended. */
  claim(request: ClaimRequest): Promise<Claimed>;
  /** The sink has delivered this change: it is never run again for it. */
  checkpoint(delivery: number, handler: string): Promise<void>;
  /** The same for all of them, or for none. */
  checkpointAll(deliveries: readonly number[], handler: string): Promise<void>;
  /** These, which are claimed from one batch, are a batch of their own from now on. Answers its id. */
  fixBatch(deliveries: readonly number[]): Promise<number>;
  /**
   * The delivery's one end. `forks` opens deliveries of the same change in the same transaction. Answers whether its
   * chain has more to ask for: a successor that this has freed, or a wake-up.
   */
  complete(delivery: number, end: End, writes?: StateWrites, forks?: Forks): Promise<boolean>;
  /**
   * The ends of deliveries of one group that were handed out together, in order, all or none, with what was decided on the way
   * (`writes`: of the last who decided). `next`, if any, is claimed with them: its turn comes, whoever else waits. Answers as {@link complete}.
   */
  completeAll(ends: readonly GroupEnd[], writes: StateWrites, next: number | undefined): Promise<boolean>;
  /** Wait without a slot: due again at `until`. Successors of the key go on waiting. */
  park(delivery: number, park: ParkRequest): Promise<void>;
  /** Hand back unfinished, as it was: shutdown. `perhapsSent`: it was begun, and cut off; it is never merged with others then. */
  release(delivery: number, perhapsSent?: boolean): Promise<void>;
  /**
   * From now on this delivery, which is claimed, waits for those of its group in place of those of its object; its place among them
   * is that of its id. It stays so through retries and replays; branches have the object's order again. `states`: of these handlers
   * for the group; undefined: the group is busy, and the delivery was handed back. `freed`: a successor of its object has become due.
   */
  join(delivery: number, group: string, handlers: readonly string[]): Promise<Joined>;
  /** `forks` tell others of it, in the same transaction. */
  deadLetter(delivery: number, death: Death, forks?: Forks): Promise<void>;

  /** In order of id. */
  deadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]>;
  deadLetterOf(id: number): Promise<DeadLetter | undefined>;
  /** Back to the chain with the same change and key, `replayed` set, attempts at 0. Answers the ids that were dead letters. */
  replay(ids: readonly number[]): Promise<readonly number[]>;
  /** Answers the ids that were dead letters. `withChanges`: their changes are forgotten, unless another delivery needs them. */
  discard(ids: readonly number[], options?: { readonly withChanges?: boolean }): Promise<readonly number[]>;

  history(query: HistoryQuery): Promise<readonly Change[]>;
  /** What became of a change; undefined when there is none of this id, or no longer. */
  trip(change: number): Promise<Trip | undefined>;
  /** Every kind that a scope or a change had, in no order. */
  kinds(): Promise<readonly RecordedKind[]>;
  /** Remove ended changes beyond the retention, oldest first; never one that is pending or a dead letter. Answers how many: a bounded number, call again while it is not 0. */
  prune(retention: Retention, now: number): Promise<number>;
  /** Ids of the changes that no delivery needs any more: none of theirs is pending or a dead letter. In accept order. */
  ended(query: EndedQuery): Promise<readonly number[]>;
  /** Removes these changes with all that became of them, but for those that a delivery needs. Answers which. The sums of P8 stay. */
  forget(changes: readonly number[]): Promise<readonly number[]>;
  balances(): Promise<readonly Balance[]>;

  /** What a stateful handler keeps, by its id: of each object or group one, in no order. */
  statesOf(handler: string): Promise<readonly Json[]>;
  /** What a sink has kept for itself under a key; undefined when there is nothing. */
  recall(handler: string, key: string): Promise<Json | undefined>;
  /** Kept for {@link MEMORY_KEPT_MS}; `null` forgets it. */
  remember(handler: string, key: string, value: Json | null): Promise<void>;

  /** From now on the store is of another cluster: changes until now stay those of `cluster`, which they say when they are told. */
  leaveCluster(cluster: Change['cluster']): Promise<void>;

  /** Small durable facts of the whole store, such as the cluster's identity. */
  getFact(name: string): Promise<string | undefined>;
  setFact(name: string, value: string): Promise<void>;

  /** Waits for what was called, then closes. */
  close(): Promise<void>;
}

/** What an implementation stores of a change; {@link Change} is made of it lazily. */
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
  /** JSON of the cluster that it is of, where that is not the store's (see {@link Store.leaveCluster}). */
  readonly cluster: string | undefined;
}
