/**
 * Which deliveries were being worked on when the process died, and in how many deaths in a row. What is handed out is noted in a
 * small file beside the store; the next process counts what was unfinished of that, and hands out what has a count alone, so that
 * nobody else is blamed.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Facts } from './facts.ts';
import { Jotter } from './jotter.ts';
import { READY } from './schema.ts';

const RUNNING = 'store.running';

/** By chain: how many of them run at once, and those that are handed out, in order. */
type Noted = Readonly<Record<string, { readonly atOnce: number; readonly ids: readonly number[] }>>;

export class Crashes {
  readonly #facts: Facts;
  readonly #statements;
  /** Undefined: nobody comes after us who could read it. */
  readonly #jotter: Jotter | undefined;
  #noted: Noted = {};
  /** Nearly never: then nobody is asked for with each claim. */
  #hasSuspects = false;

  /** @param store the file; null: in memory, or somebody else's to write */
  constructor(db: DatabaseSync, facts: Facts, store: string | null) {
    this.#facts = facts;
    this.#jotter = store === null ? undefined : new Jotter(`${store}.running`);
    const suspects = `deliveries WHERE chain = ? AND claims > 0 AND state = ${READY}`;
    this.#statements = {
      count: db.prepare(
        `UPDATE deliveries SET claims = claims + 1 WHERE id IN (
           SELECT d.id FROM json_each(?) noted JOIN deliveries d ON d.id = noted.value WHERE d.state = ${READY}
           ORDER BY noted.key LIMIT ?)`,
      ),
      forget: db.prepare('UPDATE deliveries SET claims = 0 WHERE claims > 0'),
      any: db.prepare(`SELECT 1 FROM deliveries WHERE claims > 0 AND state = ${READY} LIMIT 1`),
      suspects: db.prepare(`SELECT 1 FROM ${suspects} LIMIT 1`),
      next: db.prepare(`SELECT id FROM ${suspects} AND id NOT IN temp.claimed ORDER BY id LIMIT 1`),
      claimed: db.prepare('SELECT 1 FROM temp.claimed t JOIN deliveries d ON d.id = t.id WHERE d.chain = ? LIMIT 1'),
      isClaimed: db.prepare('SELECT 1 FROM temp.claimed WHERE id = ?'),
    };
  }

  /** A writer opens the store: does it come after one that died? */
  begin(): void {
    if (this.#facts.get(RUNNING) === '1') this.#countNoted();
    else this.#statements.forget.run();
    this.#jotter?.write({});
    this.#hasSuspects = this.#statements.any.get() !== undefined;
    this.#facts.set(RUNNING, '1');
  }

  /** It ends as it should. */
  end(): void {
    this.#facts.set(RUNNING, '0');
  }

  close(): void {
    this.#jotter?.close();
  }

  /** Whether the next claim of the chain hands out what was being worked on at a crash. */
  isCareful(chain: string): boolean {
    if (!this.#hasSuspects) return false;
    if (this.#statements.suspects.get(chain) !== undefined) return true;
    this.#hasSuspects = this.#statements.any.get() !== undefined;
    return false;
  }

  /** The one delivery that may be handed out now; `wait` while others run; undefined: whatever is ready. */
  only(chain: string): number | 'wait' | undefined {
    if (!this.#hasSuspects) return undefined;
    const suspect = this.#statements.next.get(chain)?.['id'];
    if (typeof suspect !== 'number') return undefined;
    return this.#statements.claimed.get(chain) === undefined ? suspect : 'wait';
  }

  /** The chain has got these, and runs so many at once, in the order of getting them. */
  note(chain: string, atOnce: number, handedOut: readonly number[]): void {
    if (this.#jotter === undefined || handedOut.length === 0) return;
    const earlier = (this.#noted[chain]?.ids ?? []).filter(
      (id) => !handedOut.includes(id) && this.#statements.isClaimed.get(id) !== undefined,
    );
    this.#noted = { ...this.#noted, [chain]: { atOnce, ids: [...earlier, ...handedOut] } };
    this.#jotter.write(this.#noted);
  }

  #countNoted(): void {
    const noted = (this.#jotter?.read() ?? {}) as Noted;
    // What ended meanwhile, or was put off, is no longer ready: the first of the others are those that ran.
    for (const { ids, atOnce } of Object.values(noted)) this.#statements.count.run(JSON.stringify(ids), atOnce);
  }
}
