/**
 * Deliveries and their life cycle. At most one unfinished delivery per chain and object is not blocked, which keeps them in order
 * and one at a time.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Counters } from './counters.ts';
import type { Crashes } from './crashes.ts';
import type { Edits } from './edits.ts';
import { MAKE_READY, UNBLOCK } from './delivery-row.ts';
import type { Failures } from './failures.ts';
import type { Gathered } from './gathered.ts';
import type { HandlerMemory, StateRecords } from './handler-memory.ts';
import type { Merging } from './merging.ts';
import { requireRow, query } from './query.ts';
import { groupOf, groupQueueOf } from './records.ts';
import { BLOCKED, DEAD, DONE, PARKED, READY } from './schema.ts';
import type { Death, End, Forks, GroupEnd, Joined, ParkRequest, Sequel, StateWrites } from './delivery.ts';
import { StoreError } from './store-error.ts';

interface DeadEnd {
  readonly kind: 'dead';
  readonly by: string;
  readonly reason: string;
}

interface Ended {
  readonly chain: string;
  readonly queue: string;
  readonly change: number;
  readonly edits: number | null;
  readonly due_since: number | null;
}

/** {@link Joined}, as it leaves the worker. */
export interface JoinedRecord extends Omit<Joined, 'states'> {
  readonly states: StateRecords | undefined;
}

export interface DeliveriesParts {
  readonly counters: Counters;
  readonly crashes: Crashes;
  readonly edits: Edits;
  readonly failures: Failures;
  readonly gathered: Gathered;
  readonly memory: HandlerMemory;
  readonly merging: Merging;
}

export class Deliveries {
  readonly #counters: Counters;
  readonly #edits: Edits;
  readonly #memory: HandlerMemory;
  readonly #failures: Failures;
  readonly #gathered: Gathered;
  readonly #merging: Merging;
  readonly #crashes: Crashes;
  readonly #statements;

  constructor(db: DatabaseSync, parts: DeliveriesParts) {
    this.#counters = parts.counters;
    this.#edits = parts.edits;
    this.#memory = parts.memory;
    this.#failures = parts.failures;
    this.#gathered = parts.gathered;
    this.#merging = parts.merging;
    this.#crashes = parts.crashes;
    this.#statements = prepare(db);
  }

  /** A new delivery, blocked while a predecessor of its queue is unfinished. Not counted: see {@link count}. */
  open(chain: string, change: number, queue: string, timerOf: string | null = null): void {
    this.#statements.open.run(chain, change, queue, this.#firstState(chain, queue), timerOf);
  }

  /** Counts `amount` deliveries opened in each of the chains. */
  count(chains: readonly string[], amount: number): void {
    for (const chain of chains) this.#counters.add(chain, 'accepted', amount);
  }

  checkpoint(delivery: number, handler: string): void {
    this.#requireClaimed(this.#statements.checkpoint.run(handler, delivery).changes, delivery);
  }

  /** Returns whether the chain has more to claim: a freed successor, or a wake-up. */
  complete(delivery: number, end: End, now: number, { writes = {}, forks }: Sequel): boolean {
    const ended = this.#end(delivery, end, now);
    this.#memory.write(ended, writes);
    if (forks !== undefined) this.#fork(delivery, ended, forks);
    this.#edits.drop(delivery, ended.edits);
    return this.#unblock(ended) || (writes.wakeUps?.length ?? 0) > 0 || this.#crashes.mayFreeOthers();
  }

  completeAll(ends: readonly GroupEnd[], now: number, writes: StateWrites, next: number | undefined): boolean {
    let last: Ended | undefined;
    for (const { delivery, end } of ends) {
      const ended = this.#end(delivery, end, now);
      this.#edits.drop(delivery, ended.edits);
      // Each waited for the one before it, and the next one for all of them.
      last = { ...ended, due_since: Math.max(ended.due_since ?? 0, last?.due_since ?? 0) || null };
    }
    if (last === undefined) return false;
    this.#memory.write(last, writes);
    if (next !== undefined) this.#statements.ready.run(last.due_since, next);
    const freed = next === undefined && this.#unblock(last);
    return freed || (writes.wakeUps?.length ?? 0) > 0 || this.#crashes.mayFreeOthers();
  }

  deadLetter(delivery: number, death: Death, now: number, forks?: Forks): void {
    const { handler, error, attempts } = death;
    const ended = this.#end(delivery, { kind: 'dead', by: handler, reason: error }, now, attempts);
    this.#failures.add(delivery, { outcome: 'dead', attempt: attempts, handler, error, at: now });
    if (death.isAlone === true) this.#gathered.separate(delivery);
    if (forks !== undefined) this.#fork(delivery, ended, forks);
    this.#unblock(ended);
  }

  /** @param dueSince undefined if it is no hold */
  park(delivery: number, park: ParkRequest, now: number, dueSince: number | undefined): void {
    this.release(delivery);
    if (park.failure !== undefined) {
      const { handler, outcome } = park.failure;
      const attempt = outcome === 'failed' ? park.attempts : park.attempts + 1;
      this.#failures.add(delivery, { outcome, attempt, handler, error: park.reason, at: now });
    }
    const { until, attempts, deferredSince = null, reason } = park;
    this.#statements.park.run(until, attempts, deferredSince, reason, dueSince ?? null, delivery);
    if (park.gather !== undefined) this.#gathered.park(delivery, park.gather.handler, park.gather.batch);
    if (park.isAlone === true) this.#gathered.separate(delivery);
  }

  endWaits(chain: string, now: number, dueAt: number): void {
    this.#statements.endWaits.run(dueAt, chain, now);
  }

  checkpointAll(deliveries: readonly number[], handler: string): void {
    for (const delivery of deliveries) this.checkpoint(delivery, handler);
  }

