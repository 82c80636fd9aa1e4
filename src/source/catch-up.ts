/** When a watch that goes on from a stored cursor has told what happened while nothing was watching. */
import type { Clock } from '../clock.ts';

/** The server replays its history in one go: a pause this long means that it is over. */
const QUIET_MS = 1_000;
/** In a busy cluster there is no pause. Rather a change that is taken for a new one than a new one that is taken for old. */
const LONGEST_MS = 10_000;

/** Made at the start of the process for each scope that has a cursor; dropped at the first bookmark, which also ends a replay. */
export class CatchUp {
  readonly #clock: Clock;
  #beganAt = 0;
  #lastAt = 0;
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The watch was accepted. */
  begin(): void {
    this.#beganAt = this.#lastAt = this.#clock.monotonic();
  }

  /** Asked for each event: did it happen before we watched? */
  isAway(): boolean {
    const now = this.#clock.monotonic();
    this.#isOver ||= now - this.#lastAt >= QUIET_MS || now - this.#beganAt >= LONGEST_MS;
    this.#lastAt = now;
    return !this.#isOver;
  }
}
