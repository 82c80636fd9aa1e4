/**
 * Which deliveries were being worked on when the process died, and how many times in a row. Claims are noted in a small file
 * beside the store; the next process counts those that were unfinished as suspects, and hands each out alone, so that no
 * other delivery is blamed.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { DeliveryRow } from './delivery-row.ts';
import type { Facts } from './facts.ts';
import { ALONE } from './gathered.ts';
import { NoteFile } from './note-file.ts';
import { query } from './query.ts';
import { GATHERED, READY } from './schema.ts';

const RUNNING = 'store.running';

/** For one chain: how many run at once, which are handed out, in order, and the members of its batch with their due times. */
interface ChainNote {
  readonly atOnce: number;
  readonly ids: readonly number[];
  readonly batch: readonly (readonly [id: number, dueAt: number | null])[];
}

type Notes = Readonly<Record<string, ChainNote>>;

export class Crashes {
  readonly #facts: Facts;
  readonly #statements;
  /** Undefined if there will be no later process to read it. */
  readonly #noteFile: NoteFile | undefined;
  #notes: Notes = {};
  /** Almost always false, which saves a query on each claim. */
  #hasSuspects = false;

  /** @param store the file; null if in memory, or if another process is the writer */
  constructor(db: DatabaseSync, facts: Facts, store: string | null) {
    this.#facts = facts;
    this.#noteFile = store === null ? undefined : new NoteFile(`${store}.running`);
    this.#statements = {
      // A receiver may have it under its own key: within a batch, under another, it could not recognise the repetition.
      count: db.prepare(
        `UPDATE deliveries SET claims = claims + 1, batch = ${ALONE} WHERE id IN (
           SELECT d.id FROM json_each(?) noted JOIN deliveries d ON d.id = noted.value WHERE d.state = ${READY}
           ORDER BY noted.key LIMIT ?)`,
      ),
      // A member that was parked again since has another due time.
      countBatch: db.prepare(
        `UPDATE deliveries SET claims = claims + 1 FROM json_each(?) noted
         WHERE deliveries.id = noted.value ->> 0 AND due_at IS noted.value ->> 1 AND state = ${GATHERED}`,
      ),
      forget: db.prepare('UPDATE deliveries SET claims = 0 WHERE claims > 0'),
      any: db.prepare(`SELECT 1 FROM deliveries WHERE claims > 0 AND state IN (${READY}, ${GATHERED}) LIMIT 1`),
      next: query<{ id: number }>(
        db,
        `SELECT id FROM deliveries WHERE chain = ? AND claims > 0 AND state = ${READY} AND id NOT IN temp.claimed
         ORDER BY id LIMIT 1`,
      ),
      nextBatch: db.prepare(
        `SELECT 1 FROM deliveries WHERE chain = ? AND claims > 0 AND state = ${GATHERED} AND due_at <= ?
           AND id NOT IN temp.claimed LIMIT 1`,
      ),
      running: db.prepare(
        'SELECT 1 FROM temp.claimed t JOIN deliveries d ON d.id = t.id WHERE d.chain = ? AND d.claims > 0 LIMIT 1',
      ),
      claimed: db.prepare('SELECT 1 FROM temp.claimed t JOIN deliveries d ON d.id = t.id WHERE d.chain = ? LIMIT 1'),
      allClaimed: query<{ id: number }>(db, 'SELECT id FROM temp.claimed'),
    };
  }

  /** Called when a writer opens the store; counts what was unfinished if the previous one died. */
  begin(): void {
    if (this.#facts.get(RUNNING) === '1') this.#countNoted();
    else this.#statements.forget.run();
    this.#noteFile?.write({});
    this.refreshSuspects();
    this.#facts.set(RUNNING, '1');
  }

  /** Called on a regular end. */
  end(): void {
    this.#facts.set(RUNNING, '0');
  }

  close(): void {
    this.#noteFile?.close();
  }

  /** Whether, after a delivery ended, others may be claimable that had to wait for a suspect. */
  mayFreeOthers(): boolean {
    if (!this.#hasSuspects) return false;
    this.refreshSuspects();
    return true;
  }

  /** To be called at the start and after a rollback. */
  refreshSuspects(): void {
    this.#hasSuspects = this.#statements.any.get() !== undefined;
  }

  /**
   * The suspect that may be handed out now: a delivery's id, or `batch`. `wait` while a suspect runs, or while others run beside
   * which the next suspect must not run. Undefined if there is no suspect: anything ready may be handed out.
   */
  nextSuspect(chain: string, now: number): number | 'batch' | 'wait' | undefined {
    if (!this.#hasSuspects) return undefined;
    const { next, nextBatch, claimed, running } = this.#statements;
    const suspect = next.get(chain)?.id ?? (nextBatch.get(chain, now) && ('batch' as const));
    if (suspect === undefined) return running.get(chain) === undefined ? undefined : 'wait';
    return claimed.get(chain) === undefined ? suspect : 'wait';
  }

  /** Notes that the chain has been given these, of which it runs `atOnce` at a time, in order. */
  note(chain: string, atOnce: number, handedOut: readonly number[]): void {
    if (this.#noteFile === undefined || handedOut.length === 0) return;
    const claimed = new Set(this.#statements.allClaimed.all().map(({ id }) => id));
    for (const id of handedOut) claimed.delete(id);
    const earlier = (this.#notes[chain]?.ids ?? []).filter((id) => claimed.has(id));
    this.#write(chain, { atOnce, ids: [...earlier, ...handedOut] });
  }

  /** Notes that the chain has been given this batch, and has no other. */
  noteBatch(chain: string, members: readonly Pick<DeliveryRow, 'delivery' | 'due_at'>[]): void {
    this.#write(chain, { batch: members.map(({ delivery, due_at: dueAt }) => [delivery, dueAt]) });
  }

  #write(chain: string, part: Partial<ChainNote>): void {
    if (this.#noteFile === undefined) return;
    const note = { atOnce: 0, ids: [], batch: [], ...this.#notes[chain], ...part };
    this.#notes = { ...this.#notes, [chain]: note };
    this.#noteFile.write(this.#notes);
  }

  #countNoted(): void {
    const notes = (this.#noteFile?.read() ?? {}) as Notes;
    // Deliveries that have ended or been parked are no longer ready; the first of the rest are those that were running.
    for (const { ids, atOnce, batch = [] } of Object.values(notes)) {
      this.#statements.count.run(JSON.stringify(ids), atOnce);
      this.#statements.countBatch.run(JSON.stringify(batch));
    }
  }
}
