/**
 * Which deliveries were being worked on when the process died. Nothing is noted while all goes well: the first crash only makes
 * the next process look, at what was unfinished then. What it hands out of that is counted with the claim, so that a further crash
 * leaves a trace; and what has a trace is handed out alone, so that nobody else is blamed.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Facts } from './facts.ts';
import { READY } from './schema.ts';

const RUNNING = 'store.running';

export class Crashes {
  readonly #facts: Facts;
  readonly #statements;
  /** What is older was unfinished when the last process died; 0: it did not die. */
  #suspectsUpTo = 0;

  constructor(db: DatabaseSync, facts: Facts) {
    this.#facts = facts;
    const ready = `chain = ? AND state = ${READY} AND id NOT IN temp.claimed AND id <= ?`;
    this.#statements = {
      last: db.prepare('SELECT max(id) AS id FROM deliveries'),
      forget: db.prepare('UPDATE deliveries SET claims = 0 WHERE claims > 0'),
      old: db.prepare(`SELECT 1 FROM deliveries WHERE ${ready} LIMIT 1`),
      suspect: db.prepare(`SELECT id FROM deliveries WHERE ${ready} AND claims > 0 ORDER BY id LIMIT 1`),
      claimed: db.prepare('SELECT 1 FROM temp.claimed t JOIN deliveries d ON d.id = t.id WHERE d.chain = ? LIMIT 1'),
      count: db.prepare('UPDATE deliveries SET claims = claims + 1 WHERE id = ?'),
    };
  }

  /** A writer opens the store: does it come after one that died? */
  begin(): void {
    if (this.#facts.get(RUNNING) === '1') this.#suspectsUpTo = Number(this.#statements.last.get()?.['id'] ?? 0);
    else this.#statements.forget.run();
    this.#facts.set(RUNNING, '1');
  }

  /** It ends as it should. */
  end(): void {
    this.#facts.set(RUNNING, '0');
  }

  /** Whether the next claim of the chain hands out what was unfinished at a crash. */
  isCareful(chain: string): boolean {
    return this.#suspectsUpTo > 0 && this.#statements.old.get(chain, this.#suspectsUpTo) !== undefined;
  }

  /** The one delivery that may be handed out now; `wait` while others run; undefined: whatever is ready. */
  only(chain: string): number | 'wait' | undefined {
    if (!this.isCareful(chain)) return undefined;
    const suspect = this.#statements.suspect.get(chain, this.#suspectsUpTo)?.['id'];
    if (typeof suspect !== 'number') return undefined;
    return this.#statements.claimed.get(chain) === undefined ? suspect : 'wait';
  }

  /** It is handed out. */
  count(delivery: number): void {
    if (delivery <= this.#suspectsUpTo) this.#statements.count.run(delivery);
  }
}
