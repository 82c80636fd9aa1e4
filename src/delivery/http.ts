/** One HTTP request with a deadline for all of it, no redirects, a bounded answer, and no socket left behind. */
import type { Dispatcher } from 'undici';
import type { Clock } from '../clock.ts';
import type { ReceiverResponse } from './receiver.ts';

/** Slack repeats the message in its answer, with six bytes per non-ASCII unit; a verdict may be as long as a program's. */
const MAX_BODY_BYTES = 1024 * 1024;

export interface ExchangeRequest {
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly url: URL;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array;
  /** From connect to last byte. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The body of a 2xx answer matters: an incomplete one is a failure. */
  readonly needsBody: boolean;
}

/** A failed request: `sent` is false if certainly nothing was written to the receiver. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';
  readonly sent: boolean;
  constructor(cause: Error, sent: boolean) {
    super(cause.message, { cause });
    this.sent = sent;
  }
}

/**
 * Makes the request. If the body breaks off or is late, resolves with the part that came: the status says what happened, and a
 * receiver that accepted the message would get it twice.
 * @throws ExchangeError if no answer came, for whatever reason, or not all of one that is needed
 */
export function exchange(request: ExchangeRequest): Promise<ReceiverResponse> {
  const { dispatcher, url, method, headers, body, clock, signal, timeoutMs, needsBody } = request;
  return new Promise((resolve, reject) => {
    const collector = new ResponseCollector();
    const finish = (): void => {
      cancel();
      signal.removeEventListener('abort', onAbort);
    };
    const giveUp = (reason: Error): void => {
      finish();
      if (collector.status >= (needsBody ? 300 : 200)) resolve(collector.response());
      else reject(new ExchangeError(reason, collector.started));
      collector.abort(reason);
    };
    const onAbort = (): void => giveUp(new Error('aborted: the handler was stopped', { cause: signal.reason }));
    const cancel = clock.after(timeoutMs, () => giveUp(new Error(`no complete answer within ${timeoutMs} ms`)));
    collector.onEnd = (error) => {
      if (error !== undefined) return giveUp(error);
      finish();
      resolve(collector.response());
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const path = url.pathname + url.search;
    const limits = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
    dispatcher.dispatch({ origin: url.origin, path, method, headers, body, ...limits }, collector);
  });
}

/** Collects one answer. undici's `request` would create a stream, which is too expensive for a few bytes. */
class ResponseCollector implements Dispatcher.DispatchHandler {
  /** Called once, with an error if the answer is missing or incomplete. */
  onEnd: (error?: Error) => void = () => undefined;
  /** The connection was made and writing the request began. */
  started = false;
  /** 0 until there is one; below 200 the final answer is still to come. */
  status = 0;
  #headers: Record<string, string> = {};
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #aborted: Error | undefined;

  /** Destroys the connection, or keeps the request from being written on it. */
  abort(reason: Error): void {
    this.#aborted ??= reason;
    this.#controller?.abort(reason);
  }

  response(): ReceiverResponse {
    const body = Buffer.concat(this.#chunks).subarray(0, MAX_BODY_BYTES).toString('utf8');
    return { status: this.status, headers: this.#headers, body };
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted === undefined) this.started = true;
    else controller.abort(this.#aborted);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: NodeJS.Dict<string | string[]>): void {
    this.status = status;
    const one = (value: string | string[] | undefined): string =>
      Array.isArray(value) ? value.join(', ') : (value ?? '');
    this.#headers = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), one(value)]),
    );
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes <= MAX_BODY_BYTES) return;
    // The status is enough; the rest of such an answer is not worth keeping the connection.
    this.onEnd();
    controller.abort(new Error('the answer is too long'));
  }

  onResponseEnd(): void {
    this.onEnd();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.onEnd(error);
  }
}
