/** The {@link Receiver} over HTTP: checks breaker and rate, makes one request, and classifies its outcome. */
import type { FetchFunction } from '@slack/webhook';
import type { Clock } from '../clock.ts';
import { isRetryAfter, toError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { Breaker } from './breaker.ts';
import { failureOfRefusal, failureOfRequest, failureOfResponse, type Addressee, type Failure } from './classify.ts';
import type { Route } from './connections.ts';
import { fetchThrough } from './fetch-adapter.ts';
import { exchange, ExchangeError } from './http.ts';
import type { RateLimit } from './rate-limit.ts';
import type { OutgoingRequest, Receiver, ReceiverOptions, ReceiverResponse } from './receiver.ts';
import type { ReceiverRecord } from './receiver-record.ts';
import { basicCredentials, scrubbedCause, scrubberOf, secretsIn } from './scrub.ts';
import { messageId, signer, type Sign } from './signature.ts';
import { urlWith } from './url-below.ts';

const DEFAULT_TIMEOUT_MS = 10_000;

/** Shared by all sinks with the same far end. */
export interface FarEnd {
  readonly rate: RateLimit;
  readonly breaker: Breaker;
  readonly record: ReceiverRecord;
}

export interface ReceiverParts {
  readonly route: Route;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly farEnd: FarEnd;
  /** Called when the receiver is closed. */
  readonly onClose: () => void;
}

export class HttpReceiver implements Receiver {
  readonly #options: ReceiverOptions;
  readonly #parts: ReceiverParts;
  readonly #to: Addressee;
  readonly #sign: Sign | undefined;
  #closed = false;

  constructor(options: ReceiverOptions, parts: ReceiverParts) {
    this.#options = options;
    this.#parts = parts;
    const { name, url, signingSecrets = [], namesPlaces = false } = options;
    const scrub = this.#scrubberOf(url);
    const isForwarded = url.protocol === 'http:';
    this.#to = { title: `${name} (${url.host})`, proxy: parts.route.proxy, isForwarded, scrub, namesPlaces };
    parts.farEnd.record.opened(name);
    this.#sign = signingSecrets.length === 0 ? undefined : signer(signingSecrets);
  }

  async send(request: OutgoingRequest): Promise<ReceiverResponse> {
    if (this.#closed) throw new Error(`Cannot send to ${this.#to.title}: it is closed`);
    const { breaker, rate } = this.#parts.farEnd;
    breaker.check(this.#to.title);
    rate.take(request.idempotencyKey, this.#options.lineUp);
    const probe = breaker.begin();
    const startedAt = this.#parts.clock.monotonic();
    const url = urlWith(this.#options.url, request.appended);
    // Made when there is something to hide: most requests succeed.
    const scrub = (text: string): string => this.#scrubberOf(url, secretsIn(request.headers ?? {}))(text);
    const to = { ...this.#to, scrub };
    let response: ReceiverResponse;
    try {
      response = await this.#exchange(url, request);
    } catch (thrown) {
      const { cause, sent } = thrown instanceof ExchangeError ? thrown : new ExchangeError(toError(thrown), false);
      const failure = failureOfRequest(scrubbedCause(toError(cause), to.scrub), sent, to);
      if (request.signal.aborted) breaker.undecided(probe);
      else this.#observe(startedAt, failure, probe);
      throw failure.error;
    }
    const failure = failureOfResponse(response, to, this.#parts.clock) ?? this.#refusalIn(response, to);
    this.#observe(startedAt, failure, probe);
    if (failure !== undefined) throw failure.error;
    return response;
  }

  fetch(idempotencyKey: string, signal: AbortSignal): FetchFunction {
    return fetchThrough(this, this.#options.url, idempotencyKey, signal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.farEnd.record.closed(this.#options.name);
    this.#parts.onClose();
  }

  /** @throws ExchangeError if no answer came, or not all of one that is needed; anything else if nothing was sent */
  async #exchange(
    url: URL,
    { method = 'POST', headers = {}, body, idempotencyKey, signal }: OutgoingRequest,
  ): Promise<ReceiverResponse> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, accept, needsBody = accept !== undefined } = this.#options;
    const { route, clock } = this.#parts;
    const allHeaders = {
      'user-agent': 'watchchain',
      'idempotency-key': headerValue(idempotencyKey),
      ...credentialsIn(url),
      ...lowerCased(headers),
      ...this.#sign?.(messageId(idempotencyKey), body, clock.now()),
    };
    const dispatcher = await route.dispatcher();
    return exchange({ dispatcher, clock, url, method, headers: allHeaders, body, timeoutMs, signal, needsBody });
  }

  /** Hides a URL of this receiver, its secrets, and those of a request. */
  #scrubberOf(url: URL, ofRequest: readonly string[] = []): (text: string) => string {
    const { secrets = [], signingSecrets = [], hidden = [] } = this.#options;
    return scrubberOf(url, [...secrets, ...signingSecrets, ...hidden, ...ofRequest]);
  }

  #refusalIn(response: ReceiverResponse, { scrub }: Addressee): Failure | undefined {
    try {
      // Scrubs the answer, not the error, whose own words may also occur in the address, such as a method's name.
      this.#options.accept?.({ ...response, body: this.#to.scrub(response.body) }, scrub);
      return undefined;
    } catch (thrown) {
      return failureOfRefusal(toError(thrown));
    }
  }

  #observe(startedAt: number, failure: Failure | undefined, probe: boolean): void {
    const { metrics, clock, farEnd } = this.#parts;
    const receiver = this.#options.name;
    metrics.deliveries.inc({ receiver, outcome: failure?.outcome ?? 'ok' });
    metrics.deliverySeconds.observe({ receiver }, (clock.monotonic() - startedAt) / 1000);
    const { error } = failure ?? {};
    if (error === undefined) farEnd.record.succeeded(clock.now());
    else farEnd.record.failed(clock.now(), error.message);
    if (isRetryAfter(error) && error.retryAfterMs !== undefined) farEnd.rate.block(error.retryAfterMs);
    const isUnhealthy = failure !== undefined && failure.outcome !== 'limited' && failure.outcome !== 'refused';
    if (isUnhealthy) farEnd.breaker.failed(probe);
    else farEnd.breaker.succeeded();
  }
}

/** Adds the credentials of `https://user:password@host`, which the HTTP client ignores. */
function credentialsIn(url: URL): Readonly<Record<string, string>> {
  const basic = basicCredentials(url);
  return basic === undefined ? {} : { authorization: `Basic ${basic}` };
}

/** Header values must be visible ASCII, but a chain's name may be in any script. */
function headerValue(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, encodeURIComponent);
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
