/** Where a configuration keeps its state folder. */
import { dirname, parse, resolve } from 'node:path';
import { isConfigError } from '../errors.ts';
import { complete } from './complete.ts';
import type { Config } from './config.ts';
import type { Problem } from './problems.ts';
import { readConfigFile } from './read.ts';
import { configFile, type ConfigFile } from './schema.ts';

type StateLocation = Config['state'];

/** @param state as in the file */
export function stateLocation(state: ConfigFile['state'], file: string): StateLocation {
  const path = state?.path === undefined ? undefined : resolve(dirname(resolve(file)), state.path);
  return { path, name: state?.name ?? parse(file).name };
}

/**
 * Where the state is, from a file that may otherwise be invalid.
 * @returns undefined if the file does not say
 */
export async function readStateLocation(file: string, env: NodeJS.ProcessEnv): Promise<StateLocation | undefined> {
  try {
    const { value } = await readConfigFile(file, { env, lenient: true, repeats: 'first', unset: 'empty' });
    const problems: Problem[] = [];
    const filled = complete(value, { env, folder: dirname(resolve(file)) }, problems);
    const { success, data } = configFile.shape.state.safeParse(filled.value['state']);
    const isSure = success && !problems.some(({ path: [section] }) => section === 'state');
    return isSure ? stateLocation(data, file) : undefined;
  } catch (thrown) {
    if (isConfigError(thrown)) return undefined;
    throw thrown;
  }
}
