/** The transaction that calls share, and what goes along with it: the epoch check, the counters, and the state of suspects. */
import type { DatabaseSync } from 'node:sqlite';
import type { Counters } from './counters.ts';
import type { Crashes } from './crashes.ts';
import type { Facts } from './facts.ts';
import { StoreError } from './store-error.ts';

export interface TransactionParts {
  readonly facts: Facts;
  readonly counters: Counters;
  readonly crashes: Crashes;
  /** Writes are refused once the store has another epoch; undefined to not check. */
  readonly epoch: number | undefined;
}

export class Transaction {
  readonly #db: DatabaseSync;
  readonly #parts: TransactionParts;
  readonly #begin;
  readonly #commit;

  constructor(db: DatabaseSync, parts: TransactionParts) {
    this.#db = db;
    this.#parts = parts;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
  }

  /** Some failures, such as no space left, end the transaction. */
  get isOpen(): boolean {
    return this.#db.isTransaction;
  }

  /** @throws StoreError if another process has opened the store since */
  begin(): void {
    const { epoch, facts } = this.#parts;
    this.#begin.run();
    if (epoch === undefined || facts.number('store.epoch') === epoch) return;
    this.rollback();
    throw new StoreError(
      'STALE_EPOCH',
      'Cannot write to the store: another process has opened it since then; this one must stop',
    );
  }

  commit(): void {
    this.#parts.counters.write();
    this.#commit.run();
  }

  /** Does nothing to a transaction that has already ended. */
  rollback(): void {
    if (this.isOpen) this.#db.exec('ROLLBACK');
    this.#resetMemory();
  }

  /** Runs in a savepoint: a failure undoes only this call. */
  atomically(run: () => void): void {
    const { counters } = this.#parts;
    this.#db.exec('SAVEPOINT call');
    try {
      run();
      counters.write();
    } catch (thrown) {
      // The failure may have undone the whole transaction already.
      if (this.isOpen) this.#db.exec('ROLLBACK TO call');
      this.#resetMemory();
      throw thrown;
    } finally {
      if (this.isOpen) this.#db.exec('RELEASE call');
    }
  }

  /** Resets what is kept in memory about the transaction. */
  #resetMemory(): void {
    this.#parts.counters.forget();
    this.#parts.crashes.refreshSuspects();
  }
}
