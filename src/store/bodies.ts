/** Manifests as bytes, each stored once and counted by its users. */
import type { DatabaseSync } from 'node:sqlite';

export class Bodies {
  readonly #insert;
  readonly #delete;
  readonly #unuse;
  readonly #use;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO bodies (uses, bytes) VALUES (1, ?)');
    this.#delete = db.prepare('DELETE FROM bodies WHERE id = ? AND uses = 1');
    this.#unuse = db.prepare('UPDATE bodies SET uses = uses - 1 WHERE id = ?');
    this.#use = db.prepare('UPDATE bodies SET uses = uses + 1 WHERE id = ?');
  }

  /** Stores a body with one user. */
  add(bytes: Uint8Array): number {
    return Number(this.#insert.run(bytes).lastInsertRowid);
  }

  /** One more user. */
  use(id: number): void {
    this.#use.run(id);
  }

  /** One user less; the last one takes the body along. */
  release(id: number | null): void {
    if (id === null) return;
    if (this.#delete.run(id).changes === 0) this.#unuse.run(id);
  }
}
