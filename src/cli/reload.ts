/** Live reload: the configuration file is watched; what it says next is checked, then followed. */
import type { App } from '../app.ts';
import { pause, type Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { WatchedFiles } from '../config/watch-files.ts';
import { isConfigError, toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { unlessAborted } from '../until-aborted.ts';

export interface ReloadOptions {
  readonly app: Pick<App, 'reload' | 'reloadFailed'>;
  /** What the app was started with. */
  readonly config: Config;
  /** What was noted when `config` was read, so that no change since is missed. */
  readonly files: Pick<WatchedFiles, 'haveChanged'>;
  /** Reads and checks the file again, and notes what it reads. */
  readonly load: () => Promise<Config>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface Reloading {
  /** Resolves when what has changed by now was given to the app, or told as what it cannot use. Never rejects. */
  caughtUp(): Promise<void>;
  /** Resolves after the signal has aborted. */
  readonly ended: Promise<void>;
}

const ASK_EVERY_MS = 2_000;

/** Until the signal aborts. A configuration that cannot be used is told, and the one that runs goes on. */
export function reloadWhenChanged(options: ReloadOptions): Reloading {
  const { config, clock, signal } = options;
  let { warnings } = config;
  let last = Promise.resolve();
  const reload = async (): Promise<void> => {
    warnings = await reloadIfChanged(options, warnings);
  };
  const caughtUp = (): Promise<void> => (last = last.then(reload));
  const keepUp = async (): Promise<void> => {
    while (!signal.aborted) {
      await caughtUp();
      await pause(clock, ASK_EVERY_MS, signal);
    }
  };
  return { caughtUp, ended: keepUp() };
}

/** Answers what was warned of by then. Never rejects. */
async function reloadIfChanged(
  { app, config, files, load, log, signal }: ReloadOptions,
  warned: Config['warnings'],
): Promise<Config['warnings']> {
  try {
    if (!(await files.haveChanged(signal))) return warned;
    // A stop does not wait for what a handler's file does while it is loaded.
    const changed = await unlessAborted(load(), signal);
    await app.reload(changed);
    const { warnings } = changed;
    warnAll(
      warnings.filter((warning) => !warned.includes(warning)),
      log,
    );
    return warnings;
  } catch (thrown) {
    if (signal.aborted) return warned;
    const problems = isConfigError(thrown) ? thrown.problems : [toError(thrown).message];
    log.error('The changed configuration cannot be used, the old one goes on', { file: config.file, problems });
    app.reloadFailed(problems);
    return warned;
  }
}

/** See {@link Config.warnings}. */
export function warnAll(warnings: Config['warnings'], log: Logger): void {
  for (const warning of warnings) log.warn('Something in the configuration works otherwise here', { warning });
}
