/** Mistakes that can be found without the cluster: a wait for the cluster must not hide them. */
import type { Config } from '../config/config.ts';
import { ConfigError, isConfigError } from '../errors.ts';
import { loadCredentials } from '../source/credentials.ts';
import { assertUsable, namedStateFolder } from '../store/state-folder.ts';

export interface PreflightOptions {
  readonly config: Config;
  readonly env: NodeJS.ProcessEnv;
  /** The state may be in memory: as for the app. */
  readonly storeFile?: ':memory:' | undefined;
  readonly allowInMemory?: boolean;
}

/** @throws ConfigError naming everything that is wrong with a state folder that was named, and with the credentials beside it */
export async function assertFolderUsable(options: PreflightOptions): Promise<void> {
  const { config, env, storeFile, allowInMemory = false } = options;
  const folder = namedStateFolder(config.state.path, env);
  if (folder === undefined || storeFile !== undefined || allowInMemory) return;
  const problems = await problemsOf(() => assertUsable(folder, env));
  if (problems.length === 0) return;
  const others = await problemsOf(async () => (await loadCredentials({ ...config.cluster, env })).close());
  throw new ConfigError([...others, ...problems]);
}

async function problemsOf(work: () => Promise<void>): Promise<readonly string[]> {
  try {
    await work();
    return [];
  } catch (thrown) {
    if (isConfigError(thrown)) return thrown.problems;
    throw thrown;
  }
}
