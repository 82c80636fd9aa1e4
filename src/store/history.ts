/** What has happened, and how long that is remembered. */
import type { DatabaseSync } from 'node:sqlite';
import type { Bodies } from './bodies.ts';
import type { Facts } from './facts.ts';
import { Failures } from './failures.ts';
import { CHANGE_COLUMNS, CHANGE_JOINS, recordOf, TIMER, type ChangeRow } from './records.ts';
import { DONE } from './schema.ts';
import type { ChangeRecord, HistoryQuery, Retention } from './store.ts';

/** Changes that one prune looks at, so that it holds up nothing else for long; the next call goes on from there. */
const PRUNE_STEP = 500;

interface PruneRow {
  readonly id: number;
  readonly before: number | null;
  readonly after: number | null;
  readonly observed_at: number;
  readonly size: number;
  readonly kept: number;
}

export class History {
  readonly #bodies: Bodies;
  readonly #facts: Facts;
  readonly #failures: Failures;
  readonly #oldest;
  readonly #newest;
  readonly #step;
  readonly #forgetDeliveries;
  readonly #forget;
  /** Where the next {@link prune} goes on, when the last one had no time to look at everything that is old enough. */
  #position = 0;

  constructor(db: DatabaseSync, bodies: Bodies, facts: Facts) {
    this.#bodies = bodies;
    this.#facts = facts;
    this.#failures = new Failures(db);
    const select = `
      SELECT ${CHANGE_COLUMNS} FROM changes c ${CHANGE_JOINS}
      WHERE c.id > ?1 AND c.id < ?10 AND c.action <> ${TIMER} AND (?2 IS NULL OR c.observed_at >= ?2) AND (?3 IS NULL OR c.key = ?3)
        AND (?4 IS NULL OR k.grp = ?4) AND (?5 IS NULL OR k.resource = ?5)
        AND (?6 IS NULL OR (instr(c.key, '/') > 0 AND substr(c.key, 1, instr(c.key, '/') - 1) GLOB ?6))
        AND (?7 IS NULL OR substr(c.key, instr(c.key, '/') + 1) GLOB ?7)
        AND (?8 IS NULL OR EXISTS (SELECT 1 FROM json_each(c.actors) WHERE value ->> '$.manager' GLOB ?8))`;
    this.#oldest = db.prepare(`${select} ORDER BY c.id LIMIT ?9`);
    this.#newest = db.prepare(`${select} ORDER BY c.id DESC LIMIT ?9`);
    this.#step = db.prepare(
      `SELECT id, before, after, observed_at, size,
         EXISTS (SELECT 1 FROM deliveries WHERE change = c.id AND state < ${DONE})
           OR EXISTS (SELECT 1 FROM deliveries WHERE newest = c.id AND state < ${DONE}) AS kept
       FROM changes c WHERE id > ? ORDER BY id LIMIT ${PRUNE_STEP}`,
    );
    this.#forgetDeliveries = db.prepare('DELETE FROM deliveries WHERE change = ?');
    this.#forget = db.prepare('DELETE FROM changes WHERE id = ?');
  }

  query({
    afterId = 0,
    beforeId = Number.MAX_SAFE_INTEGER,
    newestFirst,
    limit,
    ...query
  }: HistoryQuery): ChangeRecord[] {
    const statement = newestFirst === true ? this.#newest : this.#oldest;
    const { since, key, group, resource, namespace, name, by } = query;
    const filters = [since, key, group, resource, globOf(namespace), globOf(name), globOf(by)].map(
      (one) => one ?? null,
    );
    return (statement.all(afterId, ...filters, limit, beforeId) as unknown as ChangeRow[]).map((row) => recordOf(row));
  }

  prune({ maxAgeMs, maxBytes }: Retention, now: number): number {
    let excess = this.#facts.number('store.history-bytes') - maxBytes;
    let freed = 0;
    let pruned = 0;
    const rows = this.#step.all(this.#position) as unknown as PruneRow[];
    this.#position = rows.length < PRUNE_STEP ? 0 : (rows.at(-1)?.id ?? 0);
    for (const row of rows) {
      if (row.observed_at >= now - maxAgeMs && excess <= 0) {
        this.#position = 0;
        break;
      }
      if (row.kept === 1) continue;
      this.#remove(row);
      excess -= row.size;
      freed += row.size;
      pruned++;
    }
    this.#facts.add('store.history-bytes', -freed);
    return pruned;
  }

  #remove({ id, before, after }: PruneRow): void {
    this.#failures.forget(id);
    this.#forgetDeliveries.run(id);
    this.#forget.run(id);
    this.#bodies.release(before);
    this.#bodies.release(after);
  }
}

/** SQLite's GLOB with its sets taken out: what is asked for has `*` and `?` only. */
function globOf(pattern: string | undefined): string | undefined {
  return pattern?.replaceAll('[', '[[]');
}
