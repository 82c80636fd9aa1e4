/**
 * What is owed. Of the unfinished deliveries of one chain and object at most one is not blocked: that keeps them in order and
 * one at a time. Which ones are handed out is known to this connection only (a temporary table, so that a rollback covers it too):
 * a crash hands them out again.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Counters } from './counters.ts';
import type { Crashes } from './crashes.ts';
import type { Edits } from './edits.ts';
import { DELIVERY_COLUMNS, UNBLOCK, type DeliveryRow } from './delivery-row.ts';
import { ALONE, Gathered } from './gathered.ts';
import { Merging } from './merging.ts';
import { certain, query } from './query.ts';
import { CHANGE_JOINS, groupOf, groupQueueOf } from './records.ts';
import { BLOCKED, DEAD, DONE, PARKED, READY } from './schema.ts';
import type {
  Batch,
  ChangeRecord,
  ClaimRequest,
  Death,
  End,
  Forks,
  GroupEnd,
  ParkRequest,
  StateWrites,
} from './store.ts';
import { StoreError } from './store-error.ts';
import { Failures } from './failures.ts';
import { HandlerMemory } from './handler-memory.ts';

/** A delivery as it leaves the worker. */
export interface DeliveryRecord {
  readonly id: number;
  readonly chain: string;
  readonly record: ChangeRecord;
  readonly attempts: number;
  readonly deferredSince: number | undefined;
  /** JSON array. */
  readonly delivered: string;
  /** Handler id and JSON. */
  readonly states: readonly (readonly [handler: string, value: string])[];
  readonly timerOf: string | undefined;
  readonly group: string | undefined;
  readonly isBehind: boolean;
  /** See `editsOf`. */
  readonly edits: string | undefined;
  readonly crashes: number;
  readonly isAlone: boolean;
  readonly bytes: number;
}

/** A batch as it leaves the worker. */
export type BatchRecord = Omit<Batch, 'deliveries'> & { readonly deliveries: DeliveryRecord[] };

export interface ClaimedRecords {
  readonly deliveries: DeliveryRecord[];
  readonly batch: BatchRecord | undefined;
  readonly hasGathered: boolean;
  readonly superseded: number;
  readonly nextDueAt: number | undefined;
}

interface Dead {
  readonly kind: 'dead';
  readonly by: string;
  readonly reason: string;
}

interface Ended {
  readonly chain: string;
  readonly queue: string;
  readonly change: number;
  readonly edits: number | null;
  readonly newest: number | null;
  readonly actors: string | null;
  readonly replayed: number;
}

/** States as in {@link DeliveryRecord}; undefined: it waits, handed back. */
export interface JoinedRecord {
  readonly states: DeliveryRecord['states'] | undefined;
  readonly freed: boolean;
}

/** Of the manifests that one claim hands out: a bound on the memory that waits in a chain, reached by large objects only. */
const MAX_BYTES = 4 * 1024 * 1024;
/** Parked deliveries and timers that one claim makes ready at most: a bound on its time, reached only after an outage. */
const MAX_DUE = 5000;

export class Deliveries {
  readonly #counters: Counters;
  readonly #edits: Edits;
  readonly #memory: HandlerMemory;
  readonly failures: Failures;
  readonly #gathered: Gathered;
  readonly merging: Merging;
  readonly #crashes: Crashes;
  readonly #statements;

  constructor(db: DatabaseSync, counters: Counters, edits: Edits, crashes: Crashes) {
    this.#counters = counters;
    this.#edits = edits;
    this.#memory = new HandlerMemory(db);
    this.failures = new Failures(db);
    this.#gathered = new Gathered(db);
    this.merging = new Merging(db, counters);
    this.#crashes = crashes;
    this.#statements = prepare(db);
  }

  /** A new delivery, blocked while a predecessor of its queue is unfinished. Not counted: see {@link count}. */
  open(chain: string, change: number, queue: string, timerOf: string | null = null): void {
    this.#statements.open.run(chain, change, queue, this.#firstState(chain, queue), timerOf);
  }

  /** Counts `amount` deliveries opened in each of the chains. */
  count(chains: readonly string[], amount: number): void {
    for (const chain of chains) this.#counters.add(chain, 'accepted', amount);
  }

  /** Whether a claim must write: something that waited is due, or has waited for so long that it may be merged. */
  mustWrite(request: ClaimRequest): boolean {
    return this.#hasDue(request) || this.#hasLate(request);
  }

  #hasDue({ chain, now }: ClaimRequest): boolean {
    return (this.#nextDueAt(chain) ?? Infinity) <= now;
  }

