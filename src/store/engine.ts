/**
 * The store as one synchronous object, for the worker: every operation by name, and how a batch of them becomes one transaction.
 */
import type { DatabaseSync } from 'node:sqlite';
import { Acceptor, type PackedBatch } from './accept.ts';
import { Baseline } from './baseline.ts';
import { Bodies } from './bodies.ts';
import { Counters } from './counters.ts';
import { Crashes } from './crashes.ts';
import { removeOlderVersions } from './database.ts';
import { DeadLetters, type DeadLetterRecord } from './dead-letters.ts';
import { Deliveries, type ClaimedRecords } from './deliveries.ts';
import { Edits } from './edits.ts';
import { beginEpoch, type Term } from './epoch.ts';
import { Facts } from './facts.ts';
import { FullDisk } from './full-disk.ts';
import { HandlerMemory } from './handler-memory.ts';
import { History } from './history.ts';
import type { PackedObservations } from './observations.ts';
import { Kinds } from './records.ts';
import { MEMORY_KEPT_MS } from './store.ts';
import type {
  ChangeRecord,
  ClaimRequest,
  DeadLetterQuery,
  Death,
  End,
  EndedQuery,
  Forks,
  GroupEnd,
  HeldManifest,
  HeldQuery,
  HistoryQuery,
  ParkRequest,
  Retention,
  ScopeSpec,
  StateWrites,
  StoredEdits,
  StoredManifest,
} from './store.ts';
import { SinkMemory } from './sink-memory.ts';
import { Trips, type TripRecord } from './trips.ts';
import { isFatal, sqliteCodeOf, SQLITE_FULL, StoreError } from './store-error.ts';
import { codeOf, toError } from '../errors.ts';

/** Operations by name, with what {@link Engine.run} must know about them. Arguments and results can be cloned to another thread. */
export type Operations = ReturnType<typeof operationsOf>;

interface Operation<Args extends unknown[], Result> {
  readonly run: (...args: Args) => Result;
  /** Reads run outside a transaction, so that a batch of them costs no fsync. */
  readonly writes: (...args: Args) => boolean;
  /** The buffers of a result, to be moved instead of copied. */
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

function operationsOf(db: DatabaseSync, facts: Facts, crashes: Crashes) {
  const bodies = new Bodies(db);
  const counters = new Counters(db);
  const baseline = new Baseline(db, bodies);
  const edits = new Edits(db);
  const deliveries = new Deliveries(db, counters, edits, crashes);
  const history = new History(db, bodies, facts);
  const deadLetters = new DeadLetters(db, { deliveries, counters, edits, history });
  const trips = new Trips(db);
  const kinds = new Kinds(db);
  const memory = new SinkMemory(db);
  const states = new HandlerMemory(db);
  const acceptor = new Acceptor(db, { baseline, bodies, deliveries, facts });
  const { staging } = acceptor;
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
      (rows: HeldManifest[]) => rows.map(({ body }) => body.buffer as ArrayBuffer),
    ),
    manifests: read(
      (afterId: number, limit: number) => bodies.page(afterId, limit),
      (rows: StoredManifest[]) => rows.map(({ body }) => body.buffer as ArrayBuffer),
    ),
    replaceManifests: write((rows: readonly Pick<StoredManifest, 'id' | 'body'>[]) => {
      for (const { id, body } of rows) bodies.replace(id, body);
    }),
    edits: read((afterId: number, limit: number) => edits.page(afterId, limit)),
    replaceEdits: write((rows: readonly Pick<StoredEdits, 'id' | 'text'>[]) => {
      for (const { id, text } of rows) edits.replace(id, text);
    }),
    // Not in a transaction; the log holds old bytes too, and so do copies from before a migration.
    compact: read(() => {
      db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
      removeOlderVersions(db);
    }),
    // What was removed is overwritten already: see openDatabase.
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
      run: (request: ClaimRequest) => deliveries.claim(request),
      writes: (request: ClaimRequest) => deliveries.mustWrite(request),
      buffers: ({ deliveries: single, batch }: ClaimedRecords) => [
        ...buffersOf(single),
        ...buffersOf(batch?.deliveries ?? []),
      ],
    },
    checkpointAll: write((ids: readonly number[], handler: string) => deliveries.checkpointAll(ids, handler)),
    fixBatch: write((ids: readonly number[]) => deliveries.fixBatch(ids)),
    checkpoint: write((delivery: number, handler: string) => deliveries.checkpoint(delivery, handler)),
    complete: write((delivery: number, end: End, now: number, writes?: StateWrites, forks?: Forks) =>
      deliveries.complete(delivery, end, now, writes, forks),
    ),
    completeAll: write((ends: readonly GroupEnd[], now: number, writes: StateWrites, next: number | undefined) =>
      deliveries.completeAll(ends, now, writes, next),
    ),
    park: write((delivery: number, park: ParkRequest, now: number) => deliveries.park(delivery, park, now)),
    release: read((delivery: number) => deliveries.release(delivery)),
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
    replay: write((ids: readonly number[]) => deadLetters.replay(ids)),
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
    statesOf: read((handler: string) => states.all(handler)),
    recall: read((handler: string, key: string) => memory.recall(handler, key)),
    remember: write((handler: string, key: string, value: string | undefined, now: number) =>
      memory.remember(handler, key, value, now),
    ),
    prune: write((retention: Retention, now: number) => {
      memory.forgetBefore(now - MEMORY_KEPT_MS);
      return history.prune(retention, now);
    }),
    ended: read((query: EndedQuery) => history.ended(query)),
    forget: write((changes: readonly number[]) => history.forget(changes)),
    balances: read(() => counters.balances()),
    getFact: read((name: string) => facts.get(name)),
    setFact: write((name: string, value: string) => facts.set(name, value)),
  };
}

