/** Observations of an incomplete list. Their bodies are stored in their final place, so accepting them only moves a number. */
import type { DatabaseSync } from 'node:sqlite';
import type { Bodies } from './bodies.ts';
import { GONE, unpackObservations, type Observed, type PackedObservations } from './observations.ts';
import { query } from './query.ts';

interface StagedRow {
  readonly id: number;
  readonly bits: number;
  readonly key: string;
  readonly uid: string;
  readonly rv: string;
  readonly digest: number;
  readonly body: number | null;
  readonly size: number;
  readonly managed: Uint8Array | null;
}

/** Rows held in memory at once while a whole list is accepted. */
const PAGE_SIZE = 500;
const EMPTY = new Uint8Array(0);

export class Staging {
  readonly #bodies: Bodies;
  readonly #insert;
  readonly #page;
  readonly #bodyIds;
  readonly #clear;

  constructor(db: DatabaseSync, bodies: Bodies) {
    this.#bodies = bodies;
    this.#insert = db.prepare(
      'INSERT INTO staged (scope, bits, key, uid, rv, digest, body, size, managed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#page = query<StagedRow>(db, 'SELECT * FROM staged WHERE scope = ? AND id > ? ORDER BY id LIMIT ?');
    this.#bodyIds = query<Pick<StagedRow, 'body'>>(db, 'SELECT body FROM staged WHERE scope = ?');
    this.#clear = db.prepare('DELETE FROM staged WHERE scope = ?');
  }

  add(scope: number, kind: number, observations: PackedObservations): void {
    for (const o of unpackObservations(observations)) {
      const body = (o.bits & GONE) === 0 ? this.#bodies.add(kind, o.body) : null;
      this.#insert.run(scope, o.bits, o.key, o.uid, o.resourceVersion, o.digest, body, o.size, o.managedFields ?? null);
    }
  }

  /** In the order in which they were staged. The reader takes over the use of their bodies. */
  *read(scope: number): Generator<Observed> {
    for (let after = 0; ;) {
      const rows = this.#page.all(scope, after, PAGE_SIZE);
      for (const { bits, key, uid, rv, digest, body, size, managed } of rows) {
        const stored = { body: EMPTY, size, bodyId: body ?? undefined, managedFields: managed ?? undefined };
        yield { bits, key, uid, resourceVersion: rv, digest, ...stored };
      }
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.id;
    }
  }

  /** To be called after {@link read}. */
  clear(scope: number): void {
    this.#clear.run(scope);
  }

  /** For observations that were not {@link read}: releases their bodies too. */
  discard(scope: number): void {
    for (const { body } of this.#bodyIds.all(scope)) this.#bodies.release(body);
    this.#clear.run(scope);
  }
}
