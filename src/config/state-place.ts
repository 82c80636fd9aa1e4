/** Where a configuration keeps its state. */
import { dirname, parse, resolve } from 'node:path';
import { isConfigError } from '../errors.ts';
import { complete } from './complete.ts';
import type { Config } from './config.ts';
import { canonical } from './keys.ts';
import type { Problem } from './problems.ts';
import { readConfigFile, type NamedTool } from './read.ts';
import { configFile, type ConfigFile } from './schema.ts';

type StatePlace = Config['state'];

/** @param state as the file has it */
export function statePlace(state: ConfigFile['state'], file: string): StatePlace {
  const path = state?.path === undefined ? undefined : resolve(dirname(resolve(file)), state.path);
  return { path, name: state?.name ?? parse(file).name };
}

/**
 * Where the state is by a file that may be wrong everywhere else.
 * @returns undefined when the file does not say so much
 */
export async function stateOf(
  file: string,
  options: { readonly env: NodeJS.ProcessEnv; readonly tool?: NamedTool | undefined },
): Promise<StatePlace | undefined> {
  try {
    const { value } = await readConfigFile(file, { lenient: true, repeats: 'first', unset: 'empty', ...options });
    const problems: Problem[] = [];
    const folder = dirname(resolve(file));
    const { state = {} } = canonical(value, configFile, [], []) as Record<string, unknown>;
    const filled = complete({ state }, { env: options.env, folder }, problems);
    const { data } = configFile.shape.state.safeParse(filled.value['state']);
    return data === undefined || problems.length > 0 ? undefined : statePlace(data, file);
  } catch (thrown) {
    if (isConfigError(thrown)) return undefined;
    throw thrown;
  }
}
