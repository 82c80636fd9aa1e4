/** A limit on how long a handler may take, kept even when the handler ignores its signal. */
import type { Clock } from '../clock.ts';

export interface DeadlineOptions {
  readonly clock: Clock;
  readonly ms: number;
  readonly calls: RunningCalls;
}

/** One call of a handler. */
export interface Call {
  /** Created on first use: most calls end in less time than that takes. */
  readonly signal: AbortSignal;
}

class RunningCall implements Call {
  #controller: AbortController | undefined;
  #reason: Error | undefined;
  /** Called once, when the call is aborted. */
  onAbort: (reason: Error) => void = () => undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.onAbort(reason);
  }
}

/** The running calls, so that all can be aborted when the process stops. */
export class RunningCalls {
  readonly #calls = new Set<RunningCall>();
  readonly #refusal: () => Error | undefined;
  #reason: Error | undefined;

  /** @param refusal called before each call, returns why it must not begin, if so. Default: it may */
  constructor(refusal: () => Error | undefined = () => undefined) {
    this.#refusal = refusal;
  }

  /** Aborts running calls, and any that would begin later. */
  abort(reason: Error): void {
    this.#reason = reason;
    for (const call of this.#calls) call.abort(reason);
  }

  /** @throws the reason once aborted, or why the call must not begin */
  throwIfAborted(): void {
    const reason = this.#reason ?? this.#refusal();
    if (reason !== undefined) throw reason;
  }

  add(call: RunningCall): void {
    this.#calls.add(call);
  }

  delete(call: RunningCall): void {
    this.#calls.delete(call);
  }
}

/**
 * Returns what `work` returns. If it takes longer than `ms`, or `calls` are aborted, its signal aborts and this
 * rejects with the reason, whatever `work` then does. A synchronous answer needs no timer.
 */
export function withDeadline<T>(work: (call: Call) => T | Promise<T>, options: DeadlineOptions): T | Promise<T> {
  options.calls.throwIfAborted();
  const call = new RunningCall();
  const result = work(call);
  return isPromise(result) ? raceDeadline(result, call, options) : result;
}

/** Any thenable: a user's handler may bring its own kind. */
function isPromise<T>(result: T | Promise<T>): result is Promise<T> {
  return typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function';
}

/** The reason of an abort takes precedence over what the handler makes of its signal, which is less informative. */
function raceDeadline<T>(result: Promise<T>, call: RunningCall, { clock, ms, calls }: DeadlineOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      cancel();
      calls.delete(call);
    };
    call.onAbort = (reason) => {
      finish();
      reject(reason);
    };
    const cancel = clock.after(ms, () => call.abort(new Error(`it did not finish within ${ms / 1000} s`)));
    calls.add(call);
    // A non-standard thenable may resolve with a promise, which has to be awaited too.
    Promise.resolve(result).then(
      (value) => {
        finish();
        resolve(value);
      },
      (error: Error) => {
        finish();
        reject(error);
      },
    );
  });
}
