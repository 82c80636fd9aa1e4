/** The transaction that calls share, and what must happen around it: the epoch, what is counted in it, what is known of suspects. */
import type { DatabaseSync } from 'node:sqlite';
import type { Counters } from './counters.ts';
import type { Crashes } from './crashes.ts';
import type { Facts } from './facts.ts';
import { StoreError } from './store-error.ts';

export interface TransactionParts {
  readonly facts: Facts;
  readonly counters: Counters;
  readonly crashes: Crashes;
  /** Writes are refused once the store has another; undefined: it does not matter. */
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

  /** Some failures, such as no space left, end it. */
  get isOpen(): boolean {
    return this.#db.isTransaction;
  }

  /** @throws StoreError when another process has opened the store since */
  begin(): void {
    const { epoch, facts } = this.#parts;
    this.#begin.run();
    if (epoch === undefined || facts.number('store.epoch') === epoch) return;
    this.rollback();
    throw new StoreError(
      'STALE_EPOCH',
      'Cannot write to the store: another process has opened it since; this one must stop',
    );
  }

  commit(): void {
    this.#parts.counters.write();
    this.#commit.run();
  }

  /** Nothing happens when it has ended already. */
  rollback(): void {
    if (this.isOpen) this.#db.exec('ROLLBACK');
    this.#undone();
  }

  /** What fails undoes itself alone. */
  atomically(run: () => void): void {
    const { counters } = this.#parts;
    this.#db.exec('SAVEPOINT call');
    try {
      run();
      counters.write();
    } catch (thrown) {
      // The failure may have undone the whole transaction already.
      if (this.isOpen) this.#db.exec('ROLLBACK TO call');
      this.#undone();
      throw thrown;
    } finally {
      if (this.isOpen) this.#db.exec('RELEASE call');
    }
  }

  /** What was held in memory of it goes, too. */
  #undone(): void {
    this.#parts.counters.forget();
    this.#parts.crashes.lookAgain();
  }
}
