/**
 * Hands out deliveries that are due. Which ones are claimed is known only to this connection (in a temporary table, so that a
 * rollback covers it too), so after a crash they are handed out again.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Crashes } from './crashes.ts';
import type { Deliveries } from './deliveries.ts';
import { bytesOf, DELIVERY_COLUMNS, type DeliveryRow } from './delivery-row.ts';
import type { Edits } from './edits.ts';
import { ALONE, type Gathered } from './gathered.ts';
import type { HandlerMemory, StateRecords } from './handler-memory.ts';
import type { Merging } from './merging.ts';
import { query } from './query.ts';
import { CHANGE_JOINS, groupOf } from './records.ts';
import { BLOCKED, DEAD, PARKED, READY } from './schema.ts';
import type { ChangeRecord } from './change-of.ts';
import type { Batch, Claimed, ClaimRequest, Delivery } from './delivery.ts';

/** A delivery as it leaves the worker. */
export interface DeliveryRecord extends Omit<Delivery, 'change' | 'edited' | 'delivered' | 'states'> {
  readonly record: ChangeRecord;
  /** See `editsOf`. */
  readonly edits: string | undefined;
  /** JSON array of handler ids. */
  readonly delivered: string;
  readonly states: StateRecords;
}

/** A batch as it leaves the worker. */
interface BatchRecord extends Omit<Batch, 'deliveries'> {
  readonly deliveries: readonly DeliveryRecord[];
}

/** What was claimed, as it leaves the worker. */
export interface ClaimedRecords extends Omit<Claimed, 'deliveries' | 'batch'> {
  readonly deliveries: readonly DeliveryRecord[];
  readonly batch: BatchRecord | undefined;
}

export interface ClaimsParts {
  readonly deliveries: Deliveries;
  readonly crashes: Crashes;
  readonly edits: Edits;
  readonly gathered: Gathered;
  readonly memory: HandlerMemory;
  readonly merging: Merging;
}

/** Size of the manifests that one claim hands out: bounds the memory that waits in a chain; reached only with large objects. */
const MAX_BYTES = 4 * 1024 * 1024;
/** Most parked deliveries and timers that one claim makes ready: bounds its time; reached only after an outage. */
const MAX_DUE = 5000;

export class Claims {
  readonly #deliveries: Deliveries;
  readonly #crashes: Crashes;
  readonly #edits: Edits;
  readonly #gathered: Gathered;
  readonly #memory: HandlerMemory;
  readonly #merging: Merging;
  readonly #statements;

  constructor(db: DatabaseSync, parts: ClaimsParts) {
    this.#deliveries = parts.deliveries;
    this.#crashes = parts.crashes;
    this.#edits = parts.edits;
    this.#gathered = parts.gathered;
    this.#memory = parts.memory;
    this.#merging = parts.merging;
    this.#statements = prepare(db);
  }

  /** Whether a claim must write: something is due, or has waited so long that it may be merged. */
  mustWrite(request: ClaimRequest): boolean {
    return this.#hasDue(request) || this.#hasLate(request);
  }

  #hasDue({ chain, now }: ClaimRequest): boolean {
    return (this.#nextDueAt(chain) ?? Infinity) <= now;
  }

