/**
 * Opens the database file and checks its owner and schema. A store that cannot be used is never deleted or
 * overwritten: the error says what to do.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf, ConfigError, isConfigError, toError } from '../errors.ts';
import { MIGRATIONS } from './schema.ts';
import { damageIn, isFailedWrite, SQLITE_FULL, sqliteCodeOf } from './store-error.ts';

/** Marks the file as ours (`wchn` in ASCII): https://www.sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x7763686e;

/** How long to wait for another process (`watchchain dead`) that is writing to the same file. */
const BUSY_TIMEOUT_MS = 5000;

/**
 * WAL and FULL: a commit is one fsync, and survives a power cut. The cache is small because it counts towards the process's
 * memory, and what is read again soon (the baseline of an object that just changed) is in the kernel's page cache.
 * Checkpoints come at 16 MB of WAL (see full-disk.ts): rare ones copy a page that changed often only once.
 */
const PRAGMAS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cache_size = -4096;
  PRAGMA temp_store = MEMORY;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA foreign_keys = OFF;
`;

/**
 * Opens the file, or `:memory:`, creating it (mode 0600) and migrating its schema if needed. Only the `writer` migrates: a
 * migration behind the back of an older service would prevent its next start.
 * @throws ConfigError if the file is damaged, not ours, of another version, or not writable
 */
export function openDatabase(path: string, { writer }: { readonly writer: boolean }): DatabaseSync {
  let db: DatabaseSync | undefined;
  const isNew = !existsSync(path);
  try {
    if (path !== ':memory:') {
      refuseOrphanedLog(path);
      createPrivately(path);
    }
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    if (!isNew) checkOwner(db, path);
    db.exec(PRAGMAS);
    if (writer) migrate(db, path);
    else requireSchema(db, path);
    // What a maintenance command removes must really be gone: it is overwritten, as VACUUM would block the service for seconds.
    if (!writer) db.exec('PRAGMA secure_delete = ON');
    return db;
  } catch (thrown) {
    // Before closing: whether the limit on open files was reached shows only while ours are open.
    const error = explain(thrown, path);
    db?.close();
    throw error;
  }
}

/** SQLite deletes a log without a database, and the log may contain all of a small store. */
function refuseOrphanedLog(path: string): void {
  const log = `${path}-wal`;
  if (sizeOf(path) > 0 || sizeOf(log) === 0) return;
  throw new ConfigError([
    `Cannot open the store ${path}: it is missing or empty, but its log is not; put the store back, or move ${log} away as well to start with an empty store`,
  ]);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * Refuses an empty file left by an incomplete copy (no room, or without the log): starting over would silently lose the data.
 * On a first start there are no other files beside it.
 */
function refuseEmptiedStore(path: string): void {
  if (!['.running', '.ballast'].some((suffix) => existsSync(`${path}${suffix}`))) return;
  throw new ConfigError([
    `Cannot open the store ${path}: it is empty, but was not before; put a copy of it back, with its log (-wal), or remove it to start with an empty store`,
  ]);
}

/** SQLite gives `-wal` and `-shm` the mode of the main file, so only that needs care. */
function createPrivately(path: string): void {
  closeSync(openSync(path, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o600));
}

function checkOwner(db: DatabaseSync, path: string): void {
  const isEmpty = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'] === 0;
  if (isEmpty) return refuseEmptiedStore(path);
  if (pragma(db, 'application_id') === APPLICATION_ID) return;
  throw new ConfigError([`Cannot use ${path}: it is a database of another program; choose another state folder`]);
}

/** Keeps a copy for going back to the older version, which would lack what happens from now on, and report it again. */
function keepOlderVersion(db: DatabaseSync, path: string, version: number): void {
  const copy = olderVersion(path, version);
  // Gets its final name only when complete, as whoever goes back replaces the store with it.
  const draft = draftOf(copy);
  // A volume may have room for only one; copies of earlier upgrades would also outlive any pruning.
  removeOlderVersions(db);
  createPrivately(draft);
  try {
    db.prepare('VACUUM INTO ?').run(draft);
  } catch (thrown) {
    rmSync(draft, { force: true });
    throw sqliteCodeOf(thrown) === SQLITE_FULL ? noRoomForCopy(path) : thrown;
  }
  flush(draft);
  renameSync(draft, copy);
}

function noRoomForCopy(path: string): ConfigError {
  return noRoomToMigrate(path, `a copy of up to ${megabytesOf(path)} MB is kept next to it, for a downgrade`);
}

function noRoomToMigrate(path: string, what: string): ConfigError {
  return new ConfigError([
    `Cannot upgrade the store ${path}: ${what}, and its volume has no room for that; ` +
      'make room, or keep using the version that wrote it',
  ]);
}

function megabytesOf(path: string): number {
  return Math.ceil(statSync(path).size / 1_000_000);
}

/** VACUUM INTO does not sync its file to disk. */
function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Uses a connection of its own, with its temporary copy in a file beside the store: ours keeps temporary tables in memory, and
 * the copy is as large as the store.
 */
export function vacuum(db: DatabaseSync): void {
  const path = db.location();
  if (path === null) return;
  const connection = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    connection.exec(
      `PRAGMA temp_store = FILE; PRAGMA temp_store_directory = '${dirname(path).replaceAll("'", "''")}'; VACUUM`,
    );
  } finally {
    connection.close();
  }
}

