/** The outcome of the latest requests to one far end, for the page. */
import type { ReceiverState } from './receiver.ts';

export class ReceiverRecord {
  readonly #host: string;
  /** The names of those that send to it, with the number of receivers each has open. */
  readonly #senders = new Map<string, number>();
  #lastOkAt: number | undefined;
  #lastFailure: ReceiverState['lastFailure'];

  constructor(host: string) {
    this.#host = host;
  }

  /** The names of those that currently send to it. */
  get names(): readonly string[] {
    return [...this.#senders.keys()];
  }

  opened(name: string): void {
    this.#senders.set(name, (this.#senders.get(name) ?? 0) + 1);
  }

  closed(name: string): void {
    const remaining = (this.#senders.get(name) ?? 0) - 1;
    if (remaining > 0) this.#senders.set(name, remaining);
    else this.#senders.delete(name);
  }

  /** @param now milliseconds since the epoch */
  succeeded(now: number): void {
    this.#lastOkAt = now;
  }

  /** @param error without a secret */
  failed(now: number, error: string): void {
    this.#lastFailure = { at: now, error };
  }

  /** Undefined if nobody sends to it any more. */
  state(now: number, restsForMs: number | undefined): ReceiverState | undefined {
    if (this.#senders.size === 0) return undefined;
    return {
      names: this.names,
      host: this.#host,
      lastOkAt: this.#lastOkAt,
      lastFailure: this.#lastFailure,
      restsUntil: restsForMs === undefined ? undefined : now + restsForMs,
    };
  }
}