function buffersOf(items: readonly { readonly record: ChangeRecord }[]): (ArrayBuffer | undefined)[] {
  return items.flatMap(({ record: { before, after } }) => [
    before?.buffer as ArrayBuffer | undefined,
    after?.buffer as ArrayBuffer | undefined,
  ]);
}

/** One call on its way to the worker. */
export interface Call {
  readonly id: number;
  readonly name: keyof Operations;
  readonly args: readonly unknown[];
}

export type Reply = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: Error };

export class Engine {
  readonly #db: DatabaseSync;
  readonly #facts: Facts;
  readonly #operations: Operations;
  readonly #crashes: Crashes;
  /** Undefined: not the writer of this store, but one that answers questions or tends the dead letters beside it. */
  readonly #epoch: number | undefined;
  readonly #fullDisk: FullDisk;

  /** As the `writer`, it makes every earlier writer of the same file stale. */
  constructor(db: DatabaseSync, writer: boolean, term?: Term) {
    this.#db = db;
    this.#facts = new Facts(db);
    db.exec('CREATE TEMP TABLE claimed (id INTEGER PRIMARY KEY)');
    const file = writer ? db.location() : null;
    this.#crashes = new Crashes(db, this.#facts, file);
    this.#operations = operationsOf(db, this.#facts, this.#crashes);
    this.#epoch = writer ? beginEpoch(db, this.#facts, term) : undefined;
    if (writer) this.#crashes.begin();
    this.#fullDisk = new FullDisk(db, file);
  }

  /**
   * Group commit: the calls in order, all that write in one transaction, so that they share one fsync. A call that fails undoes
   * itself alone; when the commit fails, so does every call since its begin. Replies are given only after the commit.
   * @throws when the disk failed in a way after which this connection must not be used (see isFatal).
   */
  run(calls: readonly Call[]): { replies: Reply[]; buffers: ArrayBuffer[] } {
    const { replies, buffers } = this.#transact(calls);
    // Room was made meanwhile, for what does not grow: a note that a change was delivered is not to wait for others' room.
    const found = new Set(replies.filter(foundNoRoom).map(({ id }) => id));
    const notes = calls.filter(({ id, name }) => found.has(id) && !GROWING.has(name));
    if (notes.length === 0) return { replies, buffers };
    const again = this.#transact(notes);
    const better = new Map(again.replies.map((reply) => [reply.id, reply]));
    return {
      replies: replies.map((reply) => better.get(reply.id) ?? reply),
      buffers: [...buffers, ...again.buffers],
    };
  }

