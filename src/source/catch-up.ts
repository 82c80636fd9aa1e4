/** Decides when a resumed watch has shown everything that happened while nothing was watching. */
import type { ChangeFlags } from '../change.ts';
import type { Clock } from '../clock.ts';

/** The server replays its history in one go: a pause this long means that the replay is over. */
const QUIET_MS = 1_000;
/** In a busy cluster there is no pause. Taking an old change for a new one is better than the reverse. */
const MAX_REPLAY_MS = 10_000;

const NONE: ChangeFlags = {};

/**
 * Created at process start for each scope with a cursor, and after a watch has failed; dropped at the first bookmark, which also
 * ends a replay.
 */
export class CatchUp {
  readonly #clock: Clock;
  readonly #flags: ChangeFlags;
  /** Undefined until a watch was accepted. */
  #times: { readonly began: number; last: number } | undefined;
  #isOver = false;

  /** @param flags for changes from before the watch */
  constructor(clock: Clock, flags: ChangeFlags) {
    this.#clock = clock;
    this.#flags = flags;
  }

  /** Whether there may be more to come of what happened while nothing was watching. */
  get isAway(): boolean {
    return this.#flags.whileAway === true && !this.isOver;
  }

  get isOver(): boolean {
    const now = this.#clock.monotonic();
    const { began, last } = this.#times ?? { began: now, last: now };
    this.#isOver ||= now - last >= QUIET_MS || now - began >= MAX_REPLAY_MS;
    return this.#isOver;
  }

  /** To be called when the watch is accepted. */
  begin(): void {
    const now = this.#clock.monotonic();
    this.#times = { began: now, last: now };
  }

  /** To be called for each event: the flags if it happened before we watched, otherwise none. */
  flags(): ChangeFlags {
    const flags = this.isOver ? NONE : this.#flags;
    if (this.#times !== undefined) this.#times.last = this.#clock.monotonic();
    return flags;
  }
}
