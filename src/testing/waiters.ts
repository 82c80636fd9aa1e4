/** Awaited conditions, checked whenever something they depend on has changed: no polling, no sleep. */

/** Reached only by failing tests: a busy machine takes 20 s for a start. */
export const PATIENCE_MS = 60_000;

interface Waiter {
  readonly condition: () => boolean;
  readonly resolve: () => void;
}

export class Waiters {
  readonly #waiters = new Set<Waiter>();

  /** To be called after every change that a condition may depend on. */
  check(): void {
    for (const waiter of this.#waiters) if (waiter.condition()) waiter.resolve();
  }

  /** Resolves when the condition holds. Rejects after `timeoutMs` with the result of `describe`. */
  async until(condition: () => boolean, timeoutMs: number, describe: () => string): Promise<void> {
    if (condition()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { condition, resolve };
    const timer = setTimeout(() => reject(new Error(`Waited ${timeoutMs} ms in vain: ${describe()}`)), timeoutMs);
    this.#waiters.add(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }
}