  #hasLate({ coalesce, chain, now, wallNow = now }: ClaimRequest): boolean {
    return coalesce === true && this.merging.isLate(chain, wallNow);
  }

  claim(request: ClaimRequest): ClaimedRecords {
    const { chain, limit, now, wallNow = now, stateful } = request;
    if (this.#hasDue(request)) this.#wakeDue(chain, now);
    const superseded = this.#hasLate(request) ? this.merging.merge(chain, limit, wallNow) : 0;
    const turn = this.#crashes.turn(chain, now);
    const room = { bytes: MAX_BYTES };
    const { rows, isCut } = fitting(this.#rowsFor(turn, chain, limit + 1), room);
    const first = rows.slice(0, limit);
    const deliveries = first.flatMap((row) => {
      const behind = turn === undefined ? this.#rowsBehind(row, request, room) : [];
      const waiting = behind.map((other) => this.#handOut(other, chain, [], true));
      return [this.#handOut(row, chain, stateful), ...waiting];
    });
    this.#crashes.note(
      chain,
      request.atOnce ?? limit,
      first.map(({ delivery }) => delivery),
    );
    const mayBatch = turn === undefined || turn === 'batch';
    const batch = request.batch === true && mayBatch ? this.#handOutBatch(request) : undefined;
    const nextDueAt = isCut || rows.length > limit ? now : this.#nextDueAt(chain);
    if (batch !== undefined || request.batch !== true)
      return { deliveries, batch, hasGathered: batch !== undefined, nextDueAt, superseded };
    const batchDueAt = this.#gathered.nextDueAt(chain);
    const next = Math.min(nextDueAt ?? Infinity, batchDueAt ?? Infinity);
    const hasGathered = batchDueAt !== undefined;
    return { deliveries, batch, hasGathered, nextDueAt: Number.isFinite(next) ? next : undefined, superseded };
  }

  checkpoint(delivery: number, handler: string): void {
    this.#requireClaimed(this.#statements.checkpoint.run(handler, delivery).changes, delivery);
  }

  /** Answers whether the chain has more to claim: a freed successor, or a wake-up. */
  complete(delivery: number, end: End, now: number, writes: StateWrites = {}, forks?: Forks): boolean {
    const ended = this.#end(delivery, end, now);
    this.#memory.write(ended, writes);
    if (forks !== undefined) this.#fork(ended, forks);
    this.#edits.drop(delivery, ended.edits);
    return this.#unblock(ended) || (writes.wakeUps?.length ?? 0) > 0 || this.#crashes.isCareful();
  }

  completeAll(ends: readonly GroupEnd[], now: number, writes: StateWrites, next: number | undefined): boolean {
    let last: Ended | undefined;
    for (const { delivery, end } of ends) {
      last = this.#end(delivery, end, now);
      this.#edits.drop(delivery, last.edits);
    }
    if (last === undefined) return false;
    this.#memory.write(last, writes);
    if (next !== undefined) this.#statements.ready.run(next);
    const freed = next === undefined && this.#unblock(last);
    return freed || (writes.wakeUps?.length ?? 0) > 0 || this.#crashes.isCareful();
  }

  deadLetter(delivery: number, death: Death, now: number, forks?: Forks): void {
    const { handler, error, attempts } = death;
    const ended = this.#end(delivery, { kind: 'dead', by: handler, reason: error }, now, attempts);
    this.failures.add(delivery, { outcome: 'dead', attempt: attempts, handler, error, at: now });
    if (death.isAlone === true) this.#gathered.separate(delivery);
    if (forks !== undefined) this.#fork(ended, forks);
    this.#unblock(ended);
  }

  park(delivery: number, park: ParkRequest, now: number): void {
    this.release(delivery);
    if (park.failure !== undefined) {
      const { handler, outcome } = park.failure;
      const attempt = outcome === 'failed' ? park.attempts : park.attempts + 1;
      this.failures.add(delivery, { outcome, attempt, handler, error: park.reason, at: now });
    }
    this.#statements.park.run(park.until, park.attempts, park.deferredSince ?? null, park.reason, delivery);
    if (park.gather !== undefined) this.#gathered.park(delivery, park.gather.handler, park.gather.batch);
  }

  checkpointAll(deliveries: readonly number[], handler: string): void {
    for (const delivery of deliveries) this.checkpoint(delivery, handler);
  }

  fixBatch(deliveries: readonly number[]): number {
    return this.#gathered.fix(deliveries);
  }

  release(delivery: number, perhapsSent = false): void {
    this.#requireClaimed(this.#statements.unclaim.run(delivery).changes, delivery);
    if (perhapsSent) this.merging.keepApart(delivery);
  }

  /** Leaves the queue of its object for that of a group: its successors there need not wait for it. */
  join(delivery: number, group: string, handlers: readonly string[]): JoinedRecord {
    const claimed = this.#statements.claimed.get(delivery);
    if (claimed === undefined) throw notClaimed(delivery);
    const queue = groupQueueOf(group);
    const state = this.#firstState(claimed.chain, queue);
    this.#statements.join.run(queue, state, delivery);
    const freed = this.#unblock(claimed);
    if (state === READY) return { states: this.#memory.states(queue, handlers), freed };
    this.release(delivery);
    return { states: undefined, freed };
  }

  /** From the dead letters back into the queue. */
  revive(delivery: number): boolean {
    const row = this.#statements.find.get(delivery, DEAD);
    if (row === undefined) return false;
    this.#statements.revive.run(this.#firstState(row.chain, row.queue), delivery);
    this.#counters.add(row.chain, 'replayed');
    return true;
  }

  #firstState(chain: string, queue: string): typeof READY | typeof BLOCKED {
    return this.#statements.unfinished.get(chain, queue) === undefined ? READY : BLOCKED;
  }

  #fork({ change, queue, edits: inherited, newest, actors, replayed }: Ended, { chains, edits: text }: Forks): void {
    const edits = text === undefined ? inherited : this.#edits.add(text);
    const own = groupOf(queue) === undefined ? queue : this.#memory.queueOfChange(change);
    for (const chain of chains) {
      this.#statements.fork.run(chain, change, own, this.#firstState(chain, own), edits, newest, actors, replayed);
    }
    this.count(chains, 1);
  }

  /** What was parked or timed until now takes its place among the ready ones. */
  #wakeDue(chain: string, now: number): void {
    this.#statements.wakeParked.run(chain, now, MAX_DUE);
    for (const timer of this.#memory.takeTimers(chain, now, MAX_DUE)) {
      this.open(chain, timer.change, timer.queue, timer.handler);
      this.count([chain], 1);
    }
  }

  /** What was being worked on at a crash is handed out alone. */
  #rowsFor(turn: ReturnType<Crashes['turn']>, chain: string, limit: number): Iterable<DeliveryRow> {
    if (turn === 'wait' || turn === 'batch') return [];
    const { claim, one } = this.#statements;
    return turn === undefined ? claim.iterate(chain, limit) : one.all(turn);
  }

  /** What waits for it in its group, as far as there is room. */
  #rowsBehind({ queue }: DeliveryRow, { chain, behind = 0 }: ClaimRequest, room: Room): DeliveryRow[] {
    if (behind === 0 || room.bytes <= 0 || groupOf(queue) === undefined) return [];
    return fitting(this.#statements.behind.iterate(chain, queue, behind), room).rows;
  }

  #handOutBatch({ chain, now, stateful }: ClaimRequest): BatchRecord | undefined {
    const due = this.#gathered.due(chain, now);
    if (due === undefined) return undefined;
    const deliveries = due.rows.map((row) => this.#handOut(row, chain, stateful));
    this.#crashes.noteBatch(chain, due.rows);
    return { handler: due.handler, id: due.batch, deliveries };
  }

  #handOut(row: DeliveryRow, chain: string, stateful: readonly string[], isBehind = false): DeliveryRecord {
    this.#statements.markClaimed.run(row.delivery);
    return {
      id: row.delivery,
      chain,
      record: this.merging.recordOf(row),
      attempts: row.attempts,
      deferredSince: row.deferred_since ?? undefined,
      delivered: row.delivered,
      states: this.#memory.states(row.queue, stateful),
      timerOf: row.timer_of ?? undefined,
      group: groupOf(row.queue),
      isBehind,
      edits: this.#edits.find(row.edits),
      crashes: row.claims,
      isAlone: row.batch === ALONE,
      bytes: bytesOf(row),
    };
  }

  #nextDueAt(chain: string): number | undefined {
    const parked = this.#statements.nextParked.get(chain)?.due_at;
    const next = Math.min(parked ?? Infinity, this.#memory.nextTimer(chain) ?? Infinity);
    return Number.isFinite(next) ? next : undefined;
  }

  /** Counts it, too. */
  #end(delivery: number, end: End | Dead, now: number, attempts: number | null = null): Ended {
    this.release(delivery);
    const state = end.kind === 'dead' ? DEAD : DONE;
    const [by, reason] = end.kind === 'completed' ? [null, null] : [end.by, end.reason];
    const ended = certain(this.#statements.end.get(state, end.kind, by, reason, now, attempts, delivery));
    this.#counters.add(ended.chain, end.kind);
    return ended;
  }

  /** Answers whether somebody waited. */
  #unblock({ chain, queue }: Pick<Ended, 'chain' | 'queue'>): boolean {
    return this.#statements.unblock.run(chain, queue).changes !== 0;
  }

  #requireClaimed(changes: number | bigint, delivery: number): void {
    if (changes === 0) throw notClaimed(delivery);
  }
}

