/** When a watch that goes on from where it was has told what happened while nothing was watching. */
import type { ChangeFlags } from '../change.ts';
import type { Clock } from '../clock.ts';

/** The server replays its history in one go: a pause this long means that it is over. */
const QUIET_MS = 1_000;
/** In a busy cluster there is no pause. Rather a change that is taken for a new one than a new one that is taken for old. */
const LONGEST_MS = 10_000;

const NONE: ChangeFlags = {};

/**
 * Made at the start of the process for each scope that has a cursor, and when a watch has failed; dropped at the first bookmark,
 * which also ends a replay.
 */
export class CatchUp {
  readonly #clock: Clock;
  readonly #flags: ChangeFlags;
  /** Undefined until a watch was accepted. */
  #times: { readonly began: number; last: number } | undefined;
  #isOver = false;

  /** @param flags of what happened meanwhile */
  constructor(clock: Clock, flags: ChangeFlags) {
    this.#clock = clock;
    this.#flags = flags;
  }

  /** There may be more to come of what happened while nothing was watching. */
  get isAway(): boolean {
    return this.#flags.whileAway === true && !this.isOver;
  }

  get isOver(): boolean {
    const now = this.#clock.monotonic();
    const { began, last } = this.#times ?? { began: now, last: now };
    this.#isOver ||= now - last >= QUIET_MS || now - began >= LONGEST_MS;
    return this.#isOver;
  }

  /** The watch was accepted. */
  begin(): void {
    const now = this.#clock.monotonic();
    this.#times = { began: now, last: now };
  }

  /** Asked for each event: those of what happened before we watched, or none. */
  flags(): ChangeFlags {
    const flags = this.isOver ? NONE : this.#flags;
    if (this.#times !== undefined) this.#times.last = this.#clock.monotonic();
    return flags;
  }
}
