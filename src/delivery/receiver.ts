/**
 * The only way for sinks to send. A receiver is one far end: a Slack channel, a URL. It has one token bucket and one
 * circuit breaker; requests have a deadline, follow no redirects, go only where a name may lead (egress.ts), and fail with
 * errors that never contain the URL.
 */
import type { FetchFunction } from '@slack/webhook';
import type { ConnectionNeeds } from './connections.ts';
import type { Appended } from './url-below.ts';

export interface ReceiverOptions extends ConnectionNeeds {
  /** Names it in errors, logs and metrics: never the URL. */
  readonly name: string;
  /** Whole request, connect to last byte, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** Messages per second on average; 0 is unlimited. Default 0. */
  readonly perSecond?: number;
  /** How many may go at once before the rate applies. Default 1. */
  readonly burst?: number;
  /** Whether a caller that is too early gets a reservation. Default true; not needed to send a backlog as one message. */
  readonly lineUp?: boolean | undefined;
  /** A part of the far end with its own rate and breaker, such as a channel behind a shared URL. Never a secret. */
  readonly lane?: string | undefined;
  /** Signs each request as in Standard Webhooks, with each of these secrets: two during a rotation. */
  readonly signingSecrets?: readonly string[];
  /** Whether a 403 or 404 may be about something in the message, such as a dashboard: then the address is not gone. */
  readonly namesPlaces?: boolean;
  /** Credentials beside the URL, such as a token in a header: no error may contain them. */
  readonly secrets?: readonly string[];
  /** Further texts that no error may contain. Sinks that differ only in these send to the same far end. */
  readonly hidden?: readonly string[];
  /**
   * Checks a 2xx answer: some receivers refuse in the body. What it throws is the failure, classified by `code` as usual, and
   * counts against the receiver's health like an answer with the corresponding status. The answer is without the receiver's
   * URL, but with what was appended to it, so that no name from the cluster changes what it says: `scrub` what an error quotes.
   */
  readonly accept?: (response: ReceiverResponse, scrub: (text: string) => string) => void;
  /** Whether an incomplete 2xx answer is a failure. Default: only with {@link accept}; otherwise the status is enough. */
  readonly needsBody?: boolean;
}

export interface OutgoingRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What this request appends to the receiver's URL. It is the same far end, with the same rate and breaker. */
  readonly appended?: Appended | undefined;
  readonly body: string | Uint8Array;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

export interface ReceiverResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** At most its first 1 MiB. */
  readonly body: string;
}

export interface Receiver {
  /**
   * Resolves on 2xx. Throws `WaitError` (our rate), `RetryAfterError` (surely not sent, 429, 503 with Retry-After, open breaker),
   * `TerminalError` (a 4xx that no retry helps) or an Error that counts as an attempt.
   */
  send(request: OutgoingRequest): Promise<ReceiverResponse>;
  /** {@link send} behind the fetch interface that client libraries accept; the URL must be this receiver's. Same errors. */
  fetch(idempotencyKey: string, signal: AbortSignal): FetchFunction;
  close(): Promise<void>;
}

/** The state of one far end. Times are milliseconds since the epoch. */
export interface ReceiverState {
  /** {@link ReceiverOptions.name} of those that send to it. */
  readonly names: readonly string[];
  readonly host: string;
  /** When it last accepted something; undefined if not since the start. */
  readonly lastOkAt: number | undefined;
  readonly lastFailure: { readonly at: number; readonly error: string } | undefined;
  /** When it will be tried again, while its breaker is open. */
  readonly restsUntil: number | undefined;
}

/** Sinks that name the same far end, by address, lane, credentials and what the connection needs, share its rate and breaker. */
export interface ReceiverFactory {
  receiver(options: ReceiverOptions): Receiver;
}
