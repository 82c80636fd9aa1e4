/** The operations of the store by name, on one synchronous connection, with what the engine must know about each. */
import type { DatabaseSync } from 'node:sqlite';
import type { Change } from '../change.ts';
import { Acceptor, type PackedBatch } from './accept.ts';
import { Baseline } from './baseline.ts';
import { Bodies } from './bodies.ts';
import { Claims, type ClaimedRecords } from './claims.ts';
import type { Counters } from './counters.ts';
import type { Crashes } from './crashes.ts';
import { removeOlderVersions, vacuum } from './database.ts';
import { DeadLetters, type DeadLetterRecord } from './dead-letters.ts';
import { Deliveries } from './deliveries.ts';
import { Edits } from './edits.ts';
import type { Facts } from './facts.ts';
import { Failures } from './failures.ts';
import { Gathered } from './gathered.ts';
import { HandlerMemory } from './handler-memory.ts';
import { History } from './history.ts';
import { Merging } from './merging.ts';
import type { PackedObservations } from './observations.ts';
import { Changes, Kinds } from './records.ts';
import { MEMORY_KEPT_MS } from './store.ts';
import type { ChangeRecord } from './change-of.ts';
import type { ClaimRequest, Death, End, Forks, GroupEnd, ParkRequest, Sequel, StateWrites } from './delivery.ts';
import type { DeadLetterQuery, EndedQuery, HistoryQuery, Retention } from './looking-back.ts';
import type { ScopeSpec } from './scope.ts';
import type { HeldQuery, NewBody, NewEdits, NewState, StateId } from './stored.ts';
import { SinkMemory } from './sink-memory.ts';
import { Staging } from './staging.ts';
import { Trips, type TripRecord } from './trips.ts';

/** Arguments and results must be cloneable to another thread. */
export type Operations = ReturnType<typeof operationsOf>;

export interface Operation<Args extends unknown[], Result> {
  readonly run: (...args: Args) => Result;
  /** Reads run outside a transaction, so that a batch of them costs no fsync. */
  readonly writes: (...args: Args) => boolean;
  /** The buffers of a result, to be transferred instead of copied. */
  readonly buffers: (result: Result) => (ArrayBuffer | undefined)[];
}

function read<A extends unknown[], R>(
  run: (...args: A) => R,
  buffers: Operation<A, R>['buffers'] = () => [],
): Operation<A, R> {
  return { run, buffers, writes: () => false };
}

function write<A extends unknown[], R>(run: (...args: A) => R): Operation<A, R> {
  return { run, buffers: () => [], writes: () => true };
}

