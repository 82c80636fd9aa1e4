/**
 * The one way out for every sink. A receiver is one far end: a Slack channel, a URL. It has one token bucket and one
 * circuit breaker; requests have a deadline, follow no redirect, go nowhere that a name must not lead (egress.ts), and fail with
 * errors that never hold the URL.
 */
import type { FetchFunction } from '@slack/webhook';
import type { ConnectionNeeds } from './connections.ts';

export interface ReceiverOptions extends ConnectionNeeds {
  /** Names it in errors, logs and metrics: never the URL. */
  readonly name: string;
  /** Whole request, connect to last byte, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** Messages per second on average; 0 is unlimited. Default 0. */
  readonly perSecond?: number;
  /** How many may go at once before the rate holds. Default 1. */
  readonly burst?: number;
  /** Whether who comes too early gets a place in the line. Default true; who puts the backlog into one message needs no more than the next. */
  readonly lineUp?: boolean | undefined;
  /** A part of the far end that has a rate and a breaker of its own, such as a channel behind one URL. Never a secret. */
  readonly lane?: string | undefined;
  /** Signs each request in the manner of Standard Webhooks, with each of these secrets: two while one replaces the other. */
  readonly signingSecrets?: readonly string[];
  /** Whether a 403 or 404 may be about what one message names, such as a dashboard: the address is not gone then. */
  readonly namesPlaces?: boolean;
  /** Further texts that no error may hold, such as a token in a header. */
  readonly secrets?: readonly string[];
  /**
   * Looks into a 2xx answer: some receivers say in the body that they did not take it. What it throws is the failure, told apart
   * by `code` as everywhere, and counts against the receiver's health as that answer would under its own status.
   */
  readonly accept?: (response: ReceiverResponse) => void;
  /** Whether a 2xx answer that breaks off is a failure. Default: where {@link accept} looks into it; else its status says all. */
  readonly needsBody?: boolean;
}

export interface OutgoingRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

export interface ReceiverResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** At most 1 MiB of it. */
  readonly body: string;
}

export interface Receiver {
  /**
   * Resolves on 2xx. Throws `WaitError` (own rate), `RetryAfterError` (surely not sent, 429, 503 with Retry-After, open breaker),
   * `TerminalError` (a 4xx that no retry helps) or an Error that counts as an attempt.
   */
  send(request: OutgoingRequest): Promise<ReceiverResponse>;
  /** The same behind the fetch interface that client libraries take; `url` must be this receiver's. Errors as in {@link send}. */
  fetch(idempotencyKey: string, signal: AbortSignal): FetchFunction;
  close(): Promise<void>;
}

/** How one far end is doing. Times are milliseconds since the epoch. */
export interface ReceiverState {
  /** {@link ReceiverOptions.name} of those who send to it. */
  readonly names: readonly string[];
  readonly host: string;
  /** When it last took something; undefined: not since the start. */
  readonly lastOkAt: number | undefined;
  readonly lastFailure: { readonly at: number; readonly error: string } | undefined;
  /** When it is tried again, while it is given a rest. */
  readonly restsUntil: number | undefined;
}

/** One receiver per (origin, path, query, lane, credentials): sinks that name the same far end share its rate and breaker. */
export interface ReceiverFactory {
  receiver(options: ReceiverOptions): Receiver;
}
