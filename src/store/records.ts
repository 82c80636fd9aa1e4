/** Rows of `changes`, and their conversion to and from records. */
import type { DatabaseSync } from 'node:sqlite';
import type { Action, Change, ChangeFlags, Gvk } from '../change.ts';
import { requireRow, query } from './query.ts';
import type { ChangeRecord } from './change-of.ts';
import type { ObjectsQuery } from './looking-back.ts';
import type { RecordedKind } from './stored.ts';

/** Stored as their index: only ever append. */
export const ACTIONS: readonly Action[] = ['added', 'updated', 'deleted', 'timer'];
/** Stored as bits: only ever append. */
const FLAGS = [
  'whileAway',
  'compacted',
  'finalStateUnknown',
  'leftScope',
  'replayed',
  'delayed',
] as const satisfies (keyof ChangeFlags)[];

export const TIMER = ACTIONS.indexOf('timer');

export function bitsOf(flags: ChangeFlags | undefined): number {
  if (flags === undefined) return 0;
  return FLAGS.reduce((bits, flag, i) => (flags[flag] === true ? bits | (1 << i) : bits), 0);
}

function flagsOf(bits: number): ChangeFlags {
  if (bits === 0) return {};
  return Object.fromEntries(FLAGS.filter((_, i) => (bits & (1 << i)) !== 0).map((flag) => [flag, true]));
}

/** The columns that {@link recordOf} reads, from `changes c` and {@link CHANGE_JOINS}. */
export const CHANGE_COLUMNS = `
  c.id, c.action, k.grp, k.version, k.kind, k.resource, c.key, c.uid, c.rv,
  b.bytes AS before, a.bytes AS after, c.actors, c.observed_at, c.flags, c.cluster`;

export const CHANGE_JOINS = `
  JOIN kinds k ON k.id = c.kind
  LEFT JOIN bodies b ON b.id = c.before LEFT JOIN bodies a ON a.id = c.after`;

/**
 * Condition on group, resource, namespace and name, with numbered parameters from `first` on (see {@link objectsValues}), for
 * `changes c` and `kinds k`.
 */
export function objectsCondition(first: number): string {
  const slash = `instr(c.key, '/')`;
  return `(?${first} IS NULL OR k.grp = ?${first}) AND (?${first + 1} IS NULL OR k.resource = ?${first + 1})
    AND (?${first + 2} IS NULL OR (${slash} > 0 AND substr(c.key, 1, ${slash} - 1) GLOB ?${first + 2}))
    AND (?${first + 3} IS NULL OR substr(c.key, ${slash} + 1) GLOB ?${first + 3})`;
}

/** The values for {@link objectsCondition}, in order. */
export function objectsValues({ group, resource, namespace, name }: ObjectsQuery): (string | null)[] {
  return [group ?? null, resource ?? null, globOf(namespace) ?? null, globOf(name) ?? null];
}

/** A pattern for SQLite's GLOB in which `[` is literal: queries support only `*` and `?`. */
export function globOf(pattern: string | undefined): string | undefined {
  return pattern?.replaceAll('[', '[[]');
}

export interface ChangeRow {
  readonly id: number;
  readonly action: number;
  readonly grp: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  readonly key: string;
  readonly uid: string;
  readonly rv: string;
  readonly before: Uint8Array<ArrayBuffer> | null;
  readonly after: Uint8Array<ArrayBuffer> | null;
  readonly actors: string;
  readonly observed_at: number;
  readonly flags: number;
  readonly cluster: string | null;
}

export function recordOf(row: ChangeRow, extra: ChangeFlags = {}): ChangeRecord {
  return {
    id: row.id,
    action: ACTIONS[row.action] ?? 'updated',
    gvk: { group: row.grp, version: row.version, kind: row.kind },
    resource: row.resource,
    key: row.key,
    uid: row.uid,
    resourceVersion: row.rv,
    before: row.before,
    after: row.after,
    actors: row.actors,
    observedAt: row.observed_at,
    flags: { ...flagsOf(row.flags), ...extra },
    cluster: row.cluster ?? undefined,
  };
}

/** The contents of a new row of `changes`. */
export interface NewChange {
  readonly action: Action;
  readonly kind: number;
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Ids of bodies, whose uses the caller has counted. */
  readonly before: number | null;
  readonly after: number | null;
  readonly actors: string;
  readonly observedAt: number;
  /** See {@link bitsOf}. */
  readonly flags: number;
  readonly size: number;
}

/** Appends changes and gives them their accept numbers. */
export class Changes {
  readonly #insert;
  readonly #leaveCluster;

  constructor(db: DatabaseSync) {
    this.#leaveCluster = db.prepare('UPDATE changes SET cluster = ? WHERE cluster IS NULL');
    this.#insert = db.prepare(
      `INSERT INTO changes (action, kind, key, uid, rv, before, after, actors, observed_at, flags, size)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
  }

  /** Marks all existing changes as belonging to this cluster, except those of an earlier one. */
  leaveCluster(cluster: Change['cluster']): void {
    this.#leaveCluster.run(JSON.stringify(cluster));
  }

  append(change: NewChange): number {
    const { action, kind, key, uid, resourceVersion, before, after, actors, observedAt, flags, size } = change;
    const values = [
      ACTIONS.indexOf(action),
      kind,
      key,
      uid,
      resourceVersion,
      before,
      after,
      actors,
      observedAt,
      flags,
      size,
    ];
    return Number(this.#insert.run(...values).lastInsertRowid);
  }
}

/** Assigns numbers to combinations of group, version, kind and resource. */
export class Kinds {
  readonly #insert;
  readonly #find;
  readonly #all;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare(
      'INSERT INTO kinds (grp, version, kind, resource) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#find = query<{ id: number }>(
      db,
      'SELECT id FROM kinds WHERE grp = ? AND version = ? AND kind = ? AND resource = ?',
    );
    this.#all = query<RecordedKind>(db, 'SELECT grp AS "group", version, kind, resource FROM kinds');
  }

  all(): RecordedKind[] {
    return this.#all.all().map((row) => ({ ...row }));
  }

  idOf({ group, version, kind }: Gvk, resource: string): number {
    this.#insert.run(group, version, kind, resource);
    return requireRow(this.#find.get(group, version, kind, resource)).id;
  }
}

/** The queue of an object: its name, regardless of version and uid. Order and state are kept by queue. */
export function queueOf(group: string, resource: string, key: string): string {
  return `${resource}.${group}/${key}`;
}

/** The queue of a group of objects; see {@link Store.join}. No resource has such a name. */
export function groupQueueOf(group: string): string {
  return `@${group}`;
}

/** The group of a queue; undefined for the queue of an object. */
export function groupOf(queue: string): string | undefined {
  return queue.startsWith('@') ? queue.slice(1) : undefined;
}
