/** A limit on how long a handler may take, kept even when the handler ignores its signal. */
import type { Clock } from '../clock.ts';

export interface DeadlineOptions {
  readonly clock: Clock;
  readonly ms: number;
  readonly calls: RunningCalls;
}

/** The calls that are running, so that all can be given up when the process stops. */
export class RunningCalls {
  readonly #calls = new Set<AbortController>();
  readonly #refusal: () => Error | undefined;
  #reason: Error | undefined;

  /** @param refusal asked before each call: why it must not begin. Default: it may */
  constructor(refusal: () => Error | undefined = () => undefined) {
    this.#refusal = refusal;
  }

  /** Aborts what runs, and whatever would begin after it. */
  abort(reason: Error): void {
    this.#reason = reason;
    for (const call of this.#calls) call.abort(reason);
  }

  /** @throws the reason once aborted, or why the call must not begin */
  throwIfAborted(): void {
    const reason = this.#reason ?? this.#refusal();
    if (reason !== undefined) throw reason;
  }

  add(call: AbortController): void {
    this.#calls.add(call);
  }

  delete(call: AbortController): void {
    this.#calls.delete(call);
  }
}

/** Ends a deadline that is not needed any more. */
const FINISHED = new Error('finished');

/**
 * What `work` answers. When it takes longer than `ms`, or `calls` are aborted, its signal aborts and this
 * rejects with the reason, whatever `work` does then. An answer that is no promise costs no timer.
 */
export function withDeadline<T>(
  work: (signal: AbortSignal) => T | Promise<T>,
  options: DeadlineOptions,
): T | Promise<T> {
  options.calls.throwIfAborted();
  const controller = new AbortController();
  const answer = work(controller.signal);
  return isPromise(answer) ? raced(answer, controller, options) : answer;
}

/** Any thenable: a user's handler may bring its own kind. */
function isPromise<T>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof answer === 'object' && answer !== null && 'then' in answer && typeof answer.then === 'function';
}

async function raced<T>(answer: Promise<T>, call: AbortController, { clock, ms, calls }: DeadlineOptions): Promise<T> {
  const { signal } = call;
  const finished = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  calls.add(call);
  clock.sleep(ms, finished.signal).then(
    () => call.abort(new Error(`it was not done within ${ms / 1000} s`)),
    () => undefined,
  );
  try {
    return await Promise.race([answer, aborted]);
  } catch (thrown) {
    // What the handler made of its signal says less than why it was aborted.
    signal.throwIfAborted();
    throw thrown;
  } finally {
    calls.delete(call);
    finished.abort(FINISHED);
  }
}
