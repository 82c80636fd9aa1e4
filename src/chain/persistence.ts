/** Writes to the store that must not be lost: a full disk makes a chain wait, and not send twice. */
import type { Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';

const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 30_000;

export class Persistence {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #givenUp = new AbortController();
  /** The error last logged, by purpose, as a store may refuse one and accept another: logged once while it stays the same. */
  readonly #reported = new Map<string, string>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Calls `work` until it succeeds, waiting 1 s to 30 s in between. Never rejects; undefined only after {@link giveUp}. */
  async keepTrying<T>(purpose: string, work: () => Promise<T>): Promise<T | undefined> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      try {
        const result = await work();
        if (this.#reported.delete(purpose))
          this.#log.info('The store can be written to again, the chain continues', { purpose });
        return result;
      } catch (thrown) {
        const error = toError(thrown).message;
        const level = error === this.#reported.get(purpose) ? 'debug' : 'error';
        this.#reported.set(purpose, error);
        this.#log[level]('Cannot write to the store, the chain waits', { purpose, error, retryInMs: waitMs });
      }
      try {
        await this.#clock.sleep(waitMs, this.#givenUp.signal);
      } catch {
        return undefined;
      }
    }
  }

  /** To be called when the process stops: what fails from now on is repeated after the next start. */
  giveUp(): void {
    this.#givenUp.abort();
  }
}
