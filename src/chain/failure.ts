/** A failed attempt: which handler threw, and what. */
import { codeOf, toError } from '../errors.ts';
import { placeOfMistake } from './error-place.ts';

const MAX_TEXT_CHARS = 1_000;
const MAX_CAUSES = 4;

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

/** Until when a failure asks to wait for its receiver's rate, milliseconds since the epoch; undefined when it does not. */
export function waitOf(thrown: unknown): number | undefined {
  return thrown instanceof HandlerFailure && thrown.code === 'WAIT' ? numberOf(thrown, 'until') : undefined;
}

/** A handler may bring its own copy of this package, so the shape is read and not the class. */
export function numberOf({ cause }: HandlerFailure, field: 'until' | 'retryAfterMs' | 'openForMs'): number | undefined {
  const value = (cause as Error & { readonly [field: string]: unknown })[field];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/**
 * Message and causes in one line of bounded length, for the log and the store; of URLs only the hosts, for a path may be a password.
 * A mistake in somebody's own handler has its file and line.
 */
export function textOf(error: Error): string {
  const messages: string[] = [];
  for (let one: unknown = error; one instanceof Error && messages.length < MAX_CAUSES; one = one.cause) {
    const { message } = one;
    if (!messages.some((said) => said.includes(message))) messages.push(message);
  }
  const text = (messages.join(': ') || error.name).replace(
    /\b(https?:\/\/)(?:[^\s/@]*@)?([^\s/?#"']+)[^\s"']*/gi,
    '$1$2',
  );
  const at = placeOfMistake(error);
  const where = at === undefined ? '' : ` (${at})`;
  return `${text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS)}…` : text}${where}`;
}
