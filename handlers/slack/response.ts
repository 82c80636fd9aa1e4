/** Reads the body of a 2xx answer: Slack answers `ok`, and occasionally an error with status 200. */
import { TerminalError } from '../../src/errors.ts';

/** Slack's transient errors (from its documentation of incoming webhooks); all others are permanent. */
const PASSING: ReadonlySet<string> = new Set(['rollup_error', 'fatal_error', 'internal_error', 'service_unavailable']);

/**
 * Throws unless the message was accepted. Mattermost answers `ok` as well; other servers answer with an empty body or with JSON
 * that names no failure. Anything else, such as a proxy's login page, is a failure.
 *
 * @throws TerminalError if Slack will never accept this message or this webhook, such as `invalid_payload` or `no_service`.
 * @throws Error otherwise: a failed attempt.
 */
export function assertAccepted(body: string, host: string): void {
  const response = body.trim();
  if (response.toLowerCase() === 'ok' || response === '' || isSuccessBody(response)) return;
  if (!/^[a-z]+(?:_[a-z]+)+$/.test(response)) {
    // Not quoted: a server in Slack's place may echo the request, and with it the URL.
    throw new Error(`${host} answered 2xx, but not as Slack does: expected "ok", got ${response.length} characters`);
  }
  const message = `Slack (${host}) refused the message: ${response}`;
  throw PASSING.has(response) ? new Error(message) : new TerminalError(message);
}

function isSuccessBody(response: string): boolean {
  if (!response.startsWith('{')) return false;
  try {
    const { ok = true, success = true, error } = JSON.parse(response) as Readonly<Record<string, unknown>>;
    return ok === true && success === true && !error;
  } catch {
    return false;
  }
}
