/** How deliveries began and ended, by chain. They outlive the rows they count. */
import type { DatabaseSync } from 'node:sqlite';
import { DEAD } from './schema.ts';
import type { Balance } from './store.ts';

export type Count = Exclude<keyof Balance, 'chain' | 'pending'>;

const COUNTS = [
  'accepted',
  'replayed',
  'completed',
  'halted',
  'dead',
  'superseded',
  'discarded',
] as const satisfies Count[];

export class Counters {
  readonly #add;
  readonly #all;
  readonly #pending;

  constructor(db: DatabaseSync) {
    this.#add = new Map(
      COUNTS.map((count) => [
        count,
        db.prepare(
          `INSERT INTO counters (chain, ${count}) VALUES (?, ?) ON CONFLICT DO UPDATE SET ${count} = ${count} + excluded.${count}`,
        ),
      ]),
    );
    this.#all = db.prepare('SELECT * FROM counters ORDER BY chain');
    // Counted, not computed from the others: the sum would balance by definition.
    this.#pending = db.prepare(`SELECT chain, count(*) AS n FROM deliveries WHERE state < ${DEAD} GROUP BY chain`);
  }

  add(chain: string, count: Count, amount = 1): void {
    this.#add.get(count)?.run(chain, amount);
  }

  balances(): Balance[] {
    const pending = new Map(this.#pending.all().map((row) => [row['chain'], Number(row['n'])]));
    return this.#all.all().map((row) => ({
      ...(row as unknown as Omit<Balance, 'pending'>),
      pending: pending.get(row['chain'] ?? '') ?? 0,
    }));
  }
}
