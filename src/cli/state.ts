/** For commands that read the state, whether or not the service is running. */
import { resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { readStateLocation, stateLocation } from '../config/state-location.ts';
import { ConfigError, isConfigError } from '../errors.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { stateFoldersNamed, stateRoot, storeFileIn } from '../store/state-folder.ts';
import type { Store } from '../store/store.ts';
import type { CommandIo } from './command.ts';
import { configOfState, type StateFlags } from './options.ts';

/** Opens the store of this configuration without disturbing a running service, and closes it. */
export async function withStore(
  flags: StateFlags,
  io: CommandIo,
  work: (store: Store, folder: string) => Promise<number>,
): Promise<number> {
  const folder = resolve(flags.state || (await findFolder(flags, io)));
  const store = await openSqliteStore({ path: await storeFileIn(folder, io.env), writer: false });
  try {
    return await work(store, folder);
  } finally {
    await store.close();
  }
}

/** The default folder has the cluster's identity in its path, but the cluster may be unreachable now: search by name instead. */
async function findFolder(flags: StateFlags, io: CommandIo): Promise<string> {
  const config = await readConfig(flags, io);
  if (config.state.path !== undefined) return config.state.path;
  const folders = await stateFoldersNamed(config.state.name, io.env);
  const [only, ...others] = folders;
  if (only === undefined)
    throw new ConfigError([
      `No state of ${config.file} under ${stateRoot(io.env)}: has it run here? If the state is elsewhere, name the folder with --state`,
    ]);
  if (others.length > 0)
    throw new ConfigError([
      `There is state of several clusters for ${config.file}; choose one with --state:`,
      ...folders,
    ]);
  return only;
}

/** If the configuration cannot be read, the error suggests --state: in a shell, the service's variables are often not set. */
async function readConfig(flags: StateFlags, io: CommandIo): Promise<Config> {
  try {
    return await configOfState(flags, io);
  } catch (thrown) {
    if (!isConfigError(thrown)) throw thrown;
    const { path, name } = (await readStateLocation(flags.config, io.env)) ?? stateLocation(undefined, flags.config);
    const likely = path === undefined ? await stateFoldersNamed(name, io.env) : [path];
    const folder =
      likely.length === 0 ? `FOLDER, below ${stateRoot(io.env)} unless the file names one` : likely.join(' or ');
    throw new ConfigError([...thrown.problems, `The recorded changes can be read without it: --state ${folder}`], {
      cause: thrown,
    });
  }
}
