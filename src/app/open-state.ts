/** Opens the state folder and its store, or a store in memory. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { toError } from '../errors.ts';
import { isUnwritable } from './in-memory.ts';
import type { Logger } from '../log.ts';
import type { Connection } from '../source/connect.ts';
import { addressId } from '../source/cluster-identity.ts';
import { recogniseCluster } from '../source/recognise-cluster.ts';
import type { Term } from '../store/epoch.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { openStateFolder, stateFolderPath, type StateFolder } from '../store/state-folder.ts';
import type { Store } from '../store/store.ts';

export interface OpenStateOptions {
  readonly config: Config['state'];
  readonly connection: Connection;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
  /** The term of the Lease that we hold, if any. */
  readonly term?: Term | undefined;
  /** Keep the state in memory only; it is lost when the process ends. */
  readonly storeFile?: ':memory:' | undefined;
  /** Keep it in memory if the state folder is not writable, instead of refusing to start. */
  readonly allowInMemory?: boolean | undefined;
}

export interface OpenState {
  readonly store: Store;
  /** Undefined if in memory. */
  readonly folder: string | undefined;
  /** The folder's key; in memory a new one. */
  readonly redactionKey: Uint8Array;
  /** In memory because the folder was not writable. */
  readonly isInMemoryFallback: boolean;
  close(): Promise<void>;
}

/** @throws ConfigError if the folder cannot be used; nothing is left open then */
export async function openState(options: OpenStateOptions): Promise<OpenState> {
  const { connection, clock, log, storeFile, term } = options;
  await using opening = new AsyncDisposableStack();
  const folder = storeFile === undefined ? await openFolder(options) : undefined;
  opening.defer(async () => folder?.close());
  const store = await openSqliteStore({
    path: folder?.storeFile ?? ':memory:',
    cluster: { id: connection.identity.id, name: connection.clusterName },
    clock,
    term,
  });
  opening.defer(() => store.close());
  await recogniseCluster(store, connection, log);
  log.debug('State is open', { folder: folder?.path ?? ':memory:' });
  const isInMemoryFallback = folder === undefined && storeFile === undefined;
  // The demo's state is meant to be lost.
  if (storeFile === undefined) opening.defer(() => logUndelivered(store, isInMemoryFallback, log));
  const open = opening.move();
  return {
    store,
    folder: folder?.path,
    redactionKey: folder?.redactionKey ?? randomBytes(32),
    isInMemoryFallback,
    close: () => open.disposeAsync(),
  };
}

/** For whoever stops the service while a receiver is down. */
async function logUndelivered(store: Store, isInMemory: boolean, log: Logger): Promise<void> {
  // A store that has failed has said so already.
  const balances = await store.balances().catch(() => []);
  const deliveries = balances.reduce((sum, { pending }) => sum + pending, 0);
  if (deliveries === 0) return;
  if (isInMemory) log.warn('Not everything is delivered: the rest is lost, as the state is in memory', { deliveries });
  else log.info('Not everything is delivered: the rest follows after the next start', { deliveries });
}

/** Undefined if it is not writable and the state is kept in memory instead. */
async function openFolder({
  config: { path, name },
  connection,
  env,
  log,
  allowInMemory = false,
}: OpenStateOptions): Promise<StateFolder | undefined> {
  try {
    const folderOf = (clusterId: string) => ({ path, name, clusterId, env });
    const [own, earlier] = [folderOf(connection.identity.id), folderOf(addressId(connection.address))];
    // A folder from before `kube-system` could be read is kept in use.
    const usesEarlierFolder = !existsSync(stateFolderPath(own)) && existsSync(stateFolderPath(earlier));
    return await openStateFolder(usesEarlierFolder ? earlier : own);
  } catch (thrown) {
    if (!allowInMemory || !isUnwritable(thrown)) throw thrown;
    log.warn(
      'The state is kept in memory: a restart loses undelivered changes, and whatever happens before the service is back',
      {
        problem: toError(thrown).message,
      },
    );
    return undefined;
  }
}
