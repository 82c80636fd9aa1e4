/** What was started, in order; stopped in reverse, so that nothing arrives where nobody listens. */
import type { Logger } from '../log.ts';

/** @param graceMs how long what is under way may take to end */
type Stop = (graceMs: number) => Promise<unknown>;

export class Stages {
  readonly #started: { readonly name: string; readonly stop: Stop }[] = [];

  /** To be called as soon as there is something to stop: also before it has wholly started. */
  add(name: string, stop: Stop): void {
    this.#started.push({ name, stop });
  }

  /** One that fails is told, and does not keep the others from stopping. Called again, it stops what was added since. */
  async stop(graceMs: number, log: Logger): Promise<void> {
    for (const stage of this.#started.splice(0).toReversed()) {
      try {
        await stage.stop(graceMs);
      } catch (error) {
        log.error('A stage did not stop cleanly', { stage: stage.name, error: String(error) });
      }
    }
  }
}
