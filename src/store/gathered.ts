/** Deliveries that wait at one sink to be sent together. */
import type { DatabaseSync } from 'node:sqlite';
import { bytesOf, DELIVERY_COLUMNS, type DeliveryRow } from './delivery-row.ts';
import { query } from './query.ts';
import { CHANGE_JOINS } from './records.ts';
import { GATHERED } from './schema.ts';

/** The rows of one batch, before they are handed out. */
export interface GatheredRows {
  readonly handler: string;
  /** Undefined while its members are not fixed. */
  readonly batch: number | undefined;
  readonly rows: readonly DeliveryRow[];
}

interface FirstRow {
  readonly gather: string;
  readonly batch: number | null;
}

/** Instead of a batch number: never to be in a batch again. */
export const ALONE = 0;
/** Most members of a batch that is not fixed yet; a fixed one is handed out whole. */
const MAX_MEMBERS = 1_000;
/** Total size of their manifests: bounds the memory of a batch; reached only with large objects. */
const MAX_BYTES = 16 * 1024 * 1024;

export class Gathered {
  readonly #next;
  readonly #first;
  readonly #members;
  readonly #park;
  readonly #fix;
  readonly #separate;

  constructor(db: DatabaseSync) {
    const waiting = `chain = ?1 AND state = ${GATHERED} AND id NOT IN temp.claimed`;
    this.#next = query<{ due_at: number | null }>(db, `SELECT min(due_at) AS due_at FROM deliveries WHERE ${waiting}`);
    this.#first = query<FirstRow>(
      db,
      `SELECT gather, batch FROM deliveries WHERE ${waiting} AND due_at <= ?2 ORDER BY due_at, id LIMIT 1`,
    );
    this.#members = query<DeliveryRow>(
      db,
      `SELECT ${DELIVERY_COLUMNS} FROM (
         SELECT * FROM deliveries WHERE ${waiting} AND gather = ?2 AND batch IS ?3 ORDER BY id
       ) d JOIN changes c ON c.id = d.change ${CHANGE_JOINS} ORDER BY d.id`,
    );
    this.#park = db.prepare(`UPDATE deliveries SET state = ${GATHERED}, gather = ?, batch = ? WHERE id = ?`);
    this.#fix = db.prepare(`UPDATE deliveries SET batch = ? WHERE id = ? AND state = ${GATHERED}`);
    this.#separate = db.prepare(`UPDATE deliveries SET batch = ${ALONE} WHERE id = ? AND state <> ${GATHERED}`);
  }

  nextDueAt(chain: string): number | undefined {
    return this.#next.get(chain)?.due_at ?? undefined;
  }

  /** The batch that is due first, including members that joined later. */
  due(chain: string, now: number): GatheredRows | undefined {
    const first = this.#first.get(chain, now);
    if (first === undefined) return undefined;
    const rows: DeliveryRow[] = [];
    let bytes = 0;
    for (const member of this.#members.iterate(chain, first.gather, first.batch)) {
      bytes += bytesOf(member);
      const isFull = rows.length === MAX_MEMBERS || bytes > MAX_BYTES;
      if (first.batch === null && isFull && rows.length > 0) break;
      rows.push(member);
    }
    return { handler: first.gather, batch: first.batch ?? undefined, rows };
  }

  /** For a delivery that has just been parked. */
  park(delivery: number, handler: string, batch: number | undefined): void {
    this.#park.run(handler, batch ?? null, delivery);
  }

  /** From now on it is sent by itself, unless it is gathered: a member of a batch stays one. */
  separate(delivery: number): void {
    this.#separate.run(delivery);
  }

  /** Returns the batch's number: the id of its first delivery, which is in no other batch. */
  fix(deliveries: readonly number[]): number {
    const batch = deliveries[0] ?? 0;
    for (const delivery of deliveries) this.#fix.run(batch, delivery);
    return batch;
  }
}
