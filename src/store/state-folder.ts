/**
 * The state folder of one configuration and one cluster: the store, the key of the redaction hashes, and the lock that keeps a
 * second process out. Private: folder 0700, files 0600.
 */
import { randomBytes } from 'node:crypto';
import { constants, existsSync, lstatSync } from 'node:fs';
import { access, chmod, glob, lstat, mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf, ConfigError, isConfigError, toError } from '../errors.ts';
import { SQLITE_BUSY, sqliteCodeOf } from './store-error.ts';

export interface StateFolder {
  readonly path: string;
  readonly storeFile: string;
  /** 32 random bytes, made once: equal secrets have equal hashes as long as the folder exists. */
  readonly redactionKey: Uint8Array;
  /** Releases the lock. Idempotent. */
  close(): Promise<void>;
}

export interface StateFolderOptions {
  /** Undefined: `WATCHCHAIN_STATE`, else `$XDG_STATE_HOME/watchchain/<clusterId>/<name>`, by default below `~/.local/state`. */
  readonly path: string | undefined;
  /** Distinguishes configurations that watch the same cluster. */
  readonly name: string;
  readonly clusterId: string;
  readonly env: NodeJS.ProcessEnv;
}

const KEY_BYTES = 32;
const STORE_FILE = 'store.db';
const HOLDER_FILE = 'holder';
/** O_NOFOLLOW: not through a link that someone put there while the folder was open to others. */
const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
const REPLACE = { mode: 0o600, flag: O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW };

/** @throws ConfigError if the folder cannot be made, is not ours alone, or another process holds it */
export async function openStateFolder(options: StateFolderOptions): Promise<StateFolder> {
  const path = stateFolderPath(options);
  try {
    await createFolder(path);
    const isOpenToOthers = await checkFolder(path, options.env);
    if (isOpenToOthers) await chmod(path, 0o700);
    const unlock = await lock(path);
    try {
      const redactionKey = await readOrCreateKey(join(path, 'redaction.key'));
      return { path, storeFile: join(path, STORE_FILE), redactionKey, close: async () => unlock() };
    } catch (thrown) {
      unlock();
      throw thrown;
    }
  } catch (thrown) {
    throw explain(thrown, path);
  }
}

/**
 * The path of the store in the folder, for commands beside the process that holds it. Makes and changes nothing there.
 * @throws ConfigError if there is none, or the folder is not ours alone
 */
export async function storeFileIn(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  try {
    await checkFolder(path, env);
    await checkStore(path);
    return join(path, STORE_FILE);
  } catch (thrown) {
    throw explain(thrown, path);
  }
}

/** With its parents. Not by `recursive`: if a parent cannot contain folders, like /proc, Node tries forever. */
async function createFolder(path: string, wanted = path): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (thrown) {
    if (codeOf(thrown) === 'EEXIST') return;
    const parent = dirname(path);
    if (codeOf(thrown) !== 'ENOENT' || existsSync(parent)) throw thrown;
    // A link that leads nowhere is there, and would be created for ever.
    if (lstatSync(parent, { throwIfNoEntry: false }) !== undefined)
      refuse(wanted, `${parent} is a link to a folder that does not exist; create or mount that`);
    await createFolder(parent, wanted);
    await createFolder(path, wanted);
  }
}

/** The path of the folder, without accessing it. */
export function stateFolderPath({ path, name, clusterId, env }: StateFolderOptions): string {
  return namedStateFolder(path, env) ?? join(stateRoot(env), fileName(clusterId), fileName(name));
}

/** The path of a folder that was named; undefined: it is the default one of its cluster. */
export function namedStateFolder(path: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const named = path ?? nonEmpty(env['WATCHCHAIN_STATE']);
  return named === undefined ? undefined : resolve(named);
}

/** Makes and changes nothing, and does not ask who holds it. @throws ConfigError if {@link openStateFolder} surely would */
export async function assertUsable(path: string, env: NodeJS.ProcessEnv): Promise<void> {
  try {
    const nearest = await nearestThere(path);
    if (nearest === path) await checkFolder(path, env);
    await access(nearest, constants.W_OK);
  } catch (thrown) {
    if (!isConfigError(thrown) && !SURELY_UNUSABLE.has(codeOf(thrown) ?? '')) return;
    throw explain(thrown, path);
  }
}

