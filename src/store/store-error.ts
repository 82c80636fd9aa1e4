/** Errors of the store itself, distinguished by `code`. */

export type StoreErrorCode =
  /** Called after {@link Store.close}. */
  | 'STORE_CLOSED'
  /** The worker died, or the disk failed in a way that leaves the outcome uncertain: restart, the store recovers by itself. */
  | 'STORE_FAILED'
  /** No space left: this call wrote nothing; the same call may succeed later. */
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

/** If the error means that the store is damaged, says so and what to do; otherwise undefined. */
export function damageIn(thrown: unknown): string | undefined {
  const code = sqliteCodeOf(thrown);
  if (code !== SQLITE_CORRUPT && code !== SQLITE_NOTADB) return undefined;
  return 'it is damaged; move it away, with its log (-wal), to start with an empty store (pending changes and dead letters stay in the old files)';
}

/** Whether a write failed, as opposed to a flush: then the outcome is certain, as nothing was written. */
export function isFailedWrite(thrown: unknown): boolean {
  return thrown instanceof Error && 'errcode' in thrown && thrown.errcode === SQLITE_IOERR_WRITE;
}

/** The primary result code of an error of node:sqlite, or undefined. */
export function sqliteCodeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown) || typeof thrown.errcode !== 'number') return undefined;
  return thrown.errcode & 0xff;
}

/** Errors after which the connection cannot be trusted: an fsync that failed once may later succeed without having written. */
export function isFatal(thrown: unknown): boolean {
  const code = sqliteCodeOf(thrown);
  return code === SQLITE_IOERR || code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}
