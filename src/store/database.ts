/**
 * The file: where it lies, who made it, and which schema it has. A store that cannot be used is never deleted or
 * overwritten: the error says what to do.
 */
import { closeSync, constants, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
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
 * WAL and FULL: a commit is one fsync, and survives a power cut. The cache is small since it counts in the memory of the
 * process, and what is read again soon (the baseline of an object that just changed) is in the page cache of the kernel.
 * Checkpoints at 16 MB of WAL (see full-disk.ts): rarer ones copy a page that changed often once.
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
 * Opens the file, or `:memory:`, making it (mode 0600) and bringing its schema up to date where needed. Who is not the `writer`
 * finds it as it is: a schema that was brought up to date behind the back of an older service would keep that from its next start.
 * @throws ConfigError when the file is damaged, is not ours, is of another version or cannot be written.
 */
export function openDatabase(path: string, writer = true): DatabaseSync {
  let db: DatabaseSync | undefined;
  const isNew = !existsSync(path);
  try {
    if (path !== ':memory:') {
      refuseLoneLog(path);
      createPrivately(path);
    }
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    if (!isNew) checkOwner(db, path);
    db.exec(PRAGMAS);
    if (writer) migrate(db, path);
    else requireSchema(db, path);
    // Who tends the store removes what somebody wants gone: it is overwritten, since VACUUM would hold up the service for seconds.
    if (!writer) db.exec('PRAGMA secure_delete = ON');
    return db;
  } catch (thrown) {
    // Before the files that were opened are given back: whether there may be more is seen while they are open.
    const error = explain(thrown, path);
    db?.close();
    throw error;
  }
}

/** SQLite removes a log that has no database, and of a small store the log is all there is. */
function refuseLoneLog(path: string): void {
  const log = `${path}-wal`;
  if (sizeOf(path) > 0 || sizeOf(log) === 0) return;
  throw new ConfigError([
    `Cannot open the store ${path}: it is gone, or empty, while its log is not; put it back, or move ${log} away, too, to start with an empty store`,
  ]);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * As a copy leaves it that found no room, or that left out the log: to begin anew would be to lose, unsaid, what the store held. Of
 * a first start nothing lies beside it.
 */
function refuseEmptied(path: string): void {
  if (!['.running', '.ballast'].some((suffix) => existsSync(`${path}${suffix}`))) return;
  throw new ConfigError([
    `Cannot open the store ${path}: it is empty, and was not; put a copy of it back, with its log (-wal), or remove it to start with an empty store`,
  ]);
}

/** SQLite gives `-wal` and `-shm` the mode of the main file, so that only its own creation needs care. */
function createPrivately(path: string): void {
  closeSync(openSync(path, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o600));
}

function checkOwner(db: DatabaseSync, path: string): void {
  const isEmpty = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'] === 0;
  if (isEmpty) return refuseEmptied(path);
  if (pragma(db, 'application_id') === APPLICATION_ID) return;
  throw new ConfigError([`Cannot use ${path}: it is a database of another program; name another state folder`]);
}

/** The way back to the version that wrote it: what happens from now on would be missing there, and be told again. */
function keepOlderVersion(db: DatabaseSync, path: string): void {
  const version = pragma(db, 'user_version');
  if (version === 0 || version >= MIGRATIONS.length) return;
  const copy = olderVersion(path, version);
  // By its own name only when it is whole: who goes back puts it in the place of the store.
  const draft = draftOf(copy);
  // A volume has room for one; those of earlier upgrades would outlive all that is pruned, too.
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
  return noRoomToMigrate(path, `a copy of up to ${megabytesOf(path)} MB is kept beside it, for the way back`);
}

function noRoomToMigrate(path: string, what: string): ConfigError {
  return new ConfigError([
    `Cannot bring the store ${path} up to date: ${what}, and its volume has no room for that; ` +
      'make room, or go on with the version that wrote it',
  ]);
}

function megabytesOf(path: string): number {
  return Math.ceil(statSync(path).size / 1_000_000);
}

/** VACUUM INTO leaves to the kernel when its file reaches the disk. */
function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * By a connection of its own, whose copy is a file beside the store: by ours it would be in memory, as the temporary tables are, and
 * as large as the store.
 */
export function vacuum(db: DatabaseSync): void {
  const path = db.location();
  if (path === null) return;
  const own = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    own.exec(
      `PRAGMA temp_store = FILE; PRAGMA temp_store_directory = '${dirname(path).replaceAll("'", "''")}'; VACUUM`,
    );
  } finally {
    own.close();
  }
}

/** The copies, whole or begun. They know nothing of rules of redaction that are new. */
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
  keepOlderVersion(db, path);
  const isNew = pragma(db, 'user_version') === 0;
  try {
    migrateRows(db, path);
  } catch (thrown) {
    const isFull = sqliteCodeOf(thrown) === SQLITE_FULL;
    // SQLite takes a quota that is used up for a write that failed.
    if (isNew || !(isFull || isFailedWrite(thrown))) throw thrown;
    // The store is as it was: its copy would only take room from the version that goes on with it.
    removeOlderVersions(db);
    if (!isFull) throw thrown;
    const needed = 2 * megabytesOf(path);
    throw noRoomToMigrate(path, `up to ${needed} MB are needed beside it, for a copy and for what is written anew`);
  }
}

function migrateRows(db: DatabaseSync, path: string): void {
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
      'use the watchchain that runs on it, or start this one on it first',
  ]);
}

function tooNew(path: string, version: number): ConfigError {
  return new ConfigError([
    `Cannot use ${path}: its schema is version ${version}, this watchchain knows up to ${MIGRATIONS.length}; ` +
      'run the newer watchchain that wrote it, or name another state folder',
  ]);
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function explain(thrown: unknown, path: string): Error {
  if (isConfigError(thrown)) return thrown;
  const error = toError(thrown);
  const wanted = mayOpenMore(path)
    ? 'the state folder must be on a writable volume with space left'
    : 'this process may open no more files; raise its limit (ulimit -n)';
  const remedy = damageIn(thrown) ?? `${error.message}; ${wanted}`;
  return new ConfigError([`Cannot open the store ${path}: ${remedy}`], { cause: error });
}

/** SQLite says of all that it cannot open no more than that. */
function mayOpenMore(path: string): boolean {
  try {
    closeSync(openSync(dirname(path), 'r'));
    return true;
  } catch (thrown) {
    return !['EMFILE', 'ENFILE'].includes(codeOf(thrown) ?? '');
  }
}
