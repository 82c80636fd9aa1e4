/** Deliveries whose attempts are spent: kept, and replayed or discarded on request. */
import type { DatabaseSync } from 'node:sqlite';
import type { Counters } from './counters.ts';
import type { Deliveries } from './deliveries.ts';
import type { Edits } from './edits.ts';
import { doStep, type History, type Step } from './history.ts';
import { REPORTED_COLUMNS, type ReportedRow } from './delivery-row.ts';
import type { Merging } from './merging.ts';
import { query } from './query.ts';
import { objectsCondition, objectsValues, CHANGE_JOINS } from './records.ts';
import { DEAD, DONE } from './schema.ts';
import type { ChangeRecord } from './change-of.ts';
import type { DeadLetter, DeadLetterQuery } from './looking-back.ts';

/** A dead letter as it leaves the worker. */
export interface DeadLetterRecord extends Omit<DeadLetter, 'change'> {
  readonly record: ChangeRecord;
  /** See `editsOf`. */
  readonly edits: string | undefined;
}

interface DeadRow extends ReportedRow {
  readonly delivery: number;
  readonly chain: string;
  readonly handler: string;
  readonly reason: string;
  readonly attempts: number;
  readonly ended_at: number;
  readonly edits: number | null;
  readonly edits_text: string | null;
}

type DiscardedRow = Pick<DeadRow, 'id' | 'chain' | 'newest' | 'edits'> & { readonly change: number };

export interface DeadLettersParts {
  readonly deliveries: Deliveries;
  readonly counters: Counters;
  readonly edits: Edits;
  readonly history: History;
  readonly merging: Merging;
}

export class DeadLetters {
  readonly #deliveries: Deliveries;
  readonly #counters: Counters;
  readonly #edits: Edits;
  readonly #history: History;
  readonly #merging: Merging;
  readonly #page;
  readonly #one;
  readonly #discard;

  constructor(db: DatabaseSync, parts: DeadLettersParts) {
    this.#deliveries = parts.deliveries;
    this.#counters = parts.counters;
    this.#edits = parts.edits;
    this.#history = parts.history;
    this.#merging = parts.merging;
    const select = `
      SELECT d.id AS delivery, d.chain, d.handler, d.reason, d.attempts, d.ended_at, d.edits, e.text AS edits_text,
        ${REPORTED_COLUMNS}
      FROM deliveries d JOIN changes c ON c.id = d.change ${CHANGE_JOINS}
        LEFT JOIN edits e ON e.id = d.edits WHERE d.state = ${DEAD}`;
    this.#page = query<DeadRow>(
      db,
      `${select} AND d.id > ?1 AND (?2 IS NULL OR d.chain = ?2) AND (?3 IS NULL OR d.handler = ?3)
         AND (?4 IS NULL OR d.ended_at < ?4) AND ${objectsCondition(5)}
       ORDER BY d.id LIMIT ?9`,
    );
    this.#one = query<DeadRow>(db, `${select} AND d.id = ?`);
    this.#discard = query<DiscardedRow>(
      db,
      `UPDATE deliveries SET state = ${DONE}, outcome = 'discarded' WHERE id = ? AND state = ${DEAD}
       RETURNING id, chain, change, newest, edits`,
    );
  }

  list({ afterId = 0, chain, handler, diedBefore, limit, ...objects }: DeadLetterQuery): DeadLetterRecord[] {
    const filters = [chain ?? null, handler ?? null, diedBefore ?? null, ...objectsValues(objects)];
    return this.#page.all(afterId, ...filters, limit).map((row) => this.#letterOf(row));
  }

  get(id: number): DeadLetterRecord | undefined {
    const row = this.#one.get(id);
    return row === undefined ? undefined : this.#letterOf(row);
  }

  replay(ids: readonly number[], now: number): number[] {
    return ids.filter((id) => this.#deliveries.revive(id, now));
  }

  /** A discarded letter counts as discarded and no longer as dead. */
  discard(ids: readonly number[], withChanges: boolean): Step {
    return doStep(ids, (id) => {
      const row = this.#discard.get(id);
      if (row === undefined) return undefined;
      const { chain, change, newest, edits } = row;
      this.#edits.drop(id, edits);
      this.#counters.add(chain, 'dead', -1);
      this.#counters.add(chain, 'discarded');
      if (!withChanges) return 0;
      const freed = [change, newest ?? change].map((one) => this.#history.forgetOne(one) ?? 0);
      return freed.reduce((sum, bytes) => sum + bytes);
    });
  }

  #letterOf(row: DeadRow): DeadLetterRecord {
    return {
      id: row.delivery,
      chain: row.chain,
      handler: row.handler,
      error: row.reason,
      attempts: row.attempts,
      diedAt: row.ended_at,
      record: this.#merging.recordOf(row),
      edits: row.edits_text ?? undefined,
    };
  }
}