/** Removes all copies, complete or not: new redaction rules have not been applied to them. */
export function removeOlderVersions(db: DatabaseSync): void {
  const path = db.location();
  if (path === null) return;
  for (const [older] of MIGRATIONS.entries()) {
    const copy = olderVersion(path, older);
    for (const file of [copy, draftOf(copy)]) rmSync(file, { force: true });
  }
}

function olderVersion(path: string, version: number): string {
  return `${path}.schema-${version}`;
}

function draftOf(copy: string): string {
  return `${copy}.draft`;
}

function migrate(db: DatabaseSync, path: string): void {
  const version = pragma(db, 'user_version');
  if (version === 0 || version >= MIGRATIONS.length) runMigrations(db, path);
  else upgrade(db, path, version);
}

function upgrade(db: DatabaseSync, path: string, version: number): void {
  keepOlderVersion(db, path, version);
  try {
    runMigrations(db, path);
  } catch (thrown) {
    const isFull = sqliteCodeOf(thrown) === SQLITE_FULL;
    // SQLite reports an exceeded quota as a failed write.
    if (!isFull && !isFailedWrite(thrown)) throw thrown;
    // The store is unchanged, so its copy would only waste room.
    removeOlderVersions(db);
    if (!isFull) throw thrown;
    const needed = 2 * megabytesOf(path);
    throw noRoomToMigrate(path, `up to ${needed} MB are needed next to it, for a copy and for what is rewritten`);
  }
}

function runMigrations(db: DatabaseSync, path: string): void {
  db.exec('BEGIN IMMEDIATE');
  const version = pragma(db, 'user_version');
  if (version > MIGRATIONS.length) throw tooNew(path, version);
  for (const migration of MIGRATIONS.slice(version)) db.exec(migration);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
}

function requireSchema(db: DatabaseSync, path: string): void {
  const version = pragma(db, 'user_version');
  if (version > MIGRATIONS.length) throw tooNew(path, version);
  if (version === MIGRATIONS.length) return;
  if (version === 0) throw new ConfigError([`Cannot use ${path}: it is empty; nothing has run with this state yet`]);
  throw new ConfigError([
    `Cannot use ${path}: its schema is version ${version}, this watchchain has ${MIGRATIONS.length}; ` +
      'use the watchchain version that runs on it, or start this version on it first',
  ]);
}

function tooNew(path: string, version: number): ConfigError {
  return new ConfigError([
    `Cannot use ${path}: its schema is version ${version}, this watchchain knows up to ${MIGRATIONS.length}; ` +
      'run the newer watchchain that wrote it, or choose another state folder',
  ]);
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function explain(thrown: unknown, path: string): Error {
  if (isConfigError(thrown)) return thrown;
  const error = toError(thrown);
  const remedy = damageIn(thrown) ?? `${error.message}; ${describeOpenProblem(path)}`;
  return new ConfigError([`Cannot open the store ${path}: ${remedy}`], { cause: error });
}

/** SQLite gives no reason why it cannot open a file. */
function describeOpenProblem(path: string): string {
  if (!canOpenMoreFiles(path)) return 'this process may not open more files; raise the limit (ulimit -n)';
  const forbidden = ['', '-wal', '-shm'].map((suffix) => `${path}${suffix}`).find(isInaccessible);
  return forbidden === undefined
    ? 'the state folder must be on a writable volume with space left'
    : `we may not read and write ${forbidden}; give it to our user`;
}

/** True, for example, for a file that root restored from a backup. */
function isInaccessible(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
    return false;
  } catch (thrown) {
    return codeOf(thrown) === 'EACCES';
  }
}

function canOpenMoreFiles(path: string): boolean {
  try {
    closeSync(openSync(dirname(path), 'r'));
    return true;
  } catch (thrown) {
    return !['EMFILE', 'ENFILE'].includes(codeOf(thrown) ?? '');
  }
}
