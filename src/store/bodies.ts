/** Manifests as bytes, each stored once, with a reference count. */
import type { DatabaseSync } from 'node:sqlite';
import { query, requireRow } from './query.ts';

interface BodyRow {
  readonly id: number;
  readonly grp: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export class Bodies {
  readonly #insert;
  readonly #get;
  readonly #page;
  readonly #replace;
  readonly #delete;
  readonly #decrementUses;
  readonly #incrementUses;
  readonly #sizeIfUnshared;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO bodies (uses, kind, bytes) VALUES (?, ?, ?)');
    this.#get = query<Pick<BodyRow, 'bytes'>>(db, 'SELECT bytes FROM bodies WHERE id = ?');
    this.#page = query<BodyRow>(
      db,
      `SELECT b.id, k.grp, k.version, k.kind, k.resource, b.bytes FROM bodies b JOIN kinds k ON k.id = b.kind
       WHERE b.id > ? ORDER BY b.id LIMIT ?`,
    );
    this.#replace = db.prepare('UPDATE bodies SET bytes = ? WHERE id = ?');
    this.#delete = db.prepare('DELETE FROM bodies WHERE id = ? AND uses = 1');
    this.#decrementUses = db.prepare('UPDATE bodies SET uses = uses - 1 WHERE id = ?');
    this.#incrementUses = db.prepare('UPDATE bodies SET uses = uses + 1 WHERE id = ?');
    this.#sizeIfUnshared = query<{ size: number }>(
      db,
      'SELECT length(bytes) AS size FROM bodies WHERE id = ? AND uses = 1',
    );
  }

  /** Stores a body with this reference count. @param kind number of the kind */
  add(kind: number, bytes: Uint8Array, uses = 1): number {
    return Number(this.#insert.run(uses, kind, bytes).lastInsertRowid);
  }

  get(id: number): Uint8Array {
    return requireRow(this.#get.get(id)).bytes;
  }

  page(afterId: number, limit: number) {
    const rows = this.#page.all(afterId, limit);
    return rows.map(({ id, grp: group, version, kind, resource, bytes }) => ({
      id,
      kind: { group, version, kind, resource },
      body: bytes,
    }));
  }

  /** The size in bytes of a body with one user; 0 if it has more. */
  sizeIfUnshared(id: number): number {
    return this.#sizeIfUnshared.get(id)?.size ?? 0;
  }

  /** Replaces the bytes for all users of the body. */
  replace(id: number, bytes: Uint8Array): void {
    this.#replace.run(bytes, id);
  }

  /** Adds a user. */
  use(id: number): void {
    this.#incrementUses.run(id);
  }

  /** Removes a user; the body is deleted with its last one. */
  release(id: number | null): void {
    if (id === null) return;
    if (this.#delete.run(id).changes === 0) this.#decrementUses.run(id);
  }
}
