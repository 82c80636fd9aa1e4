/** The bytes of one answer, with a deadline for silence: a half-open connection says nothing for ever. */
import type { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { SourceError } from './failure.ts';

/** How often a watchdog looks whether its limit has changed, milliseconds. */
const LOOK_MS = 30_000;

/** Ends a stream that stays silent for too long. Time in which we do not read does not count. */
export class Watchdog {
  /** Silence allowed, milliseconds; may be changed at any time. */
  limitMs: number;
  readonly #clock: Clock;
  /** Since when we wait for the server; undefined while it waits for us. */
  #waitingSince: number | undefined;
  readonly #silence = new AbortController();
  readonly #done = new AbortController();

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.limitMs = limitMs;
  }

  /**
   * Each chunk as it comes, all that has arrived at once. Breaking out of the loop frees the socket.
   *
   * @throws SourceError `stalled`, the stream's own error, or the reason of the signal
   */
  async *chunks(body: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
    const abort = AbortSignal.any([signal, this.#silence.signal]);
    const onAbort = () => body.destroy(abort.reason as Error);
    abort.addEventListener('abort', onAbort);
    if (abort.aborted) onAbort();
    // The loop below throws what the body fails with; what it fails with afterwards is our own doing.
    body.on('error', () => {});
    void this.#watch();
    try {
      this.#waitingSince = this.#clock.monotonic();
      for await (const chunk of body) {
        this.#waitingSince = undefined;
        yield chunk as Buffer;
        this.#waitingSince = this.#clock.monotonic();
      }
    } catch (thrown) {
      abort.throwIfAborted();
      throw thrown;
    } finally {
      abort.removeEventListener('abort', onAbort);
      this.#done.abort();
      body.destroy();
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#done;
    while (!signal.aborted) {
      const waitedMs = this.#waitingSince === undefined ? 0 : this.#clock.monotonic() - this.#waitingSince;
      if (waitedMs >= this.limitMs) {
        const message = `the server has said nothing for ${Math.round(waitedMs / 1000)} s`;
        this.#silence.abort(new SourceError(message, { remedy: 'retry', reason: 'stalled' }));
        return;
      }
      await this.#clock.sleep(Math.min(this.limitMs - waitedMs, LOOK_MS), signal).catch(() => undefined);
    }
  }
}
