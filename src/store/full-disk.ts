/**
 * When the volume is full. What was delivered must be noted all the same, or it is delivered again after a restart. So a file of
 * nothing, the ballast, lies beside the store, and is given up: its room lets the log be copied into the database, and from then
 * on notes go over and over into the same few pages of the log, since they change rows that are there. These pages are the log's
 * from the start: what is given up, others may take. What would make the store grow is refused until there is room for the
 * ballast again.
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { codeOf } from '../errors.ts';
import { isFailedWrite, isFatal, SQLITE_FULL, sqliteCodeOf } from './store-error.ts';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/** Less on a small volume. */
const MOST_BYTES = 16 * 1024 * 1024;
const SHARE_OF_FREE = 8;
/** Times its size: less, and the next change would find no room again. On a small volume half of what was free at first. */
const ENOUGH = 4;
const CHUNK_BYTES = 64 * 1024;
/** Of the log, at most: what it takes on a full disk before it is copied, and a transaction of all that can end at once. */
const NOTES_BYTES = 1024 * 1024;
const PAGE_BYTES = 4096;

export class FullDisk {
  readonly #db: DatabaseSync;
  readonly #store: string | null;
  #bytes = 0;
  #isFull = false;

  /** Makes the ballast where there is none yet. @param store the file; null: in memory, or somebody else's to write */
  constructor(db: DatabaseSync, store: string | null) {
    this.#db = db;
    this.#store = store;
    if (store === null) return;
    const there = statSync(ballastOf(store), { throwIfNoEntry: false })?.size ?? 0;
    this.#bytes = there > 0 ? there : Math.min(MOST_BYTES, freeBytes(store) / SHARE_OF_FREE);
    this.#bytes -= this.#bytes % CHUNK_BYTES;
    if (there === 0) this.#takeRoom(store);
    this.#lengthenLog(store);
    this.#copyLogAfter(Math.max(this.#bytes, CHUNK_BYTES));
  }

  /** SQLite takes a quota that is used up, such as the size of a volume of CephFS, for a disk that fails. */
  isBehind(thrown: unknown): boolean {
    if (sqliteCodeOf(thrown) === SQLITE_FULL) return true;
    return this.#store !== null && isFailedWrite(thrown) && isQuotaUsedUp(`${this.#store}-wal`);
  }

  /** A write found no room. @throws when the disk failed otherwise */
  met(): void {
    if (this.#store === null) return;
    this.#isFull = true;
    rmSync(ballastOf(this.#store), { force: true });
    this.#copyLogAfter(CHUNK_BYTES);
    try {
      // Not TRUNCATE, which would leave the log's room to others.
      this.#db.exec('PRAGMA wal_checkpoint(RESTART)');
    } catch (thrown) {
      if (isFatal(thrown) && !this.isBehind(thrown)) throw thrown;
    }
    this.#lengthenLog(this.#store);
  }

  /** False from {@link met} on, until there is room again. */
  mayGrow(): boolean {
    if (!this.#isFull || this.#store === null) return true;
    // What was pruned leaves its room inside the file, where the volume does not show it.
    if (Math.max(freeBytes(this.#store), this.#freeInside()) < ENOUGH * this.#bytes) return false;
    this.#takeRoom(this.#store);
    this.#copyLogAfter(this.#bytes);
    this.#isFull = false;
    return true;
  }

  #freeInside(): number {
    return PAGE_BYTES * Number(this.#db.prepare('PRAGMA freelist_count').get()?.['freelist_count']);
  }

  /** A log that is no longer than the ballast is large has no more in it that is new to the database. */
  #copyLogAfter(bytes: number): void {
    this.#db.exec(`PRAGMA wal_autocheckpoint = ${bytes / PAGE_BYTES}`);
  }

  /** Where there is no room, there is no ballast. */
  #takeRoom(store: string): void {
    if (!lengthen(ballastOf(store), O_TRUNC, this.#bytes)) rmSync(ballastOf(store), { force: true });
  }

  /** What no checksum vouches for is not read as the log's: https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
  #lengthenLog(store: string): void {
    lengthen(`${store}-wal`, O_APPEND, Math.min(this.#bytes, NOTES_BYTES));
  }
}

/** To at least so many bytes; not with zeros, which some file systems store as nothing. Answers false when there was no room. */
function lengthen(path: string, flag: number, bytes: number): boolean {
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

/** Asked by a write of our own, whose code is known; behind the end of the log it means nothing. */
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
