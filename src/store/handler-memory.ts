/** The states that stateful handlers keep for an object or a group, and the wake-ups they asked for. */
import type { DatabaseSync } from 'node:sqlite';
import { requireRow, query } from './query.ts';
import { groupOf, queueOf, type Changes } from './records.ts';
import type { StateWrites } from './delivery.ts';
import type { NewState, StateId, StoredState } from './stored.ts';

/** Each handler's state as JSON. */
export type StateRecords = readonly (readonly [handler: string, value: string])[];

/** A due wake-up that has become a change. */
export interface DueTimer {
  readonly handler: string;
  readonly queue: string;
  readonly change: number;
}

interface TimerRow {
  readonly handler: string;
  readonly queue: string;
  readonly kind: number;
  readonly key: string;
  readonly uid: string;
  readonly due_at: number;
}

interface TimerOrigin {
  readonly kind: number;
  readonly grp: string;
  readonly resource: string;
  readonly key: string;
  readonly uid: string;
}

export class HandlerMemory {
  readonly #changes: Changes;
  readonly #statements;

  constructor(db: DatabaseSync, changes: Changes) {
    this.#changes = changes;
    this.#statements = prepare(db);
  }

  states(queue: string, handlers: readonly string[]): StateRecords {
    return handlers.flatMap((handler): [string, string][] => {
      const state = this.#statements.getState.get(handler, queue);
      return state === undefined ? [] : [[handler, state.value]];
    });
  }

  /** Writes what the handlers decided on a change of this chain and queue. */
  write(of: { chain: string; queue: string; change: number }, { states, wakeUps }: StateWrites): void {
    for (const [handler, value] of states ?? []) {
      if (value === null) this.#statements.dropState.run(handler, of.queue);
      else this.#statements.putState.run(handler, of.queue, JSON.stringify(value));
    }
    if (wakeUps === undefined || wakeUps.length === 0) return;
    const change = this.#originOf(of.change);
    for (const { handler, key, at } of wakeUps) {
      const queue = groupOf(of.queue) === undefined ? queueOf(change.grp, change.resource, key) : of.queue;
      const uid = key === change.key ? change.uid : '';
      if (at === null) this.#statements.dropTimer.run(of.chain, handler, queue);
      else this.#statements.putTimer.run(of.chain, handler, queue, change.kind, key, uid, at);
    }
  }

  /** The queue of the object that the change is about. */
  queueOfChange(change: number): string {
    const { grp, resource, key } = this.#originOf(change);
    return queueOf(grp, resource, key);
  }

  #originOf(change: number): TimerOrigin {
    return requireRow(this.#statements.change.get(change));
  }

  all(handler: string): string[] {
    return this.#statements.allStates.all(handler).map(({ value }) => value);
  }

  page(after: StateId | undefined, limit: number): StoredState[] {
    return this.#statements.statePage.all(after?.handler ?? '', after?.queue ?? '', limit).map((row) => ({ ...row }));
  }

  replace({ handler, queue, text, by }: NewState): void {
    this.#statements.replaceState.run(by, handler, queue, text);
  }

  nextTimer(chain: string): number | undefined {
    return this.#statements.nextTimer.get(chain)?.due_at;
  }

  /**
   * Turns due timers into changes, the earliest first. Their `resourceVersion` is their due time, so that two wake-ups of one
   * object have different idempotency keys.
   */
  takeTimers(chain: string, now: number, limit: number): DueTimer[] {
    const rows = this.#statements.dueTimers.all(chain, now, limit);
    return rows.map(({ handler, queue, kind, key, uid, due_at: dueAt }) => {
      this.#statements.dropTimer.run(chain, handler, queue);
      const change = this.#changes.append({
        action: 'timer',
        kind,
        key,
        uid: uid === '' ? key : uid,
        resourceVersion: String(dueAt),
        before: null,
        after: null,
        actors: '[]',
        observedAt: now,
        flags: 0,
        size: 0,
      });
      return { handler, queue, change };
    });
  }
}

function prepare(db: DatabaseSync) {
  return {
    getState: query<{ value: string }>(db, 'SELECT value FROM states WHERE handler = ? AND queue = ?'),
    allStates: query<{ value: string }>(db, 'SELECT value FROM states WHERE handler = ?'),
    statePage: query<StoredState>(
      db,
      `SELECT handler, queue, value AS text FROM states WHERE (handler, queue) > (?, ?) ORDER BY handler, queue LIMIT ?`,
    ),
    replaceState: db.prepare('UPDATE states SET value = ? WHERE handler = ? AND queue = ? AND value = ?'),
    putState: db.prepare('INSERT OR REPLACE INTO states VALUES (?, ?, ?)'),
    dropState: db.prepare('DELETE FROM states WHERE handler = ? AND queue = ?'),
    change: query<TimerOrigin>(
      db,
      'SELECT c.kind, k.grp, k.resource, c.key, c.uid FROM changes c JOIN kinds k ON k.id = c.kind WHERE c.id = ?',
    ),
    putTimer: db.prepare('INSERT OR REPLACE INTO timers VALUES (?, ?, ?, ?, ?, ?, ?)'),
    dropTimer: db.prepare('DELETE FROM timers WHERE chain = ? AND handler = ? AND queue = ?'),
    nextTimer: query<Pick<TimerRow, 'due_at'>>(db, 'SELECT due_at FROM timers WHERE chain = ? ORDER BY due_at LIMIT 1'),
    dueTimers: query<TimerRow>(db, 'SELECT * FROM timers WHERE chain = ? AND due_at <= ? ORDER BY due_at LIMIT ?'),
  };
}
