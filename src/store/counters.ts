/** Counts how deliveries began and ended, by chain. The counts outlive the rows. */
import type { DatabaseSync } from 'node:sqlite';
import { query } from './query.ts';
import { DEAD } from './schema.ts';
import type { Balance } from './looking-back.ts';

export type Count = Exclude<keyof Balance, 'chain' | 'pending' | 'oldestPendingAt'>;

/** How many deliveries of a chain are unfinished, and the first of them. */
interface Waiting {
  readonly chain: string;
  readonly n: number;
  readonly first: number;
}

const COUNTS = [
  'accepted',
  'replayed',
  'completed',
  'halted',
  'dead',
  'superseded',
  'discarded',
] as const satisfies Count[];

/** Counts are added up during a transaction and written once before its end, as most of its calls count the same thing. */
export class Counters {
  readonly #counted = new Map<string, Map<Count, number>>();
  readonly #add;
  readonly #all;
  readonly #pending;
  readonly #seenAt;

  constructor(db: DatabaseSync) {
    this.#add = new Map(
      COUNTS.map((count) => [
        count,
        db.prepare(
          `INSERT INTO counters (chain, ${count}) VALUES (?, ?) ON CONFLICT DO UPDATE SET ${count} = ${count} + excluded.${count}`,
        ),
      ]),
    );
    this.#all = query<Omit<Balance, 'pending' | 'oldestPendingAt'>>(db, 'SELECT * FROM counters ORDER BY chain');
    // Counted, not computed from the other counts, which would make the sums balance by definition.
    this.#pending = query<Waiting>(
      db,
      `SELECT chain, count(*) AS n, min(id) AS first FROM deliveries WHERE state < ${DEAD} GROUP BY chain`,
    );
    this.#seenAt = query<{ at: number }>(
      db,
      'SELECT c.observed_at AS at FROM deliveries d JOIN changes c ON c.id = d.change WHERE d.id = ?',
    );
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

  balances(): Balance[] {
    this.write();
    const waiting = new Map(this.#pending.all().map((row) => [row.chain, row]));
    return this.#all.all().map((row) => {
      const { n: pending = 0, first } = waiting.get(row.chain) ?? {};
      const oldestPendingAt = first === undefined ? undefined : this.#seenAt.get(first)?.at;
      return { ...row, pending, oldestPendingAt };
    });
  }
}
