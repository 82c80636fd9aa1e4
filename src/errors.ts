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
  /** The receiver would refuse every other delivery too, for example because a token was revoked, and is given a rest. */
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
  /** Set if no request was made because the receiver's breaker is open: for how long it has been open, in milliseconds. */
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

/** Our own pacing, such as a rate limit, or the configuration asks to wait: the change is parked until then. */
export class WaitError extends Error {
  readonly code = 'WAIT' satisfies ErrorCode;
  override readonly name = 'WaitError';
  /** Milliseconds since the epoch, by `Clock.steady()`. */
  readonly until: number;
  /** The change is held on purpose: it counts as late only from `until` on. */
  readonly isHold: boolean;
  constructor(
    until: number,
    message = 'Waiting for the rate limit of the receiver',
    { isHold = false }: { readonly isHold?: boolean } = {},
  ) {
    super(message);
    this.until = until;
    this.isHold = isHold;
  }
}

/** A problem the user can fix: printed without a stack, exit code 1. Each line of `problems` stands by itself. */
export class ConfigError extends Error {
  readonly code = 'CONFIG';
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  /** Used instead of 1 where an older tool had a code of its own. */
  readonly exitCode: number | undefined;
  constructor(problems: readonly string[], options: ErrorOptions & { readonly exitCode?: number } = {}) {
    super(problems.join('\n'), options);
    this.problems = problems;
    this.exitCode = options.exitCode;
  }
}

/** Whether it is a ConfigError, from whichever copy of this package. */
export function isConfigError(thrown: unknown): thrown is ConfigError {
  return codeOf(thrown) === 'CONFIG' && thrown instanceof Error && 'problems' in thrown;
}

/** Whether it is a RetryAfterError, from whichever copy of this package. */
export function isRetryAfter(thrown: unknown): thrown is RetryAfterError {
  return codeOf(thrown) === 'DEFER';
}

/** The `code` of anything thrown, or undefined. libuv has no name for an exceeded quota: `Unknown system error -122`. */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  if ('errno' in thrown && thrown.errno === -constants.errno.EDQUOT) return 'EDQUOT';
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Anything thrown as an Error; if it is not one, it becomes the cause. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(textOf(thrown), { cause: thrown });
}

export const IS_FOLDER = 'it is a folder; name the file in it';

/** Why a file that somebody named cannot be read, by what reading it threw. */
export function whyUnreadable(thrown: unknown): string {
  const code = codeOf(thrown);
  if (code === 'ENOENT') return 'there is no such file';
  return code === 'EISDIR' ? IS_FOLDER : toError(thrown).message;
}

/** For an object, at most its message: its other fields may be secret, and its `toString` may throw. */
function textOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown);
  return 'message' in thrown && typeof thrown.message === 'string' ? thrown.message : 'an object that is not an Error';
}
