/** What the store itself can fail with, told apart by `code`. */

export type StoreErrorCode =
  /** Called after {@link Store.close}. */
  | 'STORE_CLOSED'
  /** The worker died, or the disk did something after which nothing is certain: start again, the store recovers by itself. */
  | 'STORE_FAILED'
  /** No space left: nothing of this call was written; the same call may succeed later. */
  | 'STORE_FULL'
  /** Another process has opened the same store for writing since: this one must stop. */
  | 'STALE_EPOCH'
  /** The call itself was wrong, or SQLite refused it. */
  | 'STORE_REFUSED';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Primary result codes: https://www.sqlite.org/rescode.html */
export const SQLITE_BUSY = 5;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
export const SQLITE_FULL = 13;
const SQLITE_IOERR_WRITE = 778;
const SQLITE_NOTADB = 26;

/** What is wrong with a store of which this was thrown, and what to do; undefined: it is not damaged. */
export function damageIn(thrown: unknown): string | undefined {
  const code = sqliteCodeOf(thrown);
  if (code !== SQLITE_CORRUPT && code !== SQLITE_NOTADB) return undefined;
  return 'it is damaged; move it away, with its log (-wal), to start with an empty store (what was pending and the dead letters stay in the old files)';
}

/** Of a write, not of a flush: nothing is uncertain then, it has not happened. */
export function isFailedWrite(thrown: unknown): boolean {
  return thrown instanceof Error && 'errcode' in thrown && thrown.errcode === SQLITE_IOERR_WRITE;
}

/** The primary result code of an error of node:sqlite, or undefined. */
export function sqliteCodeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown) || typeof thrown.errcode !== 'number') return undefined;
  return thrown.errcode & 0xff;
}

/** After these nothing that follows on the same connection can be trusted: an fsync that failed once may succeed without having written. */
export function isFatal(thrown: unknown): boolean {
  const code = sqliteCodeOf(thrown);
  return code === SQLITE_IOERR || code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}
