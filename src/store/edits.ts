/** What handlers made of a change before its branches get it: stored once for all of them, until the last is done. */
import type { DatabaseSync } from 'node:sqlite';

export class Edits {
  readonly #insert;
  readonly #find;
  readonly #drop;
  readonly #prune;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO edits (text) VALUES (?)');
    this.#find = db.prepare('SELECT text FROM edits WHERE id = ?');
    this.#drop = db.prepare('UPDATE deliveries SET edits = NULL WHERE id = ?');
    this.#prune = db.prepare(
      'DELETE FROM edits WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE edits = ?1)',
    );
  }

  add(text: string): number {
    return Number(this.#insert.run(text).lastInsertRowid);
  }

  find(id: number | null): string | undefined {
    return id === null ? undefined : (this.#find.get(id)?.['text'] as string | undefined);
  }

  /** The delivery needs them no more. */
  drop(delivery: number, id: number | null): void {
    if (id === null) return;
    this.#drop.run(delivery);
    this.#prune.run(id);
  }
}
