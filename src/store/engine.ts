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

export type Reply = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: Error };

/** Replies in the order of their calls. */
export interface Answers {
  readonly replies: Reply[];
  /** Buffers in the replies, to be transferred instead of copied. */
  readonly buffers: ArrayBuffer[];
}

export class Engine {
  readonly #db: DatabaseSync;
  readonly #facts: Facts;
  readonly #operations: Operations;
  readonly #crashes: Crashes;
  readonly #transaction: Transaction;
  /** Undefined if this is not the store's writer but a command beside it, which queries it or manages dead letters. */
  readonly #epoch: number | undefined;
  readonly #fullDisk: FullDisk;

  /** A `writer` makes every earlier writer of the same file stale. */
  constructor(db: DatabaseSync, writer: boolean, term?: Term) {
    this.#db = db;
    this.#facts = new Facts(db);
    db.exec('CREATE TEMP TABLE claimed (id INTEGER PRIMARY KEY)');
    const file = writer ? db.location() : null;
    this.#crashes = new Crashes(db, this.#facts, file);
    const counters = new Counters(db);
    this.#operations = operationsOf(db, this.#facts, counters, this.#crashes);
    this.#epoch = writer ? beginEpoch(db, this.#facts, term) : undefined;
    this.#transaction = new Transaction(db, {
      facts: this.#facts,
      counters,
      crashes: this.#crashes,
      epoch: this.#epoch,
    });
    if (writer) this.#crashes.begin();
    this.#fullDisk = new FullDisk(db, file);
  }

  /**
   * Group commit: runs the calls in order, all writes in one transaction, so that they share one fsync. A failing call undoes
   * only itself; if the commit fails, so does every call since its begin. Replies are given only after the commit.
   * @throws if the disk failed in a way after which this connection must not be used (see isFatal)
   */
  run(calls: readonly Call[]): Answers {
    const { replies, buffers } = this.#answer(calls);
    // Calls that do not grow the store have room now: noting that a change was delivered must not wait until there is more.
    const found = new Set(replies.filter(foundNoRoom).map(({ id }) => id));
    const notes = calls.filter(({ id, name }) => found.has(id) && !GROWING.has(name));
    if (notes.length === 0) return { replies, buffers };
    const again = this.#answer(notes);
    const better = new Map(again.replies.map((reply) => [reply.id, reply]));
    return {
      replies: replies.map((reply) => better.get(reply.id) ?? reply),
      buffers: [...buffers, ...again.buffers],
    };
  }

  close(): void {
    const isOurs = this.#epoch !== undefined && this.#facts.number('store.epoch') === this.#epoch;
    try {
      if (isOurs) this.#crashes.end();
    } finally {
      this.#crashes.close();
      this.#db.close();
    }
  }

  #answer(calls: readonly Call[]): Answers {
    const answers: Answers = { replies: [], buffers: [] };
    const writing = calls.slice(this.#readUntilWrite(calls, answers));
    if (writing.length === 0) return answers;
    const { replies, buffers } = this.#allAtOnce(writing) ?? this.#oneByOne(writing);
    return { replies: [...answers.replies, ...replies], buffers: [...answers.buffers, ...buffers] };
  }

  /** Returns how many of the calls it has run. */
  #readUntilWrite(calls: readonly Call[], answers: Answers): number {
    for (const [n, call] of calls.entries()) {
      try {
        if (this.#writes(call)) return n;
        this.#answerTo(call, answers);
      } catch (thrown) {
        answers.replies.push({ id: call.id, error: this.#explain(thrown) });
      }
    }
    return calls.length;
  }

  /** The usual case: no call fails, so none needs its own savepoint, which takes two statements each. Undefined if one failed. */
  #allAtOnce(calls: readonly Call[]): Answers | undefined {
    const answers: Answers = { replies: [], buffers: [] };
    try {
      this.#transaction.begin();
    } catch (thrown) {
      return this.#refuseWrites(calls, this.#explain(thrown));
    }
    try {
      for (const call of calls) this.#answerTo(call, answers);
      this.#transaction.commit();
      return answers;
    } catch (thrown) {
      if (isFatal(thrown) && !this.#fullDisk.isBehind(thrown)) throw thrown;
      this.#transaction.rollback();
      return undefined;
    }
  }

  /** Refuses all writes at once: waiting for the other process's lock once already took long. */
  #refuseWrites(calls: readonly Call[], error: Error): Answers {
    const answers: Answers = { replies: [], buffers: [] };
    for (let n = 0; n < calls.length; n++) {
      n += this.#readUntilWrite(calls.slice(n), answers);
      const refused = calls[n];
      if (refused !== undefined) answers.replies.push({ id: refused.id, error });
    }
    return answers;
  }

  #oneByOne(calls: readonly Call[]): Answers {
    const answers: Answers = { replies: [], buffers: [] };
    let begun: number | undefined;
    const undone = (error: Error): void => {
      for (const [n, { id }] of answers.replies.entries())
        if (n >= (begun ?? Infinity)) answers.replies[n] = { id, error };
      answers.buffers.length = 0;
      begun = undefined;
    };
    for (const [n, call] of calls.entries()) {
      try {
        const writes = this.#writes(call);
        if (writes && begun === undefined) {
          this.#transaction.begin();
          begun = n;
        }
        if (writes) this.#transaction.atomically(() => this.#answerTo(call, answers));
        else this.#answerTo(call, answers);
      } catch (thrown) {
        const error = this.#explain(thrown);
        answers.replies[n] = { id: call.id, error };
        // Some failures, such as no space left, roll back the whole transaction.
        if (begun !== undefined && !this.#transaction.isOpen) undone(error);
      }
    }
    const failure = begun === undefined ? undefined : this.#commit();
    if (failure !== undefined) undone(failure);
    return answers;
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

  #answerTo({ id, name, args }: Call, { replies, buffers }: Answers): void {
    if (GROWING.has(name) && !this.#fullDisk.mayGrow()) throw noRoom();
    const operation = this.#operationOf(name);
    const value = operation.run(...args);
    replies.push({ id, value });
    for (const buffer of operation.buffers(value)) if (buffer !== undefined) buffers.push(buffer);
  }

  #operationOf(name: keyof Operations): Operation<unknown[], unknown> {
    return this.#operations[name] as unknown as Operation<unknown[], unknown>;
  }

  #explain(thrown: unknown): Error {
    if (!this.#fullDisk.isBehind(thrown)) return explain(thrown);
    this.#transaction.rollback();
    this.#fullDisk.met();
    return noRoom(thrown);
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

function foundNoRoom(reply: Reply): boolean {
  return 'error' in reply && codeOf(reply.error) === 'STORE_FULL';
}

function noRoom(cause?: unknown): StoreError {
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