  release(delivery: number, perhapsSent = false): void {
    this.#requireClaimed(this.#statements.unclaim.run(delivery).changes, delivery);
    if (!perhapsSent) return;
    this.#merging.keepApart(delivery);
    this.#gathered.separate(delivery);
  }

  /** Moves a delivery from the queue of its object to that of a group: its successors there no longer wait for it. */
  join(delivery: number, group: string, handlers: readonly string[]): JoinedRecord {
    const claimed = this.#statements.claimed.get(delivery);
    if (claimed === undefined) throw notClaimed(delivery);
    const queue = groupQueueOf(group);
    const state = this.#firstState(claimed.chain, queue);
    this.#statements.join.run(queue, state, delivery);
    const freed = this.#unblock(claimed);
    if (state === READY) return { states: this.#memory.states(queue, handlers), freed };
    this.release(delivery);
    return { states: undefined, freed };
  }

  /** Puts a dead letter back into its queue. */
  revive(delivery: number, now: number): boolean {
    const row = this.#statements.find.get(delivery, DEAD);
    if (row === undefined) return false;
    this.#statements.revive.run(this.#firstState(row.chain, row.queue), now, delivery);
    this.#counters.add(row.chain, 'replayed');
    return true;
  }

  #firstState(chain: string, queue: string): typeof READY | typeof BLOCKED {
    return this.#statements.unfinished.get(chain, queue) === undefined ? READY : BLOCKED;
  }

  #fork(delivery: number, { change, queue, edits: inherited }: Ended, { chains, edits: text }: Forks): void {
    const edits = text === undefined ? inherited : this.#edits.add(text);
    const ownQueue = groupOf(queue) === undefined ? queue : this.#memory.queueOfChange(change);
    for (const chain of chains)
      this.#statements.fork.run(chain, ownQueue, this.#firstState(chain, ownQueue), edits, delivery);
    this.count(chains, 1);
  }

  /** Ends a delivery and counts the end. */
  #end(delivery: number, end: End | DeadEnd, now: number, attempts: number | null = null): Ended {
    this.release(delivery);
    const state = end.kind === 'dead' ? DEAD : DONE;
    const [by, reason] = end.kind === 'completed' ? [null, null] : [end.by, end.reason];
    const ended = requireRow(this.#statements.end.get(state, end.kind, by, reason, now, attempts, delivery));
    this.#counters.add(ended.chain, end.kind);
    return ended;
  }

  /** Returns whether a delivery was waiting. */
  #unblock({ chain, queue, due_since: dueSince }: Pick<Ended, 'chain' | 'queue' | 'due_since'>): boolean {
    return this.#statements.unblock.run(dueSince, chain, queue).changes !== 0;
  }

  #requireClaimed(changes: number | bigint, delivery: number): void {
    if (changes === 0) throw notClaimed(delivery);
  }
}

function notClaimed(delivery: number): StoreError {
  return new StoreError(
    'STORE_REFUSED',
    `Delivery ${delivery} is not claimed: it was handed back or has ended already`,
  );
}

function prepare(db: DatabaseSync) {
  return {
    open: db.prepare('INSERT INTO deliveries (chain, change, queue, state, timer_of) VALUES (?, ?, ?, ?, ?)'),
    unfinished: db.prepare(`SELECT 1 FROM deliveries WHERE chain = ? AND queue = ? AND state < ${DEAD} LIMIT 1`),
    ready: db.prepare(`${MAKE_READY} WHERE id = ?2 AND id IN temp.claimed`),
    unclaim: db.prepare('DELETE FROM temp.claimed WHERE id = ?'),
    claimed: query<Pick<Ended, 'chain' | 'queue' | 'due_since'>>(
      db,
      'SELECT chain, queue, due_since FROM deliveries WHERE id = ? AND id IN temp.claimed',
    ),
    join: db.prepare('UPDATE deliveries SET queue = ?, state = ? WHERE id = ?'),
    checkpoint: db.prepare(
      `UPDATE deliveries SET delivered = json_insert(delivered, '$[#]', ?) WHERE id = ? AND id IN temp.claimed`,
    ),
    park: db.prepare(
      `UPDATE deliveries SET state = ${PARKED}, due_at = ?, attempts = ?, deferred_since = ?, reason = ?, claims = 0,
         due_since = coalesce(?, due_since)
       WHERE id = ?`,
    ),
    endWaits: db.prepare(
      `UPDATE deliveries SET due_at = ?1
       WHERE chain = ?2 AND state = ${PARKED} AND due_at > ?1
         AND (due_since > ?3 OR (attempts = 0 AND deferred_since IS NULL))`,
    ),
    end: query<Ended>(
      db,
      `UPDATE deliveries SET state = ?, outcome = ?, handler = ?, reason = ?, ended_at = ?, due_at = NULL, deferred_since = NULL,
         attempts = coalesce(?, attempts), claims = 0
       WHERE id = ? RETURNING chain, queue, change, edits, due_since`,
    ),
    unblock: db.prepare(UNBLOCK),
    fork: db.prepare(
      `INSERT INTO deliveries (chain, queue, state, edits, change, newest, actors, replayed, due_since)
       SELECT ?, ?, ?, ?, change, newest, actors, replayed, due_since FROM deliveries WHERE id = ?`,
    ),
    find: query<Pick<Ended, 'chain' | 'queue'>>(db, 'SELECT chain, queue FROM deliveries WHERE id = ? AND state = ?'),
    revive: db.prepare(
      `UPDATE deliveries SET state = ?, attempts = 0, replayed = 1, outcome = NULL, handler = NULL, reason = NULL,
         ended_at = NULL, due_since = ?
       WHERE id = ?`,
    ),
  };
}
