/**
 * When the volume is full, deliveries must still be recorded, or they would be repeated after a restart. So a file of random
 * bytes, the ballast, lies beside the store and is then deleted: its room lets the log be copied into the database. From then on
 * records, which only change existing rows, reuse the same few pages of the log. These pages are reserved from the start, because
 * others may take the freed room. Calls that would grow the store are refused until there is room for the ballast again.
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { codeOf } from '../errors.ts';
import { isFailedWrite, isFatal, SQLITE_FULL, sqliteCodeOf } from './store-error.ts';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/** Upper limit of the ballast; it is smaller on a small volume. */
const MAX_BALLAST_BYTES = 16 * 1024 * 1024;
const SHARE_OF_FREE = 8;
/** Free room needed to grow again, in ballasts: with less the next change may find none. (Half of the initial room if small.) */
const MIN_FREE_BALLASTS = 4;
const CHUNK_BYTES = 64 * 1024;
/** Most room reserved in the log: what it needs on a full disk until it is copied, and for all ends that fit a transaction. */
const LOG_RESERVE_BYTES = 1024 * 1024;
const PAGE_BYTES = 4096;

export class FullDisk {
  readonly #db: DatabaseSync;
  readonly #store: string | null;
  /** Size of the ballast: whole chunks, at least one. */
  #bytes = 0;
  #isFull = false;

  /**
   * Makes the ballast; also replaces one that a kill left incomplete, or that is small for the volume by now.
   * @param store the file; null if in memory, or if another process is the writer
   */
  constructor(db: DatabaseSync, store: string | null) {
    this.#db = db;
    this.#store = store;
    if (store === null) return;
    const existingBytes = statSync(ballastOf(store), { throwIfNoEntry: false })?.size ?? 0;
    const shareBytes = Math.min(MAX_BALLAST_BYTES, (freeBytes(store) + existingBytes) / SHARE_OF_FREE);
    this.#bytes = Math.max(existingBytes, shareBytes, CHUNK_BYTES);
    this.#bytes -= this.#bytes % CHUNK_BYTES;
    if (existingBytes < this.#bytes) this.#createBallast(store);
    this.#extendLog(store);
    this.#checkpointAfter(this.#bytes);
  }

  /** Whether a full disk is the cause. SQLite reports an exceeded quota, such as the size of a CephFS volume, as an I/O error. */
  isCauseOf(thrown: unknown): boolean {
    if (sqliteCodeOf(thrown) === SQLITE_FULL) return true;
    return this.#store !== null && isFailedWrite(thrown) && isQuotaUsedUp(`${this.#store}-wal`);
  }

  /** To be called when a write found no room. @throws if the disk fails in another way */
  onFull(): void {
    if (this.#store === null) return;
    this.#isFull = true;
    rmSync(ballastOf(this.#store), { force: true });
    this.#checkpointAfter(CHUNK_BYTES);
    try {
      // Not TRUNCATE, which would give the log's room to others.
      this.#db.exec('PRAGMA wal_checkpoint(RESTART)');
    } catch (thrown) {
      if (isFatal(thrown) && !this.isCauseOf(thrown)) throw thrown;
    }
    this.#extendLog(this.#store);
  }

  /** False after {@link onFull}, until there is room again. */
  canGrow(): boolean {
    if (!this.#isFull || this.#store === null) return true;
    // Pruning frees room inside the file, which the volume does not show as free.
    if (Math.max(freeBytes(this.#store), this.#freeInFile()) < MIN_FREE_BALLASTS * this.#bytes) return false;
    this.#createBallast(this.#store);
    this.#checkpointAfter(this.#bytes);
    this.#isFull = false;
    return true;
  }

  #freeInFile(): number {
    return PAGE_BYTES * Number(this.#db.prepare('PRAGMA freelist_count').get()?.['freelist_count']);
  }

  /** Checkpoints after this many bytes of log, so that copying it into the database needs no more room than the ballast frees. */
  #checkpointAfter(bytes: number): void {
    this.#db.exec(`PRAGMA wal_autocheckpoint = ${bytes / PAGE_BYTES}`);
  }

  /** Makes the ballast; without room for all of it there is none. */
  #createBallast(store: string): void {
    if (!extendFile(ballastOf(store), O_TRUNC, this.#bytes)) rmSync(ballastOf(store), { force: true });
  }

  /** SQLite ignores bytes in the log without a valid checksum: https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
  #extendLog(store: string): void {
    extendFile(`${store}-wal`, O_APPEND, Math.min(this.#bytes, LOG_RESERVE_BYTES));
  }
}

/** Extends a file to at least this size; not with zeros, which some file systems do not store. Returns false without room. */
function extendFile(path: string, flag: number, bytes: number): boolean {
  const chunk = randomFillSync(Buffer.allocUnsafe(CHUNK_BYTES));
  const file = openSync(path, O_CREAT | O_WRONLY | O_NOFOLLOW | flag, 0o600);
  try {
    for (let length = fstatSync(file).size; length < bytes;) length += writeSync(file, chunk);
    return true;
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}

/** Tests it with a write of our own, which has an error code; bytes after the end of the log are ignored. */
function isQuotaUsedUp(log: string): boolean {
  const file = openSync(log, O_APPEND | O_WRONLY | O_NOFOLLOW);
  try {
    writeSync(file, Buffer.alloc(CHUNK_BYTES));
    return false;
  } catch (thrown) {
    return codeOf(thrown) === 'EDQUOT';
  } finally {
    closeSync(file);
  }
}

function ballastOf(store: string): string {
  return `${store}.ballast`;
}

function freeBytes(store: string): number {
  const { bavail, bsize } = statfsSync(dirname(store));
  return bavail * bsize;
}
