import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { nameOf, type LeaseName } from './lease-object.ts';

/** How often to log the same problem again: a standby tries every 2 s, perhaps for days. */
const REMIND_EVERY_MS = 60_000;

export interface LeaseProblemLogOptions {
  readonly at: LeaseName;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Logs what keeps a candidate from the Lease: when it begins or changes, every minute, and when it is over. */
export class LeaseProblemLog {
  readonly #options: LeaseProblemLogOptions;
  #lastReported: { readonly problem: string; readonly at: number } | undefined;

  constructor(options: LeaseProblemLogOptions) {
    this.#options = options;
  }

  report(problem: string): void {
    const { at, clock, log } = this.#options;
    const now = clock.steady();
    if (this.#lastReported?.problem === problem && now < this.#lastReported.at + REMIND_EVERY_MS) return;
    this.#lastReported = { problem, at: now };
    log.warn('Cannot access the lease, trying again', { lease: nameOf(at), problem });
  }

  resolve(): void {
    const { at, log } = this.#options;
    if (this.#lastReported !== undefined) log.info('The lease can be accessed again', { lease: nameOf(at) });
    this.#lastReported = undefined;
  }
}
