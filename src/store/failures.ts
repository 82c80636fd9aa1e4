/** The failures of a delivery, attempt by attempt. Written only when something fails. */
import type { DatabaseSync } from 'node:sqlite';
import { query } from './query.ts';
import type { Failure } from './looking-back.ts';

/** How one run of a chain failed. */
export interface NewFailure extends Pick<Failure, 'outcome' | 'attempt' | 'handler' | 'error'> {
  readonly at: number;
}

/** Replaces a forgotten text. */
const FORGOTTEN = 'removed: new redaction rules hide something that it may quote';
/** Selects the deliveries that report any of the changes in a JSON array of numbers. */
const OF_CHANGES = `
  SELECT id FROM deliveries
  WHERE change IN (SELECT value FROM json_each(?1)) OR newest IN (SELECT value FROM json_each(?1))`;

interface LastRow {
  readonly n: number;
  readonly outcome: string;
  readonly handler: string;
  readonly error: string;
}

export class Failures {
  readonly #last;
  readonly #add;
  readonly #repeat;
  readonly #of;
  readonly #forget;
  readonly #changesOf;
  readonly #blankErrors;
  readonly #blankReasons;

  constructor(db: DatabaseSync) {
    this.#last = query<LastRow>(
      db,
      'SELECT n, outcome, handler, error FROM failures WHERE delivery = ? ORDER BY n DESC LIMIT 1',
    );
    this.#add = db.prepare(
      `INSERT INTO failures (delivery, n, outcome, attempt, handler, error, at, times, last_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?7)`,
    );
    this.#repeat = db.prepare('UPDATE failures SET times = times + 1, last_at = ? WHERE delivery = ? AND n = ?');
    this.#of = query<Failure>(
      db,
      `SELECT outcome, attempt, handler, error, at, times, last_at AS lastAt
       FROM failures WHERE delivery = ? ORDER BY n`,
    );
    this.#forget = db.prepare('DELETE FROM failures WHERE delivery IN (SELECT id FROM deliveries WHERE change = ?)');
    this.#changesOf = query<{ id: number }>(
      db,
      `SELECT id FROM changes
       WHERE before IN (SELECT value FROM json_each(?1)) OR after IN (SELECT value FROM json_each(?1))`,
    );
    this.#blankErrors = db.prepare(`UPDATE failures SET error = '${FORGOTTEN}' WHERE delivery IN (${OF_CHANGES})`);
    this.#blankReasons = db.prepare(
      `UPDATE deliveries SET reason = '${FORGOTTEN}' WHERE reason IS NOT NULL AND id IN (${OF_CHANGES})`,
    );
  }

  /** A deferral equal to the previous one only increments its count: a receiver that is down for a week costs one row. */
  add(delivery: number, { outcome, attempt, handler, error, at }: NewFailure): void {
    const last = this.#last.get(delivery);
    const isRepeated = last?.outcome === 'deferred' && last.handler === handler && last.error === error;
    if (isRepeated && outcome === 'deferred') this.#repeat.run(at, delivery, last.n);
    else this.#add.run(delivery, (last?.n ?? 0) + 1, outcome, attempt, handler, error, at);
  }

  of(delivery: number): Failure[] {
    return this.#of.all(delivery).map((row) => ({ ...row }));
  }

  /** To be called before the deliveries of the change are deleted. */
  forget(change: number): void {
    this.#forget.run(change);
  }

  /** Blanks errors and reasons for changes from or to these bodies: a receiver or a program may have quoted them. */
  blank(bodies: readonly number[]): void {
    const changes = JSON.stringify(this.#changesOf.all(JSON.stringify(bodies)).map(({ id }) => id));
    this.#blankErrors.run(changes);
    this.#blankReasons.run(changes);
  }
}
