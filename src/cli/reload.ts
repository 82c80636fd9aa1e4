/** Live reload: the configuration file is watched; what it says next is checked, then followed. */
import type { App } from '../app.ts';
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
  readonly files: Pick<WatchedFiles, 'changed'>;
  /** Reads and checks the file again, and notes what it reads. */
  readonly load: () => Promise<Config>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Until the signal aborts. A configuration that cannot be used is told, and the one that runs goes on. */
export async function reloadWhenChanged({ app, config, files, load, log, signal }: ReloadOptions): Promise<void> {
  for (;;) {
    try {
      await files.changed(signal);
    } catch {
      return;
    }
    try {
      // A stop does not wait for what a handler's file does while it is loaded.
      await app.reload(await unlessAborted(load(), signal));
    } catch (thrown) {
      if (signal.aborted) return;
      const problems = isConfigError(thrown) ? thrown.problems : [toError(thrown).message];
      log.error('The changed configuration cannot be used, the old one goes on', { file: config.file, problems });
      app.reloadFailed(problems);
    }
  }
}
