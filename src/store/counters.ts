/** Counts how deliveries began and ended, by chain. The counts outlive the rows. */
import type { DatabaseSync } from 'node:sqlite';
import { query } from './query.ts';
import { BLOCKED, DEAD, GATHERED, PARKED, READY } from './schema.ts';
import type { Balance } from './looking-back.ts';

export type Count = Exclude<keyof Balance, 'chain' | 'pending' | 'dueSince'>;

const COUNTS = [
  'accepted',
  'replayed',
  'completed',
  'halted',
  'dead',
  'superseded',
  'discarded',
] as const satisfies Count[];

/**
 * See `Balance.dueSince`. Of those without a `due_since`, ids ascend with the time; the indexes cover all that is read of them, as there
 * may be a hundred thousand. A blocked one is behind another, which stands for it.
 */
const DUE_SINCE = `
  SELECT min(at) AS at FROM (
    SELECT observed_at AS at FROM changes WHERE id IN (
      SELECT change FROM deliveries WHERE id IN (
        (SELECT id FROM deliveries WHERE chain = ?1 AND state = ${READY} AND due_since IS NULL ORDER BY id LIMIT 1),
        (SELECT min(id) FROM deliveries INDEXED BY deliveries_parked WHERE chain = ?1 AND state = ${PARKED} AND due_since IS NULL),
        (SELECT min(id) FROM deliveries INDEXED BY deliveries_gathered WHERE chain = ?1 AND state = ${GATHERED} AND due_since IS NULL)
      )
    )
    UNION ALL
    SELECT max(d.due_since, c.observed_at) FROM deliveries d JOIN changes c ON c.id = d.change
    WHERE d.chain = ?1 AND d.due_since <= ?2 AND d.state < ${DEAD} AND d.state <> ${BLOCKED}
  )`;

/** Counts are added up during a transaction and written once before its end, as most of its calls count the same thing. */
export class Counters {
  readonly #counted = new Map<string, Map<Count, number>>();
  readonly #add;
  readonly #all;
  readonly #pending;
  readonly #dueSince;

  constructor(db: DatabaseSync) {
    this.#add = new Map(
      COUNTS.map((count) => [
        count,
        db.prepare(
          `INSERT INTO counters (chain, ${count}) VALUES (?, ?) ON CONFLICT DO UPDATE SET ${count} = ${count} + excluded.${count}`,
        ),
      ]),
    );
    this.#all = query<Omit<Balance, 'pending' | 'dueSince'>>(db, 'SELECT * FROM counters ORDER BY chain');
    // Counted, not computed from the other counts, which would make the sums balance by definition.
    this.#pending = query<{ chain: string; n: number }>(
      db,
      `SELECT chain, count(*) AS n FROM deliveries WHERE state < ${DEAD} GROUP BY chain`,
    );
    this.#dueSince = query<{ at: number | null }>(db, DUE_SINCE);
  }

  add(chain: string, count: Count, amount = 1): void {
    const counts = this.#counted.get(chain) ?? new Map<Count, number>();
    this.#counted.set(chain, counts.set(count, (counts.get(count) ?? 0) + amount));
  }

  /** To be called right before a commit. */
  write(): void {
    for (const [chain, counts] of this.#counted) {
      for (const [count, amount] of counts) this.#add.get(count)?.run(chain, amount);
    }
    this.forget();
  }

  /** To be called after a rollback. */
  forget(): void {
    this.#counted.clear();
  }

  balances(now: number): Balance[] {
    this.write();
    const waiting = new Map(this.#pending.all().map(({ chain, n }) => [chain, n]));
    return this.#all.all().map((row) => ({
      ...row,
      pending: waiting.get(row.chain) ?? 0,
      dueSince: this.#dueSince.get(row.chain, now)?.at ?? undefined,
    }));
  }
}
