/** A failed attempt: which handler threw, and what. */
import { codeOf, toError } from '../errors.ts';
import { shortened } from '../log.ts';
import { placeOfMistake } from './error-place.ts';

const MAX_TEXT_CHARS = 1_000;
const MAX_CAUSES = 4;
const SHORT_MS = 1_000;
/** A date ends at 8.64e15 (ECMA-262, 21.4.1.1), and it is added to one. */
const MAX_MS = 8e15;

/**
 * What a handler threw, wrapped whatever it was: p-retry gives up at once on a `TypeError`, which here is as good a reason
 * to try again as any other.
 */
export class HandlerFailure extends Error {
  override readonly name = 'HandlerFailure';
  override readonly cause: Error;
  /** The handler's id. */
  readonly handler: string;

  constructor(handler: string, thrown: unknown) {
    const cause = toError(thrown);
    super(textOf(cause));
    this.handler = handler;
    this.cause = cause;
  }

  /** See ErrorCode in errors.ts; undefined for a failure that counts. */
  get code(): string | undefined {
    return codeOf(this.cause);
  }
}

/** Whether a failure is that its receiver's rate wants it to wait. */
export function asksToWait(thrown: unknown): thrown is HandlerFailure {
  return thrown instanceof HandlerFailure && thrown.code === 'WAIT';
}

/**
 * Until when a failure that {@link asksToWait} does, milliseconds since the epoch. A time that has long passed is a mistake, such as
 * a duration, and would come due again at once, and again: it is a second from `now`.
 */
export function waitOf(failure: HandlerFailure, now: number): number {
  const until = numberOf(failure, 'until') ?? 0;
  return until > now - SHORT_MS ? until : now + SHORT_MS;
}

/**
 * A handler may bring its own copy of this package, so the shape is read and not the class. What is longer than a date can say, such
 * as nanoseconds, is not said: the store could not give it back.
 */
export function numberOf({ cause }: HandlerFailure, field: 'until' | 'retryAfterMs' | 'openForMs'): number | undefined {
  const value: unknown = Reflect.get(cause, field);
  return typeof value === 'number' && Math.abs(value) < MAX_MS ? value : undefined;
}

/**
 * Message and causes in one line of bounded length, for the log and the store; of URLs no credentials, and of those of the
 * web only the hosts, for a path may be a password. A mistake in somebody's own handler has its file and line.
 */
export function textOf(error: Error): string {
  const messages: string[] = [];
  for (let one: unknown = error; one instanceof Error && messages.length < MAX_CAUSES; one = one.cause) {
    const { message } = one;
    if (!messages.some((said) => said.includes(message))) messages.push(message);
  }
  const text = (messages.join(': ') || error.name)
    .replace(/(:\/\/)[^\s/?#]*@/g, '$1')
    .replace(/\b(https?:\/\/[^\s/?#"']+)[^\s"']*/gi, '$1');
  const at = placeOfMistake(error);
  const where = at === undefined ? '' : ` (${at})`;
  return `${shortened(text, MAX_TEXT_CHARS)}${where}`;
}
