/** Live reload: watches the configuration files, and checks and applies their changes. */
import { isDeepStrictEqual } from 'node:util';
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
  /** The files that were read for `config`, watched since, so that no change since then is missed. */
  readonly files: Pick<WatchedFiles, 'haveChanged'>;
  /** Reads and checks the file again, and watches what it reads. */
  readonly load: () => Promise<Config>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface ReloadLoop {
  /** Resolves when all changes up to now are applied, or reported as unusable. Never rejects. */
  whenCurrent(): Promise<void>;
  /** Resolves after the signal has aborted. */
  readonly ended: Promise<void>;
}

const ASK_EVERY_MS = 2_000;
/** A refusal need not be the file's fault: the disk is full, or the database of a user's handler is down. */
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 15 * 60_000;

/** Runs until the signal aborts. A configuration that cannot be used is reported, and the current one stays. */
export function reloadWhenChanged(options: ReloadOptions): ReloadLoop {
  const { clock, signal } = options;
  const follower = new Follower(options);
  let last = Promise.resolve();
  const whenCurrent = (): Promise<void> => (last = last.then(() => follower.checkNow()));
  const poll = async (): Promise<void> => {
    while (!signal.aborted) {
      await whenCurrent();
      await pause(clock, ASK_EVERY_MS, signal);
    }
  };
  return { whenCurrent, ended: poll() };
}

interface FailedReload {
  readonly problems: readonly string[];
  readonly waitMs: number;
  /** On the monotonic clock. */
  readonly retryAtMs: number;
}

class Follower {
  readonly #options: ReloadOptions;
  #loggedWarnings: Config['warnings'];
  /** The refusal of the current files, if any. */
  #failure: FailedReload | undefined;

  constructor(options: ReloadOptions) {
    this.#options = options;
    this.#loggedWarnings = options.config.warnings;
  }

  /** Never rejects. */
  async checkNow(): Promise<void> {
    const { app, files, load, log, signal } = this.#options;
    try {
      if (await files.haveChanged(signal)) this.#failure = undefined;
      else if (!this.#isRetryDue()) return;
      // Stopping does not wait for a handler's file to load.
      const changed = await unlessAborted(load(), signal);
      await app.reload(changed);
      this.#failure = undefined;
      const { warnings } = changed;
      warnAll(
        warnings.filter((warning) => !this.#loggedWarnings.includes(warning)),
        log,
      );
      this.#loggedWarnings = warnings;
    } catch (thrown) {
      if (!signal.aborted) this.#reportFailure(isConfigError(thrown) ? thrown.problems : [toError(thrown).message]);
    }
  }

  #isRetryDue(): boolean {
    return this.#failure !== undefined && this.#options.clock.monotonic() >= this.#failure.retryAtMs;
  }

  /** Logs the same problems as an error only once. */
  #reportFailure(problems: readonly string[]): void {
    const { app, config, clock, log } = this.#options;
    const { problems: loggedProblems, waitMs: lastWaitMs } = this.#failure ?? {};
    const waitMs = lastWaitMs === undefined ? FIRST_RETRY_MS : Math.min(2 * lastWaitMs, MAX_RETRY_MS);
    this.#failure = { problems, waitMs, retryAtMs: clock.monotonic() + waitMs };
    log[isDeepStrictEqual(problems, loggedProblems) ? 'debug' : 'error'](
      'The changed configuration cannot be used, the old one stays in effect',
      { file: config.file, problems, retryInMs: waitMs },
    );
    app.reloadFailed(problems);
  }
}

/** See {@link Config.warnings}. */
export function warnAll(warnings: Config['warnings'], log: Logger): void {
  for (const warning of warnings) log.warn('A part of the configuration may not do what it seems to', { warning });
}
