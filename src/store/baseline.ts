/** Scopes, and what was last accepted in each. */
import type { DatabaseSync } from 'node:sqlite';
import type { Bodies } from './bodies.ts';
import { requireRow, query } from './query.ts';
import type { Kinds } from './records.ts';
import type { Basis, ScopeKey, ScopeSpec, ScopeState, Seen } from './scope.ts';
import type { HeldManifest, HeldQuery } from './stored.ts';

/** A scope, as needed to accept a batch. */
export interface Scope {
  readonly id: number;
  readonly kind: number;
  readonly group: string;
  readonly resource: string;
  readonly chains: readonly string[];
  /** As in {@link Interest}: changes in these fields are noise. */
  readonly except: readonly string[];
}

export interface BaselineRow {
  readonly uid: string;
  readonly rv: string;
  readonly digest: number;
  readonly body: number;
  readonly known: Uint8Array | null;
}

interface ScopeRow {
  readonly id: number;
  readonly grp: string;
  readonly resource: string;
  readonly namespace: string;
  readonly label_selector: string;
  readonly field_selector: string;
  readonly kind: number;
  readonly chains: string;
  readonly cursor: string | null;
  readonly basis: string | null;
}

export class Baseline {
  readonly #bodies: Bodies;
  readonly #kinds: Kinds;
  readonly #statements;

  constructor(db: DatabaseSync, parts: { bodies: Bodies; kinds: Kinds }) {
    this.#bodies = parts.bodies;
    this.#kinds = parts.kinds;
    this.#statements = prepare(db);
  }

  open(spec: ScopeSpec): ScopeState {
    const kind = this.#kinds.idOf(spec, spec.resource);
    const row = requireRow(
      this.#statements.upsertScope.get(
        spec.group,
        spec.resource,
        spec.namespace,
        spec.labelSelector,
        spec.fieldSelector,
        kind,
        JSON.stringify(spec.chains),
      ),
    );
    return this.#stateOf(row);
  }

  scopes(): (ScopeKey & ScopeState)[] {
    const rows = this.#statements.scopes.all();
    return rows
      .map((row) => ({
        group: row.grp,
        resource: row.resource,
        namespace: row.namespace,
        labelSelector: row.label_selector,
        fieldSelector: row.field_selector,
        ...this.#stateOf(row),
      }))
      .filter((scope) => scope.cursor !== undefined || scope.objects > 0);
  }

  /** @throws RangeError if {@link open} never returned this id */
  scope(id: number): Scope {
    const row = this.#statements.scope.get(id);
    if (row === undefined) throw new RangeError(`Cannot find scope ${id}: open it first`);
    const { kind, grp: group, resource, chains, basis } = row;
    const except = basis === null ? [] : (JSON.parse(basis) as Basis).interest.except;
    return { id, kind, group, resource, chains: JSON.parse(chains) as string[], except };
  }

  forget(scope: number): void {
    for (const { body } of this.#statements.bodies.all(scope)) this.#bodies.release(body);
    this.#statements.clear.run(scope);
    this.#statements.forget.run(scope);
  }

  setCursor(scope: number, cursor: string | undefined, basis: Basis | undefined): void {
    if (cursor !== undefined) this.#statements.setCursor.run(cursor, scope);
    if (basis !== undefined) this.#statements.setBasis.run(JSON.stringify(basis), scope);
  }

  get(scope: number, key: string): BaselineRow | undefined {
    return this.#statements.get.get(scope, key);
  }

  put(scope: number, key: string, row: BaselineRow): void {
    this.#statements.put.run(scope, key, row.uid, row.rv, row.digest, row.body, row.known);
  }

  remove(scope: number, key: string): void {
    this.#statements.remove.run(scope, key);
  }

  seen(scope: number, afterKey: string | undefined, limit: number): Seen[] {
    // No key is empty, so every key sorts after ''.
    return this.#statements.seen.all(scope, afterKey ?? '', limit);
  }

  held({ group, resource, namespace, afterKey, limit }: HeldQuery): HeldManifest[] {
    // All keys in a namespace begin with its name and a slash; "0" is the character after the slash.
    const [from, to] = namespace === '' ? ['', '\u{10ffff}'] : [`${namespace}/`, `${namespace}0`];
    const after = afterKey > from ? afterKey : from;
    return this.#statements.held.all(group, resource, after, to, limit);
  }

  find(group: string, resource: string, key: string): Uint8Array<ArrayBuffer> | undefined {
    return this.#statements.find.get(group, resource, key)?.bytes;
  }

  #stateOf({ id, cursor, basis }: ScopeRow): ScopeState {
    return {
      id,
      cursor: cursor ?? undefined,
      basis: basis === null ? undefined : (JSON.parse(basis) as Basis),
      objects: requireRow(this.#statements.count.get(id)).n,
    };
  }
}

function prepare(db: DatabaseSync) {
  const page = 'WHERE scope = ? AND key > ? ORDER BY key LIMIT ?';
  return {
    upsertScope: query<ScopeRow>(
      db,
      `INSERT INTO scopes (grp, resource, namespace, label_selector, field_selector, kind, chains) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET kind = excluded.kind, chains = excluded.chains RETURNING *`,
    ),
    scopes: query<ScopeRow>(db, 'SELECT * FROM scopes ORDER BY id'),
    scope: query<ScopeRow>(db, 'SELECT * FROM scopes WHERE id = ?'),
    forget: db.prepare('UPDATE scopes SET cursor = NULL, basis = NULL WHERE id = ?'),
    setCursor: db.prepare('UPDATE scopes SET cursor = ? WHERE id = ?'),
    setBasis: db.prepare('UPDATE scopes SET basis = ? WHERE id = ?'),
    count: query<{ n: number }>(db, 'SELECT count(*) AS n FROM baseline WHERE scope = ?'),
    bodies: query<Pick<BaselineRow, 'body'>>(db, 'SELECT body FROM baseline WHERE scope = ?'),
    clear: db.prepare('DELETE FROM baseline WHERE scope = ?'),
    get: query<BaselineRow>(db, 'SELECT uid, rv, digest, body, known FROM baseline WHERE scope = ? AND key = ?'),
    put: db.prepare('INSERT OR REPLACE INTO baseline VALUES (?, ?, ?, ?, ?, ?, ?)'),
    remove: db.prepare('DELETE FROM baseline WHERE scope = ? AND key = ?'),
    seen: query<Seen>(db, `SELECT key, uid, rv AS resourceVersion, digest FROM baseline ${page}`),
    held: query<HeldManifest>(
      db,
      `SELECT b.key, bytes AS body FROM scopes s JOIN baseline b ON b.scope = s.id JOIN bodies ON bodies.id = b.body
       WHERE s.grp = ? AND s.resource = ? AND b.key > ? AND b.key < ? GROUP BY b.key ORDER BY b.key LIMIT ?`,
    ),
    find: query<{ bytes: Uint8Array<ArrayBuffer> }>(
      db,
      `SELECT bytes FROM scopes s JOIN baseline b ON b.scope = s.id JOIN bodies ON bodies.id = b.body
       WHERE s.grp = ? AND s.resource = ? AND b.key = ? LIMIT 1`,
    ),
  };
}
