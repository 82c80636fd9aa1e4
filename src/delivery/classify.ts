/** Turns a receiver's answer, or its absence, into an error class of errors.ts with a message. */
import type { Clock } from '../clock.ts';
import { codeOf, RetryAfterError, TerminalError } from '../errors.ts';
import { printable, shortened } from '../text/printable.ts';
import { retryAfterMs } from '../retry-after.ts';
import type { ReceiverResponse } from './receiver.ts';

export interface Failure {
  /** For metrics and the breaker: `limited` and `refused` do not count against the receiver's health. */
  readonly outcome: 'limited' | 'refused' | 'gone' | 'failed' | 'not sent';
  readonly error: Error;
}

/** A receiver that asks for more than an hour is mistaken or not coming back, so we retry after an hour. */
export const MAX_RETRY_AFTER_MS = 3_600_000;
const MAX_EXCERPT_CHARS = 200;

/** The address no longer works: every further change would be refused too, as by a redirect. */
export const GONE: ReadonlySet<number> = new Set([401, 403, 404, 410]);
/** 4xx answers that may be retried: the request took too long, or came too early. */
const RETRYABLE: ReadonlySet<number> = new Set([408, 425]);

/**
 * undici's code for a method or header that cannot be written in HTTP: our fault, not the receiver's. Once a request was
 * written, it means that the proxy wants other credentials (407) and has not passed it on.
 */
const MALFORMED = 'UND_ERR_INVALID_ARG';

export interface Addressee {
  /** Its name in messages: `slack (hooks.slack.com)`. */
  readonly title: string;
  /** Host and port of the proxy in front of it. */
  readonly proxy: string | undefined;
  /** With `http://` a proxy may answer in the receiver's place, which cannot be told apart. */
  readonly isForwarded: boolean;
  readonly scrub: (text: string) => string;
  /** See `namesPlaces` in receiver.ts. */
  readonly namesPlaces: boolean;
}

/** What an answer outside 2xx means; undefined for 2xx. */
export function failureOfResponse(response: ReceiverResponse, to: Addressee, clock: Clock): Failure | undefined {
  const { status } = response;
  if (status >= 200 && status < 300) return undefined;
  if (status >= 300 && status < 400)
    return { outcome: 'gone', error: new TerminalError(redirectMessage(response, to), { isGone: true }) };
  const message = `${responderOf(to)} answered ${status}${excerpt(response.body, to)}`;
  const requestedMs = retryAfterMs(response.headers['retry-after'], clock.now(), MAX_RETRY_AFTER_MS);
  if (status === 429) return { outcome: 'limited', error: new RetryAfterError(message, { retryAfterMs: requestedMs }) };
  if (status === 503 && requestedMs !== undefined) {
    return { outcome: 'failed', error: new RetryAfterError(message, { retryAfterMs: requestedMs }) };
  }
  if (status >= 500 || RETRYABLE.has(status)) return { outcome: 'failed', error: new Error(message) };
  const isGone = GONE.has(status) && !(to.namesPlaces && (status === 403 || status === 404));
  return { outcome: isGone ? 'gone' : 'refused', error: new TerminalError(message, { isGone }) };
}

/** What it means if a receiver refuses the message within a 2xx answer. */
export function failureOfRefusal(error: Error): Failure {
  const code = codeOf(error);
  if (code !== 'TERMINAL') return { outcome: code === 'DEFER' ? 'limited' : 'failed', error };
  return { outcome: 'isGone' in error && error.isGone === true ? 'gone' : 'refused', error };
}

/**
 * What a failed request means. If nothing was written (DNS, refused, connect or TLS failure), the receiver certainly has
 * not got it and waiting costs no attempt; otherwise it may have got it, and each further try may be a second message.
 */
export function failureOfRequest(cause: Error, sent: boolean, to: Addressee): Failure {
  const why = `${to.proxy === undefined ? '' : `through the proxy ${to.proxy}: `}${to.scrub(cause.message)}`;
  const isMalformed = codeOf(cause) === MALFORMED;
  if (isMalformed && !sent) {
    return {
      outcome: 'refused',
      error: new TerminalError(`The request to ${to.title} cannot be sent: ${why}`, { cause }),
    };
  }
  if (sent && !isMalformed)
    return { outcome: 'failed', error: new Error(`${to.title} did not answer: ${why}`, { cause }) };
  return { outcome: 'not sent', error: new RetryAfterError(`${to.title} cannot be reached: ${why}`, { cause }) };
}

function responderOf({ title, proxy, isForwarded }: Addressee): string {
  return proxy !== undefined && isForwarded ? `${title} or the proxy ${proxy} before it` : title;
}

function redirectMessage(response: ReceiverResponse, to: Addressee): string {
  const { location = '' } = response.headers;
  if (location === '')
    return `${responderOf(to)} answered ${response.status} without a Location${excerpt(response.body, to)}`;
  const host = URL.canParse(location) ? new URL(location).host : 'a path of its own';
  return `${responderOf(to)} answered ${response.status}, a redirect to ${host}; redirects are not followed, so name the final address`;
}

/** Receivers explain in the body what was wrong: `invalid_payload`, `no_service`. */
function excerpt(body: string, to: Addressee): string {
  const text = excerptOf(to.scrub(body));
  return text === '' ? '' : `: ${text}`;
}

/** The beginning of a scrubbed body, for an error: on one line, at most 200 characters; empty if the body is blank. */
export function excerptOf(body: string): string {
  return shortened(printable(body.trim()), MAX_EXCERPT_CHARS);
}
