/**
 * Observations on their way into the store: bounded, in order, one accept at a time. Those that arrive while one is under way go
 * into the next, so batches grow with the load and a lone change never waits.
 */
import { pause, type Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { AcceptBatch, Observation } from '../store/scope.ts';
import type { Store } from '../store/store.ts';
import { Backoff } from './backoff.ts';

/** In flight and waiting, per scope; one more object, of any size, is always let in. */
const MAX_OBSERVATIONS = 1_000;
const MAX_BYTES = 4 * 1024 * 1024;
/** For all scopes together: hundreds of them may wait for a store that refuses. Each may hold one observation beyond it. */
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;
/** A cursor moved by nothing but noise is written after this delay. */
const CURSOR_DELAY_MS = 5_000;

/** The total held by all queues of a source. */
export interface ByteTotal {
  bytes: number;
}

export interface AcceptQueueOptions {
  readonly store: Pick<Store, 'accept'>;
  /** {@link AcceptBatch.scope}. */
  readonly scope: number;
  readonly clock: Clock;
  readonly totalHeld: ByteTotal;
  /**
   * Called when the store has been asked to accept what may be changes. The store works in request order, so a claim made now
   * sees them, in the same transaction and without another round trip. Must not throw.
   */
  readonly onAccepting: () => void;
  /** Called with an error when the store refused a batch, which is tried again; with undefined when it took one. */
  readonly onProblem: (problem: Error | undefined) => void;
}

export class AcceptQueue {
  readonly #options: AcceptQueueOptions;
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  #waiting: Observation[] = [];
  #bytes = 0;
  #inFlight = 0;
  #cursor: string | undefined;
  #writing: Promise<void> | undefined;
  #isCursorWriteDue = false;
  #stopping: Promise<void> | undefined;

  constructor(options: AcceptQueueOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ clock: options.clock });
  }

  /** Queues an observation; it is not written before {@link flush}. */
  add(observation: Observation): void {
    this.#waiting.push(observation);
    this.#addBytes(sizeOf(observation));
  }

  /** Records how far the watch has got: written with the next batch, or a little later. */
  moveCursor(resourceVersion: string): void {
    this.#cursor = resourceVersion;
    if (this.#isCursorWriteDue) return;
    this.#isCursorWriteDue = true;
    void this.#writeCursorLater();
  }

  /** Writes what is waiting, now or after the write under way. */
  flush(): void {
    if (this.#waiting.length > 0) this.#writing ??= this.#write();
  }

  /** A promise that is pending while the queue is full; undefined if there is room. */
  whenRoom(): Promise<void> | undefined {
    return this.#isFull() ? this.#waitForRoom() : undefined;
  }

  /** Resolves when everything so far is durable, or the queue was stopped. */
  async drain(): Promise<void> {
    while ((this.#waiting.length > 0 || this.#cursor !== undefined || this.#writing) && !this.#stopped.signal.aborted) {
      this.#writing ??= this.#write();
      await this.#writing;
    }
  }

  /** From now on a refusing store blocks nobody; {@link stop} tries it once more. */
  stopWaiting(): void {
    this.#stopped.abort();
  }

  /** Waits for the accept under way and tries once to write what waits. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.stopWaiting();
    await this.#writing;
    if (this.#waiting.length > 0 || this.#cursor !== undefined) await this.#writeBatch();
    // What the store did not take is dropped; it is read again after the next start.
    this.#addBytes(-this.#bytes);
  }

  /** Writes until nothing is waiting; a batch that the store refuses is kept and tried again. Never rejects. */
  async #write(): Promise<void> {
    do {
      if (!(await this.#writeBatch())) {
        await pause(this.#options.clock, this.#backoff.next(), this.#stopped.signal);
      }
    } while (this.#waiting.length > 0 && !this.#stopped.signal.aborted);
    this.#writing = undefined;
  }

  async #writeBatch(): Promise<boolean> {
    const { store, scope, onAccepting, onProblem } = this.#options;
    const observations = this.#waiting;
    const cursor = this.#cursor;
    const bytes = this.#bytes;
    this.#waiting = [];
    this.#cursor = undefined;
    this.#inFlight = observations.length;
    const batch: AcceptBatch = { scope, observations, ...(cursor === undefined ? {} : { cursor }) };
    try {
      const accepting = store.accept(batch);
      if (observations.some(({ silent }) => silent !== true)) onAccepting();
      await accepting;
    } catch (thrown) {
      this.#waiting = [...observations, ...this.#waiting];
      this.#cursor ??= cursor;
      onProblem(toError(thrown));
      return false;
    } finally {
      this.#inFlight = 0;
    }
    this.#addBytes(-bytes);
    onProblem(undefined);
    return true;
  }

  #addBytes(bytes: number): void {
    this.#bytes += bytes;
    this.#options.totalHeld.bytes += bytes;
  }

  #isFull(): boolean {
    if (this.#waiting.length + this.#inFlight >= MAX_OBSERVATIONS || this.#bytes >= MAX_BYTES) return true;
    return this.#bytes > 0 && this.#options.totalHeld.bytes >= MAX_TOTAL_BYTES;
  }

  async #waitForRoom(): Promise<void> {
    while (this.#isFull() && !this.#stopped.signal.aborted) {
      this.#writing ??= this.#write();
      await this.#writing;
    }
  }

  async #writeCursorLater(): Promise<void> {
    await pause(this.#options.clock, CURSOR_DELAY_MS, this.#stopped.signal);
    this.#isCursorWriteDue = false;
    if (this.#cursor !== undefined && !this.#stopped.signal.aborted) this.#writing ??= this.#write();
  }
}

function sizeOf({ body, managedFields }: Observation): number {
  return body.length + (managedFields?.length ?? 0);
}
