/**
 * Overload: several changes of one object that have waited long, none of them attempted, become one. The first delivery keeps
 * its place and reports from its own `before` to the newest `after`; the others end as superseded. The history keeps each change.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Actor, Manifest } from '../change.ts';
import { isSameJson } from '../json.ts';
import { parseManifest } from '../parse-json.ts';
import type { Counters } from './counters.ts';
import { UNBLOCK, type ReportedRow } from './delivery-row.ts';
import { query } from './query.ts';
import { ACTIONS, CHANGE_COLUMNS, CHANGE_JOINS, recordOf, type ChangeRow } from './records.ts';
import { BLOCKED, DEAD, DONE, READY } from './schema.ts';
import type { ChangeRecord } from './change-of.ts';

/** A change that has waited for less is not merged: a retry or a busy second is not overload. */
const LATE_MS = 10_000;
/** How many ready deliveries to look at: more than the next claim can hand out. */
const MAX_FIRST = 200;
/** Successors that one claim looks at per object, and in all: bounds its time. */
const MAX_SUCCESSORS = 100;
const MAX_IN_ALL = 1_000;

interface Waiting {
  readonly delivery: number;
  readonly queue: string;
  readonly change: number;
  readonly action: number;
  /** The last change that it reports: another one if it was merged before, even in the parent chain of a branch. */
  readonly newest: number;
  readonly newest_action: number;
  readonly merged_actors: string | null;
  readonly due_since: number | null;
  readonly uid: string;
  readonly fresh: number;
}

export class Merging {
  readonly #counters: Counters;
  readonly #statements;

  constructor(db: DatabaseSync, counters: Counters) {
    this.#counters = counters;
    this.#statements = prepare(db);
  }

  /** Whether {@link merge} may find something. */
  isLate(chain: string, now: number): boolean {
    const oldest = this.#statements.oldest.get(chain);
    return oldest !== undefined && oldest.observed_at <= now - LATE_MS;
  }

  /** Merges into deliveries that the next claim hands out. Returns how many ended as superseded. */
  merge(chain: string, limit: number, now: number): number {
    let remaining = MAX_IN_ALL;
    let superseded = 0;
    for (const row of this.#statements.late.all(chain, now - LATE_MS, limit)) {
      if (remaining <= 0) break;
      const successorLimit = Math.min(remaining, MAX_SUCCESSORS);
      const successors = this.#statements.successors.all(chain, row.queue, successorLimit);
      remaining -= successors.length;
      const end = successors.findIndex(({ uid, fresh }) => uid !== row.uid || fresh === 0);
      const merged = end === -1 ? successors : successors.slice(0, end);
      if (merged.length > 0) superseded += this.#mergeInto(chain, row, merged, now);
    }
    if (superseded > 0) this.#counters.add(chain, 'superseded', superseded);
    return superseded;
  }

  /** Excludes a delivery from merging: it may have been sent without a record of it. */
  keepApart(delivery: number): void {
    this.#statements.keepApart.run(delivery);
  }

  /** The change that a delivery reports. */
  recordOf(row: ReportedRow): ChangeRecord {
    const record = this.#merged(row);
    return row.replayed === 1 ? { ...record, flags: { ...record.flags, replayed: true } } : record;
  }

  /** From the first change to the newest. */
  #merged(first: ReportedRow): ChangeRecord {
    const { newest, merged_actors: actors } = first;
    const row = newest === null ? undefined : this.#statements.change.get(newest);
    if (row === undefined) return recordOf(first);
    const last = recordOf(row, { compacted: true });
    const reported = { ...last, actors: actors ?? last.actors };
    if (last.action === 'deleted') return reported;
    // The object may have left its scope and come back in between: then it was there before and is now.
    const action = recordOf(first).action === 'added' ? 'added' : 'updated';
    return { ...reported, before: first.before, action };
  }

  #mergeInto(chain: string, first: Waiting, others: readonly Waiting[], now: number): number {
    const last = others.at(-1) ?? first;
    const end = (delivery: number, reason: string): void => void this.#statements.supersede.run(reason, now, delivery);
    if (this.#isUndone(first, last)) {
      for (const { delivery } of [first, ...others]) end(delivery, `undone by change ${last.newest}`);
      this.#statements.unblock.run(first.due_since, chain, first.queue);
      return others.length + 1;
    }
    const actors = [first, ...others].map((one) => one.merged_actors ?? this.#actorsOf(one.change));
    this.#statements.point.run(last.newest, mergeActors(actors), first.delivery);
    for (const { delivery } of others) end(delivery, `merged into change ${first.change}`);
    return others.length;
  }

  #actorsOf(change: number): string {
    return this.#statements.actors.get(change)?.actors ?? '[]';
  }

  /** Whether nothing is left to report: the object came and went, or is again as it was. */
  #isUndone(first: Waiting, last: Waiting): boolean {
    if (ACTIONS[first.action] === 'added') return ACTIONS[last.newest_action] === 'deleted';
    const before = this.#statements.change.get(first.change);
    const after = this.#statements.change.get(last.newest);
    return isSameJson(stateOf(before?.before), stateOf(after?.after));
  }
}

