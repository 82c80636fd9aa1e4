/** Wakes a chain when its next change is due. */
import type { Clock } from '../clock.ts';

/** How often to ask the store at least: another process may have replayed a dead letter. */
const POLL_MS = 5_000;

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #pending: { readonly at: number; readonly cancel: () => void } | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at `dueAt` (see `Clock.steady`), or after 5 s if that is sooner; keeps an earlier alarm that is already set. */
  set(dueAt: number | undefined): void {
    const clock = this.#clock;
    const dueMs = dueAt === undefined ? POLL_MS : Math.max(1, dueAt - clock.steady());
    const at = clock.monotonic() + Math.min(POLL_MS, dueMs);
    if (this.#pending !== undefined && this.#pending.at <= at) return;
    this.cancel();
    const cancel = clock.after(at - clock.monotonic(), () => {
      this.#pending = undefined;
      this.#ring();
    });
    this.#pending = { at, cancel };
  }

  cancel(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
  }
}
