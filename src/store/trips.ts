/** What happened to one change in each chain and branch. */
import type { DatabaseSync } from 'node:sqlite';
import type { Failures } from './failures.ts';
import { query } from './query.ts';
import { CHANGE_COLUMNS, CHANGE_JOINS, recordOf, type ChangeRow } from './records.ts';
import { BLOCKED, GATHERED, PARKED, READY } from './schema.ts';
import type { ChangeRecord } from './change-of.ts';
import type { DeliveryTrip, Trip } from './looking-back.ts';

/** A trip as it leaves the worker. */
export interface TripRecord extends Omit<Trip, 'change'> {
  readonly record: ChangeRecord;
}

interface TripRow {
  readonly id: number;
  readonly chain: string;
  readonly state: number;
  readonly due_at: number | null;
  readonly attempts: number;
  readonly delivered: string;
  readonly replayed: number;
  readonly newest: number | null;
  readonly outcome: string | null;
  readonly handler: string | null;
  readonly reason: string | null;
  readonly ended_at: number | null;
}

const WAITING: ReadonlyMap<number, DeliveryTrip['state']> = new Map([
  [READY, 'ready'],
  [BLOCKED, 'blocked'],
  [PARKED, 'parked'],
  [GATHERED, 'parked'],
]);

export class Trips {
  readonly #failures: Failures;
  readonly #change;
  readonly #deliveries;

  constructor(db: DatabaseSync, failures: Failures) {
    this.#failures = failures;
    this.#change = query<ChangeRow>(db, `SELECT ${CHANGE_COLUMNS} FROM changes c ${CHANGE_JOINS} WHERE c.id = ?`);
    this.#deliveries = query<TripRow>(db, 'SELECT * FROM deliveries WHERE change = ? ORDER BY id');
  }

  of(change: number): TripRecord | undefined {
    const row = this.#change.get(change);
    if (row === undefined) return undefined;
    const deliveries = this.#deliveries.all(change);
    return { record: recordOf(row), deliveries: deliveries.map((delivery) => this.#tripOf(delivery)) };
  }

  #tripOf(row: TripRow): DeliveryTrip {
    return {
      id: row.id,
      chain: row.chain,
      state: WAITING.get(row.state) ?? (row.outcome as DeliveryTrip['state']),
      handler: row.handler ?? undefined,
      reason: row.reason ?? undefined,
      attempts: row.attempts,
      delivered: JSON.parse(row.delivered) as string[],
      dueAt: row.due_at ?? undefined,
      endedAt: row.ended_at ?? undefined,
      replayed: row.replayed === 1,
      mergedUpTo: row.newest ?? undefined,
      failures: this.#failures.of(row.id),
    };
  }
}