  #hasLate({ coalesce, chain, now, wallNow = now }: ClaimRequest): boolean {
    return coalesce === true && this.#merging.isLate(chain, wallNow);
  }

  claim(request: ClaimRequest): ClaimedRecords {
    const { chain, limit, now, wallNow = now, stateful } = request;
    if (this.#hasDue(request)) this.#wakeDue(chain, now);
    const superseded = this.#hasLate(request) ? this.#merging.merge(chain, limit, wallNow) : 0;
    const suspect = this.#crashes.nextSuspect(chain, now);
    const room = { bytes: MAX_BYTES };
    const { rows, isCut } = takeFitting(this.#rowsFor(suspect, chain, limit + 1), room);
    const deliveries = rows.slice(0, limit).flatMap((row) => {
      const behind = suspect === undefined ? this.#rowsBehind(row, request, room) : [];
      const waiting = behind.map((other) => this.#handOut(other, chain, [], true));
      return [this.#handOut(row, chain, stateful), ...waiting];
    });
    const handedOut = deliveries.map(({ id }) => id);
    this.#crashes.note(chain, request.atOnce ?? limit, handedOut);
    const mayBatch = suspect === undefined || suspect === 'batch';
    const batch = request.batch === true && mayBatch ? this.#handOutBatch(request) : undefined;
    const batchDueAt = request.batch === true && batch === undefined ? this.#gathered.nextDueAt(chain) : undefined;
    const hasGathered = batch !== undefined || batchDueAt !== undefined;
    const singleDueAt = isCut || rows.length > limit ? now : this.#nextDueAt(chain);
    // A batch that must not run beside a suspect may be long due: the end of the suspect makes the chain claim again.
    const nextDueAt = mayBatch ? earliest(singleDueAt, batchDueAt) : singleDueAt;
    return { deliveries, batch, hasGathered, nextDueAt, superseded };
  }

  /** Makes due parked deliveries ready, and opens deliveries for due timers. */
  #wakeDue(chain: string, now: number): void {
    this.#statements.wakeParked.run(chain, now, MAX_DUE);
    for (const timer of this.#memory.takeTimers(chain, now, MAX_DUE)) {
      this.#deliveries.open(chain, timer.change, timer.queue, timer.handler);
      this.#deliveries.count([chain], 1);
    }
  }

  /** The deliveries to hand out; one that was being worked on at a crash comes alone. */
  #rowsFor(suspect: ReturnType<Crashes['nextSuspect']>, chain: string, limit: number): Iterable<DeliveryRow> {
    if (suspect === 'wait' || suspect === 'batch') return [];
    const { claim, one } = this.#statements;
    return suspect === undefined ? claim.iterate(chain, limit) : one.all(suspect);
  }

  /** The deliveries waiting behind it in its group, as far as there is room. */
  #rowsBehind({ queue }: DeliveryRow, { chain, behind = 0 }: ClaimRequest, room: Room): DeliveryRow[] {
    if (behind === 0 || room.bytes <= 0 || groupOf(queue) === undefined) return [];
    return takeFitting(this.#statements.behind.iterate(chain, queue, behind), room).rows;
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
      record: this.#merging.recordOf(row),
      attempts: row.attempts,
      deferredSince: row.deferred_since ?? undefined,
      dueSince: row.due_since ?? undefined,
      delivered: row.delivered,
      states: this.#memory.states(row.queue, stateful),
      timerOf: row.timer_of ?? undefined,
      group: groupOf(row.queue),
      isBehind,
      edits: this.#edits.find(row.edits),
      crashes: row.claims,
      perhapsSent: row.perhaps_sent === 1,
      isAlone: row.batch === ALONE,
      bytes: bytesOf(row),
    };
  }

  #nextDueAt(chain: string): number | undefined {
    return earliest(this.#statements.nextParked.get(chain)?.due_at, this.#memory.nextTimer(chain));
  }
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** What is left of {@link MAX_BYTES}. */
interface Room {
  bytes: number;
}

/** The rows that fit into the room; at least one, however large. */
function takeFitting(
  all: Iterable<DeliveryRow>,
  room: Room,
): { readonly rows: DeliveryRow[]; readonly isCut: boolean } {
  const rows: DeliveryRow[] = [];
  for (const row of all) {
    if (bytesOf(row) > room.bytes && rows.length > 0) return { rows, isCut: true };
    rows.push(row);
    room.bytes -= bytesOf(row);
  }
  return { rows, isCut: false };
}

function prepare(db: DatabaseSync) {
  return {
    nextParked: query<{ due_at: number }>(
      db,
      `SELECT due_at FROM deliveries WHERE chain = ? AND state = ${PARKED} ORDER BY due_at LIMIT 1`,
    ),
    wakeParked: db.prepare(
      `UPDATE deliveries SET state = ${READY}, due_at = NULL WHERE id IN (
         SELECT id FROM deliveries WHERE chain = ? AND state = ${PARKED} AND due_at <= ? ORDER BY due_at LIMIT ?)`,
    ),
    // Not `LIMIT ?`: the planner uses its value, so SQLite prepares the statement again for each one, 5 times its run time.
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
    markClaimed: db.prepare('INSERT INTO temp.claimed VALUES (?)'),
  };
}