  #transact(calls: readonly Call[]): { replies: Reply[]; buffers: ArrayBuffer[] } {
    const replies: Reply[] = [];
    let buffers: ArrayBuffer[] = [];
    let begun: number | undefined;
    const undone = (failure: Error) => {
      for (const [i, { id }] of replies.entries()) if (i >= (begun ?? Infinity)) replies[i] = { id, error: failure };
      buffers = [];
      begun = undefined;
    };
    for (const [i, call] of calls.entries()) {
      try {
        const operation = this.#operations[call.name] as unknown as Operation<readonly unknown[] & unknown[], unknown>;
        if (GROWING.has(call.name) && !this.#fullDisk.mayGrow()) throw noRoom();
        const args = [...call.args];
        const writes = operation.writes(...args);
        if (writes && begun === undefined) {
          this.#begin();
          begun = i;
        }
        const value = writes ? this.#atomically(() => operation.run(...args)) : operation.run(...args);
        buffers.push(...operation.buffers(value).filter((buffer) => buffer !== undefined));
        replies.push({ id: call.id, value });
      } catch (thrown) {
        const error = this.#explain(thrown);
        replies.push({ id: call.id, error });
        // Some failures, such as no space left, undo what came before in the transaction too.
        if (begun !== undefined && !this.#db.isTransaction) undone(error);
      }
    }
    const failure = begun === undefined ? undefined : this.#commit();
    if (failure !== undefined) undone(failure);
    return { replies, buffers };
  }

  close(): void {
    const isOurs = this.#epoch !== undefined && this.#facts.number('store.epoch') === this.#epoch;
    try {
      if (isOurs) this.#crashes.end();
    } finally {
      this.#crashes.close();
      this.#db.close();
    }
  }

  #begin(): void {
    this.#db.exec('BEGIN IMMEDIATE');
    if (this.#epoch === undefined || this.#facts.number('store.epoch') === this.#epoch) return;
    this.#db.exec('ROLLBACK');
    throw new StoreError(
      'STALE_EPOCH',
      'Cannot write to the store: another process has opened it since; this one must stop',
    );
  }

  #atomically<T>(run: () => T): T {
    this.#db.exec('SAVEPOINT call');
    try {
      return run();
    } catch (thrown) {
      // The failure may have undone the whole transaction already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK TO call');
      throw thrown;
    } finally {
      if (this.#db.isTransaction) this.#db.exec('RELEASE call');
    }
  }

  #commit(): Error | undefined {
    try {
      this.#db.exec('COMMIT');
      return undefined;
    } catch (thrown) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      return this.#explain(thrown);
    }
  }

  #explain(thrown: unknown): Error {
    if (sqliteCodeOf(thrown) !== SQLITE_FULL) return explain(thrown);
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    this.#fullDisk.met();
    return noRoom(thrown);
  }
}

/** What the store grows by; everything else changes rows that are there, or a few. */
const GROWING: ReadonlySet<keyof Operations> = new Set(['accept', 'stage', 'replaceManifests', 'replaceEdits']);

function foundNoRoom(reply: Reply): boolean {
  return 'error' in reply && codeOf(reply.error) === 'STORE_FULL';
}

function noRoom(cause?: unknown): StoreError {
  return new StoreError('STORE_FULL', 'Cannot write to the store: no space is left on its volume; make room', {
    cause,
  });
}

function explain(thrown: unknown): Error {
  if (isFatal(thrown)) throw thrown;
  if (thrown instanceof StoreError) return thrown;
  const cause = toError(thrown);
  return new StoreError('STORE_REFUSED', `The store refused a call: ${cause.message}`, { cause });
}
