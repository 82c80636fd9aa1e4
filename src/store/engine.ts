/**
 * The store as one synchronous object, for the worker. Turns a batch of calls into one transaction.
 */
import type { DatabaseSync } from 'node:sqlite';
import { codeOf, toError } from '../errors.ts';
import { Counters } from './counters.ts';
import { Crashes } from './crashes.ts';
import { beginEpoch, type Term } from './epoch.ts';
import { Facts } from './facts.ts';
import { FullDisk } from './full-disk.ts';
import { operationsOf, type Operation, type Operations } from './operations.ts';
import { isFatal, StoreError } from './store-error.ts';
import { Transaction } from './transaction.ts';

/** One call on its way to the worker. */
export interface Call {
  readonly id: number;
  readonly name: keyof Operations;
  readonly args: readonly unknown[];
}

/** What became of a call. */
export type Reply<E = Error> =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: E };

/** Replies in the order of their calls. */
export interface Replies {
  readonly replies: Reply[];
  /** Buffers in the replies, to be transferred instead of copied. */
  readonly buffers: ArrayBuffer[];
}

export interface EngineOptions {
  /** False for a command beside the store's writer, which queries it or manages dead letters. True makes earlier writers stale. */
  readonly writer: boolean;
  /** The term of the Lease that the writer holds, if any. */
  readonly term?: Term | undefined;
}

export class Engine {
  readonly #db: DatabaseSync;
  readonly #isWriter: boolean;
  readonly #operations: Operations;
  readonly #crashes: Crashes;
  readonly #transaction: Transaction;
  readonly #fullDisk: FullDisk;

  constructor(db: DatabaseSync, { writer, term }: EngineOptions) {
    this.#db = db;
    this.#isWriter = writer;
    db.exec('CREATE TEMP TABLE claimed (id INTEGER PRIMARY KEY)');
    const file = writer ? db.location() : null;
    const facts = new Facts(db);
    const crashes = new Crashes(db, facts, file);
    this.#crashes = crashes;
    const counters = new Counters(db);
    this.#operations = operationsOf(db, facts, counters, crashes);
    const epoch = writer ? beginEpoch(db, facts, term) : undefined;
    this.#transaction = new Transaction(db, { facts, counters, crashes, epoch });
    if (writer) crashes.begin();
    this.#fullDisk = new FullDisk(db, file);
  }

  /**
   * Group commit: runs the calls in order, all writes in one transaction, so that they share one fsync. A failing call undoes
   * only itself; if the commit fails, so does every call since its begin. Replies are given only after the commit.
   * @throws if the disk failed in a way after which this connection must not be used (see isFatal)
   */
  run(calls: readonly Call[]): Replies {
    const { replies, buffers } = this.#runCalls(calls);
    // Calls that do not grow the store have room now: noting that a change was delivered must not wait until there is more.
    const outOfSpace = new Set(replies.filter(isOutOfSpace).map(({ id }) => id));
    const retryable = calls.filter(({ id, name }) => outOfSpace.has(id) && !GROWING.has(name));
    if (retryable.length === 0) return { replies, buffers };
    const retried = this.#runCalls(retryable);
    const retriedReplies = new Map(retried.replies.map((reply) => [reply.id, reply]));
    return {
      replies: replies.map((reply) => retriedReplies.get(reply.id) ?? reply),
      buffers: [...buffers, ...retried.buffers],
    };
  }

