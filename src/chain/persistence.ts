/** Writes to the store that must not be lost: a full disk stops a chain where it stands, it does not make it send twice. */
import type { Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';

const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 30_000;

export class Persistence {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #givenUp = new AbortController();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Calls `work` until it succeeds, waiting 1 s to 30 s in between. Never rejects; undefined only after {@link giveUp}. */
  async keepTrying<T>(purpose: string, work: () => Promise<T>): Promise<T | undefined> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      try {
        return await work();
      } catch (thrown) {
        this.#log.error('Store refuses, the chain waits', {
          purpose,
          error: toError(thrown).message,
          retryInMs: waitMs,
        });
      }
      try {
        await this.#clock.sleep(waitMs, this.#givenUp.signal);
      } catch {
        return undefined;
      }
    }
  }

  /** The process stops: what fails from now on is done again after the next start. */
  giveUp(): void {
    this.#givenUp.abort();
  }
}
