/** What sinks remember, such as the message that starts a thread. */
import type { DatabaseSync } from 'node:sqlite';
import { query } from './query.ts';

export class SinkMemory {
  readonly #get;
  readonly #put;
  readonly #drop;
  readonly #dropOld;

  constructor(db: DatabaseSync) {
    this.#get = query<{ value: string }>(db, 'SELECT value FROM memory WHERE handler = ? AND key = ?');
    this.#put = db.prepare('INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?)');
    this.#drop = db.prepare('DELETE FROM memory WHERE handler = ? AND key = ?');
    this.#dropOld = db.prepare('DELETE FROM memory WHERE at < ?');
  }

  /** Returns JSON. */
  recall(handler: string, key: string): string | undefined {
    return this.#get.get(handler, key)?.value;
  }

  /** @param value JSON; undefined forgets it */
  remember(handler: string, key: string, value: string | undefined, now: number): void {
    if (value === undefined) this.#drop.run(handler, key);
    else this.#put.run(handler, key, value, now);
  }

  /** Forgets everything written before a time. */
  forgetBefore(time: number): void {
    this.#dropOld.run(time);
  }
}
