/** The recorded changes, and how long they are kept. */
import type { DatabaseSync } from 'node:sqlite';
import type { Bodies } from './bodies.ts';
import type { Facts } from './facts.ts';
import type { Failures } from './failures.ts';
import { requireRow, query } from './query.ts';
import {
  objectsCondition,
  objectsValues,
  CHANGE_COLUMNS,
  CHANGE_JOINS,
  globOf,
  recordOf,
  TIMER,
  type ChangeRow,
} from './records.ts';
import { DONE } from './schema.ts';
import type { ChangeRecord } from './change-of.ts';
import type { EndedQuery, HistoryQuery, Retention } from './looking-back.ts';

/** Changes that one prune step looks at, so that it does not block others for long; the next step continues from there. */
const PRUNE_STEP = 500;
/** Also limits their size, so that a step fits into the log on a full disk, and makes other writers wait only milliseconds. */
const STEP_BYTES = 1024 * 1024;

interface PruneRow {
  readonly id: number;
  readonly key: string;
  readonly before: number | null;
  readonly after: number | null;
  readonly observed_at: number;
  readonly kept: number;
}

/** The part of a request that one transaction did. */
export interface Step {
  readonly done: number[];
  /** How many ids, from the first, were looked at: the next step continues after them. */
  readonly seen: number;
}

/** Acts on ids until enough bytes are freed. @param act returns how many bytes it freed, or undefined if the id does not apply */
export function doStep(ids: readonly number[], act: (id: number) => number | undefined): Step {
  const done: number[] = [];
  let [freed, seen] = [0, 0];
  for (const id of ids) {
    if (freed >= STEP_BYTES) break;
    const bytes = act(id);
    seen++;
    if (bytes === undefined) continue;
    done.push(id);
    freed += bytes;
  }
  return { done, seen };
}

export class History {
  readonly #bodies: Bodies;
  readonly #facts: Facts;
  readonly #failures: Failures;
  readonly #oldest;
  readonly #newest;
  readonly #step;
  readonly #one;
  readonly #ended;
  readonly #forgetDeliveries;
  readonly #forget;
  readonly #heir;
  readonly #inherit;

  constructor(db: DatabaseSync, parts: { bodies: Bodies; facts: Facts; failures: Failures }) {
    this.#bodies = parts.bodies;
    this.#facts = parts.facts;
    this.#failures = parts.failures;
    const select = `
      SELECT ${CHANGE_COLUMNS} FROM changes c ${CHANGE_JOINS}
      WHERE c.id > ?1 AND c.id < ?10 AND c.action <> ${TIMER} AND (?2 IS NULL OR c.observed_at >= ?2) AND (?3 IS NULL OR c.key = ?3)
        AND ${objectsCondition(4)}
        AND (?8 IS NULL OR EXISTS (SELECT 1 FROM json_each(c.actors) WHERE value ->> '$.manager' GLOB ?8))`;
    this.#oldest = query<ChangeRow>(db, `${select} ORDER BY c.id LIMIT ?9`);
    this.#newest = query<ChangeRow>(db, `${select} ORDER BY c.id DESC LIMIT ?9`);
    const isNeeded = `EXISTS (SELECT 1 FROM deliveries WHERE change = c.id AND state < ${DONE})
      OR EXISTS (SELECT 1 FROM deliveries WHERE newest = c.id AND state < ${DONE})`;
    const columns = `c.id, c.key, c.before, c.after, c.observed_at, ${isNeeded} AS kept`;
    this.#step = query<PruneRow>(
      db,
      `SELECT ${columns} FROM changes c WHERE c.id > ? ORDER BY c.id LIMIT ${PRUNE_STEP}`,
    );
    this.#one = query<PruneRow>(db, `SELECT ${columns} FROM changes c WHERE c.id = ?`);
    this.#ended = query<{ id: number }>(
      db,
      `SELECT c.id FROM changes c JOIN kinds k ON k.id = c.kind
       WHERE (?1 IS NULL OR c.observed_at < ?1) AND ${objectsCondition(2)} AND NOT (${isNeeded}) ORDER BY c.id`,
    );
    this.#forgetDeliveries = db.prepare('DELETE FROM deliveries WHERE change = ?');
    this.#forget = query<{ size: number }>(db, 'DELETE FROM changes WHERE id = ? RETURNING size');
    this.#heir = query<{ id: number; bytes: number }>(
      db,
      `SELECT c.id, length(b.bytes) AS bytes FROM changes c JOIN bodies b ON b.id = c.before
       WHERE c.key = ?1 AND c.id > ?2 AND c.before = ?3 ORDER BY c.id LIMIT 1`,
    );
    this.#inherit = db.prepare('UPDATE changes SET size = size + ? WHERE id = ?');
  }

  query({
    afterId = 0,
    beforeId = Number.MAX_SAFE_INTEGER,
    newestFirst,
    limit,
    ...query
  }: HistoryQuery): ChangeRecord[] {
    const statement = newestFirst === true ? this.#newest : this.#oldest;
    const { since, key, by } = query;
    const filters = [since ?? null, key ?? null, ...objectsValues(query), globOf(by) ?? null];
    return statement.all(afterId, ...filters, limit, beforeId).map((row) => recordOf(row));
  }

  /** One step over the changes after `from`. Returns in `to` where the next one continues; 0 if all were looked at. */
  prune({ maxAgeMs, maxBytes }: Retention, now: number, from: number): { pruned: number; to: number } {
    let excess = this.#facts.number('store.history-bytes') - maxBytes;
    let freed = 0;
    let pruned = 0;
    const rows = this.#step.all(from);
    let to = rows.length < PRUNE_STEP ? 0 : (rows.at(-1)?.id ?? 0);
    for (const row of rows) {
      // Recorded while the clock was ahead: later changes may still be older.
      if (row.observed_at > now && excess <= 0) continue;
      if (row.observed_at >= now - maxAgeMs && excess <= 0) {
        to = 0;
        break;
      }
      if (row.kept === 1) continue;
      if (freed >= STEP_BYTES) {
        to = row.id - 1;
        break;
      }
      const size = this.#remove(row);
      excess -= size;
      freed += size;
      pruned++;
    }
    this.#facts.add('store.history-bytes', -freed);
    return { pruned, to };
  }

  ended({ observedBefore, ...objects }: EndedQuery): number[] {
    return this.#ended.all(observedBefore ?? null, ...objectsValues(objects)).map(({ id }) => id);
  }

  /** One step; see {@link doStep}. */
  forget(changes: readonly number[]): Step {
    return doStep(changes, (id) => this.forgetOne(id));
  }

  /** Returns how many bytes it frees; undefined if there is no such change, or a delivery needs it. */
  forgetOne(change: number): number | undefined {
    const row = this.#one.get(change);
    if (row === undefined || row.kept === 1) return undefined;
    const freed = this.#remove(row);
    this.#facts.add('store.history-bytes', -freed);
    return freed;
  }

  /** Returns by how many bytes the history shrinks. */
  #remove({ id, key, before, after }: PruneRow): number {
    this.#failures.forget(id);
    this.#forgetDeliveries.run(id);
    const { size } = requireRow(this.#forget.get(id));
    // If the object's next change still has the body as its `before`, it is counted there from now on.
    const heir = after === null ? undefined : this.#heir.get(key, id, after);
    if (heir !== undefined) this.#inherit.run(heir.bytes, heir.id);
    this.#bodies.release(before);
    this.#bodies.release(after);
    return size - (heir?.bytes ?? 0);
  }
}