const SURELY_UNUSABLE: ReadonlySet<string> = new Set(['EACCES', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG']);

/** The path itself, or the nearest of its parents, that exists. */
async function nearestThere(path: string): Promise<string> {
  try {
    await lstat(path);
    return path;
  } catch (thrown) {
    const parent = dirname(path);
    if (codeOf(thrown) !== 'ENOENT' || parent === path) throw thrown;
    return nearestThere(parent);
  }
}

/** Folders of this name in {@link stateRoot}: one for each cluster it has run against. */
export async function stateFoldersNamed(name: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const root = stateRoot(env);
  const clusters = await readdir(root).catch((): string[] => []);
  return clusters
    .toSorted()
    .map((cluster) => join(root, cluster, fileName(name)))
    .filter((folder) => existsSync(folder));
}

/** The root of the default folders, which are nested: cluster, then name. */
export function stateRoot(env: NodeJS.ProcessEnv): string {
  const home = nonEmpty(env['XDG_STATE_HOME']) ?? join(nonEmpty(env['HOME']) ?? userHome(), '.local', 'state');
  return resolve(home, 'watchchain');
}

function userHome(): string {
  try {
    return homedir();
  } catch (cause) {
    throw new ConfigError(
      ['Cannot tell where the state is: HOME is not set, and our user has no home folder; name a folder with --state'],
      { cause },
    );
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/**
 * Turns any text into one path segment: no separator, never `..`. Letters of all scripts stay, every other character becomes its
 * bytes in hexadecimal, so that names stay distinct.
 */
function fileName(text: string): string {
  const hexEscape = (other: string): string => `%${Buffer.from(other).toString('hex')}`;
  return text.replace(/[^\p{L}\p{M}\p{N}_.-]|^\./gu, hexEscape) || '_';
}

/**
 * Anyone else who can write into the folder could replace the store or the key; root can do anything anyway. In a pod there is
 * nobody else, and the permissions of a volume's root are given: shared with our group (fsGroup), open to everyone (an emptyDir,
 * the volumes of kind and k3s), or owned by another user (NFS). Returns whether it is ours, and open to others.
 */
async function checkFolder(path: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const stat = await lstat(path);
  if (stat.isSymbolicLink()) refuse(path, 'it is a symbolic link; name the folder itself');
  if (!stat.isDirectory()) refuse(path, 'it is not a folder; choose another one');
  const ownUid = process.getuid?.() ?? stat.uid;
  if (stat.uid === ownUid) return (stat.mode & 0o077) !== 0;
  if (env['KUBERNETES_SERVICE_HOST'] !== undefined) return false;
  if (stat.uid !== 0)
    refuse(
      path,
      `it belongs to user ${stat.uid}, we run as ${ownUid}; run as that user, or choose a folder that we own`,
    );
  if ((stat.mode & 0o002) !== 0)
    refuse(path, 'everyone may write to it; choose a folder that we own, such as one inside it');
  return false;
}

/** Commands beside a service create nothing: a folder without a store is someone else's, or a mistake. */
async function checkStore(path: string): Promise<void> {
  try {
    await lstat(join(path, STORE_FILE));
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown;
    const stores = await storesBelow(path);
    const why = stores.length === 0 ? 'nothing has run with this state yet' : `name ${stores.join(' or ')}`;
    refuse(path, `there is no ${STORE_FILE} in it: ${why}`);
  }
}

/** The folders with a store one or two levels below, where the default ones are: someone may have named their root. */
async function storesBelow(path: string): Promise<readonly string[]> {
  const folders: string[] = [];
  for await (const file of glob([join('*', STORE_FILE), join('*', '*', STORE_FILE)], { cwd: path }))
    folders.push(join(path, dirname(file)));
  return folders.toSorted();
}

/**
 * An SQLite file held in an exclusive transaction: the kernel frees it however the process dies, so a lock is never left over.
 * The text file beside it only names the holder.
 */
async function lock(path: string): Promise<() => void> {
  const unlock = await tryLock(path);
  if (unlock !== undefined) return unlock;
  const holder = await readFile(join(path, HOLDER_FILE), 'utf8').catch(() => 'an unknown process');
  refuse(path, `${holder} is using it; stop that process, or set another --state`);
}

/** Keeps a service from starting until the returned function is called; undefined if one is running. */
export async function tryLock(path: string): Promise<(() => void) | undefined> {
  const file = join(path, 'lock.db');
  const holderFile = join(path, HOLDER_FILE);
  await createPrivately(file);
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (thrown) {
    db.close();
    if (sqliteCodeOf(thrown) === SQLITE_BUSY) return undefined;
    refuse(
      path,
      `${file} cannot be locked (${toError(thrown).message}); remove it if no other process uses the folder`,
    );
  }
  const since = new Date().toISOString();
  const unlock = (): void => {
    if (db.isOpen) db.close();
  };
  try {
    await writeFile(holderFile, `process ${process.pid} on ${hostname()} since ${since}`, REPLACE);
  } catch (thrown) {
    unlock();
    throw thrown;
  }
  return unlock;
}

async function createPrivately(file: string): Promise<void> {
  const handle = await open(file, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o600);
  await handle.close();
}

async function readOrCreateKey(file: string): Promise<Uint8Array> {
  const key = (await readPrivately(file)) ?? (await createKey(file));
  if (key.length === KEY_BYTES) return key;
  throw new ConfigError([
    `Cannot use ${file}: it has ${key.length} bytes instead of ${KEY_BYTES}; remove it to get a new key, which shows every redacted value as changed once`,
  ]);
}

async function readPrivately(file: string): Promise<Buffer | undefined> {
  try {
    await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    return await handle.readFile();
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined;
    throw thrown;
  }
}

/** Written to another file and renamed, so that a crash leaves a complete key or none. */
async function createKey(file: string): Promise<Buffer> {
  const key = randomBytes(KEY_BYTES);
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, key, { ...REPLACE, flush: true });
  await rename(draft, file);
  return key;
}

function refuse(path: string, why: string): never {
  throw new ConfigError([`Cannot use the state folder ${path}: ${why}`]);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist: nothing has run with this state yet',
  EACCES: 'we may not write there; make our user its owner, or set another --state',
  EPERM: 'we may not write there; make our user its owner, or set another --state',
  ERR_ACCESS_DENIED:
    'this process may not write there (--allow-fs-write); allow that folder, or use SANDBOX= with make',
  EROFS: 'it is on a read-only volume; set another --state',
  ENOSPC: 'no space is left on its volume; make room, or set another --state',
  EDQUOT: 'the quota of its volume is used up; make room, or set another --state',
  ENOTDIR: 'a part of the path is not a folder; set another --state',
  EEXIST: 'it is not a folder; set another --state',
  ELOOP: 'a file in it is a symbolic link; remove it, or set another --state',
  ENAMETOOLONG: 'a part of the path has more than 255 bytes; set a shorter name under [state], or --state',
};

function explain(thrown: unknown, path: string): Error {
  if (isConfigError(thrown)) return thrown;
  const error = toError(thrown);
  const reason = REASONS[codeOf(thrown) ?? ''] ?? error.message;
  return new ConfigError([`Cannot use the state folder ${path}: ${reason}`], { cause: error });
}
