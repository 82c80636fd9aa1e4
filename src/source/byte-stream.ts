/** The bytes of one answer, with a deadline for silence: a half-open connection stays silent forever. */
import type { Readable } from 'node:stream';
import { pause, type Clock } from '../clock.ts';
import { SourceError } from './failure.ts';

/** How often to check whether the limit has changed, milliseconds. */
const CHECK_INTERVAL_MS = 30_000;

export interface ByteSink {
  /** Gets the payload of one frame. A throw ends the stream. */
  chunk(bytes: Buffer): void;
  /** Called after all frames of one socket read. Reading pauses while its promise is pending; a rejection ends the stream. */
  turn(): Promise<void> | undefined;
}

/**
 * Uses events, not an iterator: an iterator first copies what arrives together into one buffer, which costs as much again as
 * reading it from the socket.
 */
export class ByteStream {
  /** Silence allowed, milliseconds; may be changed at any time. Time during which we do not read does not count. */
  limitMs: number;
  readonly #body: Readable;
  readonly #clock: Clock;
  readonly #done = new AbortController();
  /** Since when we have been waiting for the server; undefined while it waits for us. */
  #waitingSince: number | undefined;
  #isTurnDue = false;
  /** The last turn, which may still be under way when the answer ends. */
  #turning: Promise<void> = Promise.resolve();

  constructor(body: Readable, clock: Clock, limitMs: number) {
    this.#body = body;
    this.#clock = clock;
    this.limitMs = limitMs;
  }

  /**
   * Resolves at the end of the answer. Frees the socket and waits for the last turn in any case.
   *
   * @throws SourceError `stalled`, the error of the stream or the sink, or the signal's reason
   */
  async read(sink: ByteSink, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    this.#resetSilence();
    this.#body.on('error', reject).on('end', resolve);
    this.#body.on('close', () => reject(new Error('the connection was closed')));
    this.#body.on('data', (chunk: Buffer) => {
      if (this.#done.signal.aborted) return;
      this.#resetSilence();
      try {
        sink.chunk(chunk);
      } catch (thrown) {
        this.#done.abort();
        reject(thrown);
        return;
      }
      this.#scheduleTurn(sink, reject);
    });
    this.#watchSilence().catch(reject);
    try {
      signal.throwIfAborted();
      await promise;
      await this.#turning;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#done.abort();
      this.#body.destroy();
      // After an error too: a sink that is busy is given nothing more, not even by the next stream.
      await this.#turning.catch(() => undefined);
    }
  }

  #resetSilence(): void {
    this.#waitingSince = this.#clock.monotonic();
  }

  /** Node emits all frames of one socket read before the first microtask runs. */
  #scheduleTurn(sink: ByteSink, reject: (reason: unknown) => void): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    queueMicrotask(() => {
      this.#isTurnDue = false;
      if (this.#done.signal.aborted) return;
      this.#turning = this.#turn(sink);
      this.#turning.catch(reject);
    });
  }

  async #turn(sink: ByteSink): Promise<void> {
    const busy = sink.turn();
    if (busy === undefined) return;
    this.#body.pause();
    this.#waitingSince = undefined;
    await busy;
    this.#resetSilence();
    this.#body.resume();
  }

  async #watchSilence(): Promise<void> {
    const { signal } = this.#done;
    while (!signal.aborted) {
      const waitedMs = this.#waitingSince === undefined ? 0 : this.#clock.monotonic() - this.#waitingSince;
      if (waitedMs >= this.limitMs) {
        const message = `the server has sent nothing for ${Math.round(waitedMs / 1000)} s`;
        throw new SourceError(message, { remedy: 'retry', reason: 'stalled' });
      }
      await pause(this.#clock, Math.min(this.limitMs - waitedMs, CHECK_INTERVAL_MS), signal);
    }
  }
}
