/**
 * The Store contract: baselines, deliveries and their history. One conformance suite
 * (`conformance.ts` beside this file) runs on every implementation.
 *
 * All methods may be called concurrently; each is one transaction, durable when its promise resolves, except `discard`, `forget`
 * and `prune`, which may take several. Calls take effect in the order in which they were made.
 *
 * A call rejects with a `StoreError`, whose `code` says what to do about it (see store-error.ts): with `STORE_CLOSED` after
 * {@link Store.close}, and with `STORE_REFUSED` if it ends, parks or hands back a delivery that is not claimed.
 *
 * Times are milliseconds since the epoch: `until`, `dueAt`, `nextDueAt`, `deferredSince`, the times of wake-ups and the `now` of a
 * claim by {@link Clock.steady}, the others by {@link Clock.now}. A `limit` is the most rows that are returned.
 */
import type { Change } from '../change.ts';
import type { Json } from '../json.ts';
import type {
  ClaimRequest,
  Claimed,
  Death,
  End,
  Forks,
  GroupEnd,
  Joined,
  ParkRequest,
  Sequel,
  StateWrites,
} from './delivery.ts';
import type {
  Balance,
  DeadLetter,
  DeadLetterQuery,
  EndedQuery,
  HistoryQuery,
  Retention,
  Trip,
} from './looking-back.ts';
import type { AcceptBatch, Accepted, Observation, ScopeKey, ScopeSpec, ScopeState, Seen } from './scope.ts';
import type {
  HeldManifest,
  HeldQuery,
  NewBody,
  NewEdits,
  NewState,
  RecordedKind,
  StateId,
  StoredEdits,
  StoredManifest,
  StoredState,
} from './stored.ts';

/** How long {@link Store.remember} keeps a value after it was last written, in milliseconds. */
export const MEMORY_KEPT_MS = 30 * 24 * 3_600_000;

export interface Store {
  /** Returns the scope's state, creating it if it is new. Its chains are as given here until the next call. */
  openScope(spec: ScopeSpec): Promise<ScopeState>;
  /** All scopes with a baseline, even if no longer configured, in the order in which they were first opened. */
  scopes(): Promise<readonly (ScopeKey & ScopeState)[]>;
  /** Forgets baseline and cursor: the scope left the config, or belongs to another cluster. Keeps all else. Appends no change. */
  forgetScope(scope: number): Promise<void>;
  /** A page of the scope's baseline in key order, after `afterKey`; undefined: the first page. */
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
  replaceManifests(manifests: readonly NewBody[]): Promise<void>;
  /** The same for edits of changes that branches have not delivered yet. */
  edits(afterId: number, limit: number): Promise<readonly StoredEdits[]>;
  replaceEdits(edits: readonly NewEdits[]): Promise<void>;
  /** The same for the states of stateful handlers, in order of handler and queue, after the given one. */
  states(after: StateId | undefined, limit: number): Promise<readonly StoredState[]>;
  /** Replaces `text` by `by`, except in states that a handler has changed in the meantime. */
  replaceStates(states: readonly NewState[]): Promise<void>;

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
   * Ends the delivery; in the same transaction, `writes` are stored and `forks` opens deliveries of the same change. Returns whether
   * its chain has more to claim: a successor that this has freed, or a wake-up.
   */
  complete(delivery: number, end: End, sequel?: Sequel): Promise<boolean>;
  /**
   * Ends deliveries of one group that were handed out together, in order, all or none. `writes` are the final decisions of their
   * handlers. `next`, if given, was claimed with them and is now ready, ahead of any other. Returns the same as {@link complete}.
   */
  completeAll(ends: readonly GroupEnd[], writes: StateWrites, next: number | undefined): Promise<boolean>;
  /** Makes it wait without a slot until `until`. Successors of the key keep waiting. */
  park(delivery: number, park: ParkRequest): Promise<void>;
  /**
   * Makes what is parked without any failure due now: held on purpose, or for a rate that another configuration may not have.
   * What waits at a sink for others goes on waiting.
   */
  endWaits(chain: string): Promise<void>;
  /** Hands it back unchanged, as on shutdown. `perhapsSent`: it was interrupted, and must never be merged or gathered with others. */
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
  /** Undefined if there is no delivery with this id, or it is no dead letter. */
  deadLetterOf(id: number): Promise<DeadLetter | undefined>;
  /** Puts back into the chain with the same change and key, `replayed` set, attempts at 0. Returns the ids that were dead letters. */
  replay(ids: readonly number[]): Promise<readonly number[]>;
  /** Returns the ids that were dead letters. `withChanges`: also forgets their changes, unless another delivery needs them. */
  discard(ids: readonly number[], options?: { readonly withChanges?: boolean }): Promise<readonly number[]>;

  /** Accepted changes, whatever became of them, in order of id; without those that are wake-ups. */
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
  /** One for each chain and branch that ever had a delivery, in order of name. */
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
  /** @param name not one that begins with `store.`: those are the store's own */
  setFact(name: string, value: string): Promise<void>;

  /** Waits for pending calls, then closes. */
  close(): Promise<void>;
}
