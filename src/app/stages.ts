/** The started stages, in order; stopped in reverse, so that nothing is sent to a stage that has stopped. */
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';

/** @param graceMs how long running work may take to end */
type Stop = (graceMs: number) => Promise<unknown>;

export class Stages {
  readonly #started: { readonly name: string; readonly stop: Stop }[] = [];

  /** To be called as soon as there is something to stop, even before it has fully started. */
  add(name: string, stop: Stop): void {
    this.#started.push({ name, stop });
  }

  /** Logs a stage that fails to stop, and continues with the others. Called again, stops what was added since. */
  async stop(graceMs: number, log: Logger): Promise<void> {
    for (const stage of this.#started.splice(0).toReversed()) {
      try {
        await stage.stop(graceMs);
      } catch (thrown) {
        log.error('A stage did not stop cleanly', { stage: stage.name, error: toError(thrown).message });
      }
    }
  }
}