export function operationsOf(db: DatabaseSync, facts: Facts, counters: Counters, crashes: Crashes) {
  const kinds = new Kinds(db);
  const bodies = new Bodies(db);
  const changes = new Changes(db);
  const failures = new Failures(db);
  const baseline = new Baseline(db, { bodies, kinds });
  const staging = new Staging(db, bodies);
  const edits = new Edits(db);
  const memory = new HandlerMemory(db, changes);
  // Creates a table that claims read.
  const merging = new Merging(db, counters);
  const gathered = new Gathered(db);
  const parts = { counters, crashes, edits, gathered, memory, merging };
  const deliveries = new Deliveries(db, { ...parts, failures });
  const claims = new Claims(db, { ...parts, deliveries });
  const history = new History(db, { bodies, facts, failures });
  const deadLetters = new DeadLetters(db, { deliveries, counters, edits, history, merging });
  const trips = new Trips(db, failures);
  const sinkMemory = new SinkMemory(db);
  const acceptor = new Acceptor({ baseline, bodies, changes, deliveries, facts, staging });
  return {
    openScope: write((spec: ScopeSpec) => {
      const state = baseline.open(spec);
      staging.discard(state.id);
      return state;
    }),
    scopes: read(() => baseline.scopes()),
    forgetScope: write((scope: number) => {
      staging.discard(scope);
      baseline.forget(scope);
    }),
    seen: read((scope: number, afterKey: string | undefined, limit: number) => baseline.seen(scope, afterKey, limit)),
    baseline: read(
      (group: string, resource: string, key: string) => baseline.find(group, resource, key),
      (body) => [body?.buffer],
    ),
    held: read(
      (query: HeldQuery) => baseline.held(query),
      (rows) => rows.map(({ body }) => body.buffer),
    ),
    manifests: read(
      (afterId: number, limit: number) => bodies.page(afterId, limit),
      (rows) => rows.map(({ body }) => body.buffer),
    ),
    replaceManifests: write((rows: readonly NewBody[]) => {
      for (const { id, body } of rows) bodies.replace(id, body);
      failures.blank(rows.map(({ id }) => id));
    }),
    edits: read((afterId: number, limit: number) => edits.page(afterId, limit)),
    replaceEdits: write((rows: readonly NewEdits[]) => {
      for (const { id, text } of rows) edits.replace(id, text);
    }),
    states: read((after: StateId | undefined, limit: number) => memory.page(after, limit)),
    replaceStates: write((rows: readonly NewState[]) => {
      for (const row of rows) memory.replace(row);
    }),
    // Reads, as neither VACUUM nor copying the log works in a transaction. The log and copies from before a migration hold old bytes
    // too; the room of the copies is needed first.
    compact: read(() => {
      removeOlderVersions(db);
      vacuum(db);
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    }),
    // Removed rows have already been overwritten: see openDatabase.
    erase: read(() => {
      removeOlderVersions(db);
      return db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] === 0;
    }),
    stage: write((scope: number, observations: PackedObservations) =>
      staging.add(scope, baseline.scope(scope).kind, observations),
    ),
    discardStaged: write((scope: number) => staging.discard(scope)),
    accept: write((batch: PackedBatch, now: number) => acceptor.accept(batch, now)),
    claim: {
      run: (request: ClaimRequest) => claims.claim(request),
      writes: (request: ClaimRequest) => claims.mustWrite(request),
      buffers: ({ deliveries: single, batch }: ClaimedRecords) => [
        ...buffersOf(single),
        ...buffersOf(batch?.deliveries ?? []),
      ],
    },
    checkpointAll: write((ids: readonly number[], handler: string) => deliveries.checkpointAll(ids, handler)),
    fixBatch: write((ids: readonly number[]) => gathered.fix(ids)),
    checkpoint: write((delivery: number, handler: string) => deliveries.checkpoint(delivery, handler)),
    complete: write((delivery: number, end: End, now: number, sequel: Sequel) =>
      deliveries.complete(delivery, end, now, sequel),
    ),
    completeAll: write((ends: readonly GroupEnd[], now: number, writes: StateWrites, next: number | undefined) =>
      deliveries.completeAll(ends, now, writes, next),
    ),
    park: write((delivery: number, park: ParkRequest, now: number, dueSince: number | undefined) =>
      deliveries.park(delivery, park, now, dueSince),
    ),
    endWaits: write((chain: string, now: number, dueAt: number) => deliveries.endWaits(chain, now, dueAt)),
    // Which deliveries are claimed is in temporary tables only.
    release: {
      run: (delivery: number, perhapsSent: boolean) => deliveries.release(delivery, perhapsSent),
      writes: (_delivery: number, perhapsSent: boolean) => perhapsSent,
      buffers: () => [],
    },
    join: write((delivery: number, group: string, handlers: readonly string[]) =>
      deliveries.join(delivery, group, handlers),
    ),
    deadLetter: write((delivery: number, death: Death, now: number, forks?: Forks) =>
      deliveries.deadLetter(delivery, death, now, forks),
    ),
    deadLetters: read((query: DeadLetterQuery) => deadLetters.list(query), buffersOf),
    deadLetterOf: read(
      (id: number) => deadLetters.get(id),
      (letter: DeadLetterRecord | undefined) => (letter === undefined ? [] : buffersOf([letter])),
    ),
    replay: write((ids: readonly number[], now: number) => deadLetters.replay(ids, now)),
    discard: write((ids: readonly number[], withChanges: boolean) => deadLetters.discard(ids, withChanges)),
    history: read(
      (query: HistoryQuery) => history.query(query),
      (records: ChangeRecord[]) => buffersOf(records.map((record) => ({ record }))),
    ),
    trip: read(
      (change: number) => trips.of(change),
      (trip: TripRecord | undefined) => (trip === undefined ? [] : buffersOf([trip])),
    ),
    kinds: read(() => kinds.all()),
    statesOf: read((handler: string) => memory.all(handler)),
    recall: read((handler: string, key: string) => sinkMemory.recall(handler, key)),
    remember: write((handler: string, key: string, value: string | undefined, now: number) =>
      sinkMemory.remember(handler, key, value, now),
    ),
    prune: write((retention: Retention, now: number, from: number) => {
      sinkMemory.forgetBefore(now - MEMORY_KEPT_MS);
      return history.prune(retention, now, from);
    }),
    ended: read((query: EndedQuery) => history.ended(query)),
    forget: write((changes: readonly number[]) => history.forget(changes)),
    balances: read((now: number) => counters.balances(now)),
    leaveCluster: write((cluster: Change['cluster']) => changes.leaveCluster(cluster)),
    getFact: read((name: string) => facts.get(name)),
    setFact: write((name: string, value: string) => facts.set(name, value)),
    end: write(() => crashes.end()),
  };
}

function buffersOf(items: readonly { readonly record: ChangeRecord }[]): (ArrayBuffer | undefined)[] {
  return items.flatMap(({ record: { before, after } }) => [
    before?.buffer as ArrayBuffer | undefined,
    after?.buffer as ArrayBuffer | undefined,
  ]);
}
