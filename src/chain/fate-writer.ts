/** Writes the result of a run to the store: end, wait, forks, or release. */
import { withNote } from '../change/lazy-change.ts';
import type { ChainConfig } from '../config/config.ts';
import { editsOf } from '../change/edits.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Delivery } from '../store/delivery.ts';
import type { Store } from '../store/store.ts';
import type { Completion, Dead, Fate } from './fate.ts';

export interface FateWriterOptions {
  readonly chain: ChainConfig;
  readonly store: Store;
  readonly log: Logger;
  /** Called when these branches, or the chain for dead letters, have been given a change. */
  readonly onForked?: (chains: readonly string[]) => void;
}

export class FateWriter {
  readonly #options: FateWriterOptions;

  constructor(options: FateWriterOptions) {
    this.#options = options;
  }

  /** Returns whether there may be more to claim. */
  async write(delivery: Delivery, fate: Fate): Promise<boolean> {
    if (fate.kind === 'ended') return this.#complete(delivery.id, fate);
    if (fate.kind === 'parked' || fate.kind === 'gathered') await this.#options.store.park(delivery.id, fate.park);
    else await this.#giveUp(delivery, fate);
    return true;
  }

  /** If the store refuses, reopening it has the same effect. @param perhapsSent see `Store.release` */
  async release(delivery: Delivery, perhapsSent = false): Promise<void> {
    const { store, log } = this.#options;
    try {
      await store.release(delivery.id, perhapsSent);
    } catch (thrown) {
      // The mark needs room on the disk. Without it the change still runs again after a reload, which does not reopen the store.
      if (perhapsSent) return this.release(delivery);
      log.warn('Could not return a change to the store', { delivery: delivery.id, error: toError(thrown).message });
    }
  }

  async #complete(id: number, { end, writes, edits }: Completion): Promise<boolean> {
    const { store, chain, onForked } = this.#options;
    if (end.kind === 'halted' || chain.branches.length === 0) return store.complete(id, end, { writes });
    const chains = chain.branches.map(({ name }) => name);
    const hasMore = await store.complete(id, end, { writes, forks: { chains, edits } });
    onForked?.(chains);
    return hasMore;
  }

  async #giveUp({ id, change, edited }: Delivery, { failure, attempts, isAlone }: Dead): Promise<void> {
    const { store, chain, onForked } = this.#options;
    const failed = { handler: failure.handler, error: failure.message, attempts };
    const death = { ...failed, isAlone };
    // A failure to deliver a dead letter is not reported again: two chains could go on forever.
    if (chain.deadLettersTo === undefined || change.notes.deadLetter !== undefined) return store.deadLetter(id, death);
    const chains = [chain.deadLettersTo];
    const letter = withNote(change, 'deadLetter', { ...failed, id, chain: chain.name });
    await store.deadLetter(id, death, { chains, edits: editsOf(change, letter, edited) });
    onForked?.(chains);
  }
}
