/** Failed attempts: which handler threw what. */
import { codeOf, toError } from '../errors.ts';
import { shortened } from '../text/printable.ts';
import { bugLocationOf } from './error-location.ts';

const MAX_TEXT_CHARS = 1_000;
const MAX_CAUSES = 4;
const MIN_WAIT_MS = 1_000;
/** Dates end at 8.64e15 (ECMA-262, 21.4.1.1), and this is added to one. */
const MAX_MS = 8e15;

/**
 * Wraps whatever a handler threw: p-retry gives up at once on a `TypeError`, which here is as good a reason
 * to retry as any other.
 */
export class HandlerFailure extends Error {
  override readonly name = 'HandlerFailure';
  override readonly cause: Error;
  /** The handler's id. */
  readonly handler: string;

  /** @param hide removes what the message may not show */
  constructor(handler: string, thrown: unknown, hide?: (text: string) => string) {
    const cause = toError(thrown);
    super(textOf(cause, hide));
    this.handler = handler;
    this.cause = cause;
  }

  /** See ErrorCode in errors.ts; undefined for a failure that counts. */
  get code(): string | undefined {
    return codeOf(this.cause);
  }
}

/** Whether it did not fail, but has to wait: see `WaitError`. */
export function isWait(thrown: unknown): thrown is HandlerFailure {
  return thrown instanceof HandlerFailure && thrown.code === 'WAIT';
}

/** Why calls are cut off when the process stops. Recognised by identity, as it does not count as a failure. */
export const STOPPED = new Error('the process is stopping');

/** Whether it was cut off or refused because the process stops: no attempt was made. */
export function isStopped(thrown: unknown): thrown is HandlerFailure {
  return thrown instanceof HandlerFailure && thrown.cause === STOPPED;
}

/**
 * Until when a failure for which {@link isWait} holds wants to wait, milliseconds since the epoch. A time long past is a
 * mistake, such as a duration, and would come due again and again: a second from `now` is used instead.
 */
export function waitUntilOf(failure: HandlerFailure, now: number): number {
  const until = numberField(failure, 'until') ?? 0;
  return until > now - MIN_WAIT_MS ? until : now + MIN_WAIT_MS;
}

/** Whether the wait is no delay: see `WaitError.isHold`. */
export function isHold({ cause }: HandlerFailure): boolean {
  return Reflect.get(cause, 'isHold') === true;
}

/** Whether the receiver would refuse every other delivery, too: see `TerminalError.isGone`. */
export function isGone({ cause }: HandlerFailure): boolean {
  return Reflect.get(cause, 'isGone') === true;
}

/**
 * Reads the shape, not the class, as a handler may bring its own copy of this package. Ignores numbers beyond the range of dates,
 * such as nanoseconds, which the store could not give back.
 */
export function numberField(
  { cause }: HandlerFailure,
  field: 'until' | 'retryAfterMs' | 'openForMs',
): number | undefined {
  const value: unknown = Reflect.get(cause, field);
  return typeof value === 'number' && Math.abs(value) < MAX_MS ? value : undefined;
}

/**
 * Message and causes in one line of bounded length, for the log and the store. Removes credentials from URLs, and reduces http(s)
 * URLs to their host, as the path may be a password. What `hide` removes is removed before the text is cut. A bug in a user's
 * handler comes with its file and line.
 */
export function textOf(error: Error, hide = (text: string): string => text): string {
  const messages: string[] = [];
  for (let one: unknown = error; one instanceof Error && messages.length < MAX_CAUSES; one = one.cause) {
    const { message } = one;
    if (!messages.some((shown) => shown.includes(message))) messages.push(message);
  }
  const text = hide(messages.join(': ') || error.name)
    .replace(/(:\/\/)[^\s/?#]*@/g, '$1')
    .replace(/\b(https?:\/\/[^\s/?#"']+)[^\s"']*/gi, '$1');
  const at = bugLocationOf(error);
  const where = at === undefined ? '' : ` (${at})`;
  return `${shortened(text, MAX_TEXT_CHARS)}${where}`;
}