/** The manifest without the fields that every write changes. */
function stateOf(bytes: Uint8Array | null | undefined): Manifest | undefined {
  if (bytes === null || bytes === undefined) return undefined;
  const { metadata, ...rest } = parseManifest(bytes);
  const { resourceVersion: _version, generation: _generation, ...kept } = metadata;
  return { ...rest, metadata: kept };
}

/** As JSON: each manager once per operation and subresource, with all paths and the latest time. */
function mergeActors(lists: readonly string[]): string {
  const actors = new Map<string, Actor>();
  for (const actor of lists.flatMap((list) => JSON.parse(list) as Actor[])) {
    const key = JSON.stringify([actor.manager, actor.operation, actor.subresource]);
    const paths = [...new Set([...(actors.get(key)?.paths ?? []), ...actor.paths])];
    actors.set(key, { ...actor, paths });
  }
  return JSON.stringify([...actors.values()]);
}

function prepare(db: DatabaseSync) {
  // Deliveries that were ready when the previous process ended, or that a reload cut off, may have been sent without a record.
  // They are sent again unchanged, under their own key: merged, they would be repetitions that nobody can recognise. The same
  // goes for those kept alone, or in a fixed batch, which may wait by now.
  db.exec(`CREATE TEMP TABLE perhaps_sent (id INTEGER PRIMARY KEY);
    INSERT INTO temp.perhaps_sent
      SELECT id FROM deliveries WHERE state < ${DEAD} AND (state = ${READY} OR batch IS NOT NULL)`);
  // Never attempted, and without edits: a branch's notes are about a single change.
  const fresh = `d.attempts = 0 AND d.delivered = '[]' AND d.replayed = 0 AND d.deferred_since IS NULL
    AND d.timer_of IS NULL AND d.edits IS NULL AND d.id NOT IN temp.perhaps_sent AS fresh`;
  const columns = `d.id AS delivery, d.queue, d.change, c.action, c.uid,
    n.id AS newest, n.action AS newest_action, d.actors AS merged_actors, d.due_since, ${fresh}`;
  const joined = 'deliveries d JOIN changes c ON c.id = d.change';
  const reported = `${joined} JOIN changes n ON n.id = coalesce(d.newest, d.change)`;
  const ready = `d.chain = ?1 AND d.state = ${READY} AND d.id NOT IN temp.claimed`;
  return {
    oldest: query<{ observed_at: number }>(
      db,
      `SELECT c.observed_at FROM ${joined} WHERE ${ready} ORDER BY d.id LIMIT 1`,
    ),
    late: query<Waiting>(
      db,
      // Limited, because most have no successor, so that each claim would look at the whole backlog.
      `SELECT ${columns} FROM (SELECT * FROM deliveries d WHERE ${ready} ORDER BY d.id LIMIT ${MAX_FIRST}) d
       JOIN changes c ON c.id = d.change JOIN changes n ON n.id = coalesce(d.newest, d.change)
       WHERE c.observed_at <= ?2 AND fresh AND EXISTS (
         SELECT 1 FROM deliveries WHERE chain = ?1 AND queue = d.queue AND state = ${BLOCKED} AND state < ${DEAD}
       ) ORDER BY d.id LIMIT ?3 + 0`,
    ),
    successors: query<Waiting>(
      db,
      `SELECT ${columns} FROM ${reported}
       WHERE d.chain = ? AND d.queue = ? AND d.state = ${BLOCKED} AND d.state < ${DEAD} ORDER BY d.id LIMIT ? + 0`,
    ),
    change: query<ChangeRow>(db, `SELECT ${CHANGE_COLUMNS} FROM changes c ${CHANGE_JOINS} WHERE c.id = ?`),
    actors: query<{ actors: string }>(db, 'SELECT actors FROM changes WHERE id = ?'),
    point: db.prepare('UPDATE deliveries SET newest = ?, actors = ? WHERE id = ?'),
    supersede: db.prepare(
      `UPDATE deliveries SET state = ${DONE}, outcome = 'superseded', reason = ?, ended_at = ? WHERE id = ?`,
    ),
    unblock: db.prepare(UNBLOCK),
    keepApart: db.prepare('INSERT OR IGNORE INTO temp.perhaps_sent VALUES (?)'),
  };
}
