/** The edits that handlers made to a change before its branches: stored once for all of them, until the last is done. */
import type { DatabaseSync } from 'node:sqlite';
import { query } from './query.ts';
import type { StoredEdits } from './stored.ts';

interface EditsRow {
  readonly id: number;
  readonly text: string;
  readonly grp: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
  readonly newest: Uint8Array | null;
}

export class Edits {
  readonly #insert;
  readonly #find;
  readonly #page;
  readonly #replace;
  readonly #drop;
  readonly #prune;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO edits (text) VALUES (?)');
    this.#find = query<{ text: string }>(db, 'SELECT text FROM edits WHERE id = ?');
    this.#page = query<EditsRow>(
      db,
      `SELECT e.id, e.text, k.grp, k.version, k.kind, k.resource, b.bytes AS before, a.bytes AS after, m.bytes AS newest
       FROM edits e JOIN deliveries d ON d.id = (SELECT min(id) FROM deliveries WHERE edits = e.id)
         JOIN changes c ON c.id = d.change JOIN kinds k ON k.id = c.kind LEFT JOIN changes n ON n.id = d.newest
         LEFT JOIN bodies b ON b.id = c.before LEFT JOIN bodies a ON a.id = c.after LEFT JOIN bodies m ON m.id = n.after
       WHERE e.id > ? ORDER BY e.id LIMIT ?`,
    );
    this.#replace = db.prepare('UPDATE edits SET text = ? WHERE id = ?');
    this.#drop = db.prepare('UPDATE deliveries SET edits = NULL WHERE id = ?');
    this.#prune = db.prepare(
      'DELETE FROM edits WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE edits = ?1)',
    );
  }

  add(text: string): number {
    return Number(this.#insert.run(text).lastInsertRowid);
  }

  find(id: number | null): string | undefined {
    return id === null ? undefined : this.#find.get(id)?.text;
  }

  page(afterId: number, limit: number): StoredEdits[] {
    const rows = this.#page.all(afterId, limit);
    return rows.map(({ id, text, grp: group, version, kind, resource, before, after, newest }) => ({
      id,
      text,
      kind: { group, version, kind, resource },
      manifests: [before, after, newest].filter((body) => body !== null),
    }));
  }

  /** Replaces the text for all deliveries that use it. */
  replace(id: number, text: string): void {
    this.#replace.run(text, id);
  }

  /** For a delivery that no longer needs its edits; they are deleted with the last one. */
  drop(delivery: number, id: number | null): void {
    if (id === null) return;
    this.#drop.run(delivery);
    this.#prune.run(id);
  }
}
