/**
 * Errors exist because someone acts on them. They are told apart by `code`, never by `instanceof`,
 * so that a handler may bring its own copy of this package.
 */
import { constants } from 'node:os';

/** What the chain runner does with a throw: any other error is a failed attempt. */
type ErrorCode =
  /** No retry helps: straight to the dead letters. */
  | 'TERMINAL'
  /** Surely not delivered, try again later without using up an attempt, for `deferForMs` in all at most. */
  | 'DEFER'
  /** Our own pacing (rate limit): wait until `until`; never counts, never gives up. */
  | 'WAIT';

/** Give up on this change now: it goes to the dead letters without a retry. */
export class TerminalError extends Error {
  readonly code = 'TERMINAL' satisfies ErrorCode;
  override readonly name = 'TerminalError';
  /** Of a receiver's answer: nothing else would be taken either, such as with a token that was revoked. It is given a rest then. */
  readonly isGone: boolean;
  constructor(message: string, { isGone = false, ...options }: ErrorOptions & { isGone?: boolean } = {}) {
    super(message, options);
    this.isGone = isGone;
  }
}

/** The receiver asked to come back later, or the request was surely not sent: wait without using up an attempt. */
export class RetryAfterError extends Error {
  readonly code = 'DEFER' satisfies ErrorCode;
  override readonly name = 'RetryAfterError';
  /** How long the receiver asks us to wait, in milliseconds; undefined: our own backoff decides. */
  readonly retryAfterMs: number | undefined;
  /** When the receiver was not even asked, since its breaker is open: for how long it has been, in milliseconds. */
  readonly openForMs: number | undefined;
  constructor(
    message: string,
    options: ErrorOptions & { retryAfterMs?: number | undefined; openForMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
    this.openForMs = options.openForMs;
  }
}

/** Our own pace says when, such as a rate limit: the change is parked until then. */
export class WaitError extends Error {
  readonly code = 'WAIT' satisfies ErrorCode;
  override readonly name = 'WaitError';
  /** Milliseconds since the epoch, by `Clock.steady()`. */
  readonly until: number;
  constructor(until: number, message = 'Waiting for the rate limit of the receiver') {
    super(message);
    this.until = until;
  }
}

/** Something the user can mend: printed without a stack, exit code 1. Each line of `problems` stands by itself. */
export class ConfigError extends Error {
  readonly code = 'CONFIG';
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  /** In the place of 1, where another tool had one of its own. */
  readonly exitCode: number | undefined;
  constructor(problems: readonly string[], options: ErrorOptions & { readonly exitCode?: number } = {}) {
    super(problems.join('\n'), options);
    this.problems = problems;
    this.exitCode = options.exitCode;
  }
}

/** A mistake of the user's, whichever copy of this package says so. */
export function isConfigError(thrown: unknown): thrown is ConfigError {
  return codeOf(thrown) === 'CONFIG' && thrown instanceof Error && 'problems' in thrown;
}

/** Whichever copy of this package says so. */
export function isRetryAfter(thrown: unknown): thrown is RetryAfterError {
  return codeOf(thrown) === 'DEFER';
}

/** The `code` of anything thrown, or undefined. A quota that is used up has no name in libuv: `Unknown system error -122`. */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  if ('errno' in thrown && thrown.errno === -constants.errno.EDQUOT) return 'EDQUOT';
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Anything thrown as an Error, with what was thrown as its cause when it was none. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(textOf(thrown), { cause: thrown });
}

/** Of an object its message at most: what else it holds may be secret, and its own way to a text may throw. */
function textOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown);
  return 'message' in thrown && typeof thrown.message === 'string' ? thrown.message : 'an object that is no Error';
}
