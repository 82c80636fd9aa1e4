import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { nameOf, type LeaseName } from './lease-object.ts';

/** How often to log the same problem again: a standby tries every 2 s, perhaps for days. */
const REMIND_EVERY_MS = 60_000;

export interface TroubleOptions {
  readonly at: LeaseName;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Logs what keeps a candidate from the Lease: when it begins or changes, every minute, and when it is over. */
export class Trouble {
  readonly #options: TroubleOptions;
  #said: { readonly problem: string; readonly at: number } | undefined;

  constructor(options: TroubleOptions) {
    this.#options = options;
  }

  met(problem: string): void {
    const { at, clock, log } = this.#options;
    const now = clock.steady();
    if (this.#said?.problem === problem && now < this.#said.at + REMIND_EVERY_MS) return;
    this.#said = { problem, at: now };
    log.warn('Cannot access the lease, trying again', { lease: nameOf(at), problem });
  }

  ended(): void {
    const { at, log } = this.#options;
    if (this.#said !== undefined) log.info('The lease can be accessed again', { lease: nameOf(at) });
    this.#said = undefined;
  }
}