/** What is left of {@link MAX_BYTES}. */
interface Room {
  bytes: number;
}

/** One at least, however large. */
function fitting(all: Iterable<DeliveryRow>, room: Room): { readonly rows: DeliveryRow[]; readonly isCut: boolean } {
  const rows: DeliveryRow[] = [];
  for (const row of all) {
    if (bytesOf(row) > room.bytes && rows.length > 0) return { rows, isCut: true };
    rows.push(row);
    room.bytes -= bytesOf(row);
  }
  return { rows, isCut: false };
}

function bytesOf({ before, after }: DeliveryRow): number {
  return (before?.length ?? 0) + (after?.length ?? 0);
}

function notClaimed(delivery: number): StoreError {
  return new StoreError(
    'STORE_REFUSED',
    `Delivery ${delivery} is not claimed: it was handed back or has ended already`,
  );
}

function prepare(db: DatabaseSync) {
  return {
    open: db.prepare('INSERT INTO deliveries (chain, change, queue, state, timer_of) VALUES (?, ?, ?, ?, ?)'),
    unfinished: db.prepare(`SELECT 1 FROM deliveries WHERE chain = ? AND queue = ? AND state < ${DEAD} LIMIT 1`),
    nextParked: query<{ due_at: number }>(
      db,
      `SELECT due_at FROM deliveries WHERE chain = ? AND state = ${PARKED} ORDER BY due_at LIMIT 1`,
    ),
    wakeParked: db.prepare(
      `UPDATE deliveries SET state = ${READY}, due_at = NULL WHERE id IN (
         SELECT id FROM deliveries WHERE chain = ? AND state = ${PARKED} AND due_at <= ? ORDER BY due_at LIMIT ?)`,
    ),
    // Not `LIMIT ?`: the planner looks at its value, so that SQLite prepares the statement anew for each one, 5 times as long as it runs.
    claim: query<DeliveryRow>(
      db,
      `SELECT ${DELIVERY_COLUMNS}
       FROM (SELECT * FROM deliveries WHERE chain = ? AND state = ${READY} AND id NOT IN temp.claimed ORDER BY id LIMIT ? + 0) d
       JOIN changes c ON c.id = d.change ${CHANGE_JOINS} ORDER BY d.id`,
    ),
    one: query<DeliveryRow>(
      db,
      `SELECT ${DELIVERY_COLUMNS} FROM deliveries d JOIN changes c ON c.id = d.change ${CHANGE_JOINS} WHERE d.id = ?`,
    ),
    behind: query<DeliveryRow>(
      db,
      `SELECT ${DELIVERY_COLUMNS}
       FROM (SELECT * FROM deliveries WHERE chain = ? AND queue = ? AND state = ${BLOCKED} AND state < ${DEAD} ORDER BY id LIMIT ? + 0) d
       JOIN changes c ON c.id = d.change ${CHANGE_JOINS} ORDER BY d.id`,
    ),
    ready: db.prepare(`UPDATE deliveries SET state = ${READY} WHERE id = ? AND id IN temp.claimed`),
    markClaimed: db.prepare('INSERT INTO temp.claimed VALUES (?)'),
    unclaim: db.prepare('DELETE FROM temp.claimed WHERE id = ?'),
    claimed: query<Pick<Ended, 'chain' | 'queue'>>(
      db,
      'SELECT chain, queue FROM deliveries WHERE id = ? AND id IN temp.claimed',
    ),
    join: db.prepare('UPDATE deliveries SET queue = ?, state = ? WHERE id = ?'),
    checkpoint: db.prepare(
      `UPDATE deliveries SET delivered = json_insert(delivered, '$[#]', ?) WHERE id = ? AND id IN temp.claimed`,
    ),
    park: db.prepare(
      `UPDATE deliveries SET state = ${PARKED}, due_at = ?, attempts = ?, deferred_since = ?, reason = ?, claims = 0
       WHERE id = ?`,
    ),
    end: query<Ended>(
      db,
      `UPDATE deliveries SET state = ?, outcome = ?, handler = ?, reason = ?, ended_at = ?, deferred_since = NULL,
         attempts = coalesce(?, attempts), claims = 0
       WHERE id = ? RETURNING chain, queue, change, edits, newest, actors, replayed`,
    ),
    unblock: db.prepare(UNBLOCK),
    fork: db.prepare(
      `INSERT INTO deliveries (chain, change, queue, state, edits, newest, actors, replayed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    find: query<Pick<Ended, 'chain' | 'queue'>>(db, 'SELECT chain, queue FROM deliveries WHERE id = ? AND state = ?'),
    revive: db.prepare(
      `UPDATE deliveries SET state = ?, attempts = 0, replayed = 1, outcome = NULL, handler = NULL, reason = NULL, ended_at = NULL
       WHERE id = ?`,
    ),
  };
}