  close(): void {
    try {
      // As a call: it then has room on a full disk, and is refused if another process is the writer by now.
      if (this.#isWriter) this.run([{ id: 0, name: 'end', args: [] }]);
    } finally {
      this.#crashes.close();
      this.#db.close();
    }
  }

  #runCalls(calls: readonly Call[]): Replies {
    const split = calls.findIndex(({ name }, n) => n > 0 && WITHOUT_TRANSACTION.has(name));
    if (split !== -1) return joined(this.#runCalls(calls.slice(0, split)), this.#runCalls(calls.slice(split)));
    const results: Replies = { replies: [], buffers: [] };
    const writing = calls.slice(this.#readUntilWrite(calls, results));
    if (writing.length === 0) return results;
    return joined(results, this.#allAtOnce(writing) ?? this.#oneByOne(writing));
  }

  /** Returns how many of the calls it has run. */
  #readUntilWrite(calls: readonly Call[], results: Replies): number {
    for (const [n, call] of calls.entries()) {
      try {
        if (this.#writes(call)) return n;
        this.#runCall(call, results);
      } catch (thrown) {
        results.replies.push({ id: call.id, error: this.#explain(thrown) });
      }
    }
    return calls.length;
  }

  /** The usual case: no call fails, so none needs its own savepoint, which takes two statements each. Undefined if one failed. */
  #allAtOnce(calls: readonly Call[]): Replies | undefined {
    const results: Replies = { replies: [], buffers: [] };
    try {
      this.#transaction.begin();
    } catch (thrown) {
      return this.#refuseWrites(calls, this.#explain(thrown));
    }
    try {
      for (const call of calls) this.#runCall(call, results);
      this.#transaction.commit();
      return results;
    } catch (thrown) {
      if (isFatal(thrown) && !this.#fullDisk.isCauseOf(thrown)) throw thrown;
      this.#transaction.rollback();
      return undefined;
    }
  }

  /** Refuses all writes at once: waiting for the other process's lock once already took long. */
  #refuseWrites(calls: readonly Call[], error: Error): Replies {
    const results: Replies = { replies: [], buffers: [] };
    for (let n = 0; n < calls.length; n++) {
      n += this.#readUntilWrite(calls.slice(n), results);
      const refused = calls[n];
      if (refused !== undefined) results.replies.push({ id: refused.id, error });
    }
    return results;
  }

  #oneByOne(calls: readonly Call[]): Replies {
    const results: Replies = { replies: [], buffers: [] };
    let beginIndex: number | undefined;
    const failSinceBegin = (error: Error): void => {
      for (const [n, { id }] of results.replies.entries())
        if (n >= (beginIndex ?? Infinity)) results.replies[n] = { id, error };
      results.buffers.length = 0;
      beginIndex = undefined;
    };
    for (const [n, call] of calls.entries()) {
      try {
        const writes = this.#writes(call);
        if (writes && beginIndex === undefined) {
          this.#transaction.begin();
          beginIndex = n;
        }
        if (writes) this.#transaction.atomically(() => this.#runCall(call, results));
        else this.#runCall(call, results);
      } catch (thrown) {
        const error = this.#explain(thrown);
        results.replies[n] = { id: call.id, error };
        // Some failures, such as no space left, roll back the whole transaction.
        if (beginIndex !== undefined && !this.#transaction.isOpen) failSinceBegin(error);
      }
    }
    const failure = beginIndex === undefined ? undefined : this.#commit();
    if (failure !== undefined) failSinceBegin(failure);
    return results;
  }

  #commit(): Error | undefined {
    try {
      this.#transaction.commit();
      return undefined;
    } catch (thrown) {
      this.#transaction.rollback();
      return this.#explain(thrown);
    }
  }

  #writes({ name, args }: Call): boolean {
    return this.#operationOf(name).writes(...args);
  }

  #runCall({ id, name, args }: Call, { replies, buffers }: Replies): void {
    if (GROWING.has(name) && !this.#fullDisk.canGrow()) throw outOfSpaceError();
    const operation = this.#operationOf(name);
    const value = operation.run(...args);
    replies.push({ id, value });
    for (const buffer of operation.buffers(value)) if (buffer !== undefined) buffers.push(buffer);
  }

  #operationOf(name: keyof Operations): Operation<unknown[], unknown> {
    return this.#operations[name] as unknown as Operation<unknown[], unknown>;
  }

  #explain(thrown: unknown): Error {
    if (!this.#fullDisk.isCauseOf(thrown)) return explain(thrown);
    this.#transaction.rollback();
    this.#fullDisk.onFull();
    return outOfSpaceError(thrown);
  }
}

/** Calls that grow the store; the others change existing rows or add a few. */
const GROWING: ReadonlySet<keyof Operations> = new Set([
  'accept',
  'stage',
  'replaceManifests',
  'replaceEdits',
  'replaceStates',
]);

/** Calls that fail while a transaction is open, so those before them are committed first. */
const WITHOUT_TRANSACTION: ReadonlySet<keyof Operations> = new Set(['compact', 'erase']);

function joined(first: Replies, second: Replies): Replies {
  return { replies: [...first.replies, ...second.replies], buffers: [...first.buffers, ...second.buffers] };
}

function isOutOfSpace(reply: Reply): boolean {
  return 'error' in reply && codeOf(reply.error) === 'STORE_FULL';
}

function outOfSpaceError(cause?: unknown): StoreError {
  return new StoreError('STORE_FULL', 'Cannot write to the store: no space is left on its volume; make room', {
    cause,
  });
}

function explain(thrown: unknown): Error {
  if (isFatal(thrown)) throw thrown;
  if (thrown instanceof StoreError) return thrown;
  const cause = toError(thrown);
  return new StoreError('STORE_REFUSED', `The store refused a call: ${cause.message}`, { cause });
}
