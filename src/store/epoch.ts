/** Write fencing: each process that opens a store for writing makes all earlier ones stale. */
import type { DatabaseSync } from 'node:sqlite';
import type { Facts } from './facts.ts';
import { StoreError } from './store-error.ts';

/** The term of a Lease holder: each holder has a greater number than the last, unless someone deletes the Lease. */
export interface Term {
  /** Uid of the Lease: a recreated one counts from 0 again. */
  readonly lease: string;
  /** Its `leaseTransitions`. */
  readonly number: number;
}

const TERM = 'store.term';

/**
 * Begins a new epoch and returns its number, which every write of this process has to match.
 * @throws StoreError `STALE_EPOCH` if a later holder of the same Lease has opened the store: then our Lease is lost
 */
export function beginEpoch(db: DatabaseSync, facts: Facts, term: Term | undefined): number {
  db.exec('BEGIN IMMEDIATE');
  try {
    if (term !== undefined) enter(facts, term);
    facts.add('store.epoch', 1);
    db.exec('COMMIT');
  } catch (thrown) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw thrown;
  }
  return facts.number('store.epoch');
}

function enter(facts: Facts, { lease, number }: Term): void {
  const [last, reached = 0] = facts.get(TERM)?.split(' ') ?? [];
  if (last === lease && Number(reached) > number)
    throw new StoreError(
      'STALE_EPOCH',
      `Cannot open the store: the holder of its lease is at term ${reached}, we are at ${number}; the lease was lost, so restart; ` +
        'if the Lease was reset, by hand or from a backup of the cluster, delete it',
    );
  facts.set(TERM, `${lease} ${number}`);
}
