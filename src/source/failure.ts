/** What went wrong with a list or a watch, by what has to be done about it. */
import type { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { isObject } from '../json.ts';
import { beginningOf } from '../log.ts';
import { retryAfterMs } from '../retry-after.ts';
import type { ApiResponse, ApiStream } from './api.ts';

/** What the reflector does next. */
export type Remedy =
  /** The version is gone: list anew. */
  | 'relist'
  /** Wait, then go on from where it was. */
  | 'retry'
  /** It may lie in where the watch goes on, which the server cannot read, know yet or tell of: try again; after a few times, list anew. */
  | 'obstacle'
  /** Forbidden or not served: nothing but somebody's action helps, so ask slowly. */
  | 'refused';

export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly remedy: Remedy;
  /** A word for the metrics. */
  readonly reason: string;
  /** The server's Retry-After, milliseconds; 0: it said nothing. */
  readonly retryAfterMs: number;
  /** HTTP status, or the code of a Status in the stream. */
  readonly status: number | undefined;

  constructor(
    message: string,
    what: { remedy: Remedy; reason: string; retryAfterMs?: number; status?: number | undefined; cause?: unknown },
  ) {
    super(message, what.cause === undefined ? {} : { cause: what.cause });
    this.remedy = what.remedy;
    this.reason = what.reason;
    this.retryAfterMs = what.retryAfterMs ?? 0;
    this.status = what.status;
  }
}

/** A `metav1.Status`, as far as it matters here. */
interface Status {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly tooNew: boolean;
}

/** No error page of a proxy is worth more. */
const MAX_ERROR_BYTES = 64 * 1024;
const ERROR_BODY_MS = 5_000;
/** A server that asks for longer is asked again all the same. */
export const MAX_RETRY_AFTER_MS = 300_000;
const MAX_MESSAGE = 300;

/** For an answer that is not 200. Reads what it needs of the body, as far as it comes in time, and ends it. */
export async function failedAnswer({ status, headers, body }: ApiStream, clock: Clock): Promise<SourceError> {
  const text = await startOf(body, clock);
  const said = { ...(readStatus(text) ?? { reason: '', message: text, tooNew: false }), code: status };
  const waitMs = retryAfterMs(headers['retry-after'], clock.now(), MAX_RETRY_AFTER_MS) ?? 0;
  return failureOf(said, waitMs, remedyOf(said));
}

/** The status says what to do; a body that hangs or breaks has nothing to add. */
async function startOf(body: Readable, clock: Clock): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const cancel = clock.after(ERROR_BODY_MS, () => body.destroy());
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_ERROR_BYTES) break;
    }
  } catch {
    // What has arrived is enough.
  } finally {
    cancel();
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** For an ERROR event in a watch. @param text of its object */
export function failedEvent(text: string): SourceError {
  const status = readStatus(text);
  if (status !== undefined) {
    // What went wrong with the server in telling may go wrong at the same event again.
    const met = remedyOf(status);
    return failureOf(status, 0, met === 'retry' && status.code >= 500 ? 'obstacle' : met);
  }
  return new SourceError('the server sent an ERROR event without a Status', { remedy: 'retry', reason: 'error-event' });
}

/** For a 200 that is no JSON: a proxy's login page, say. */
export function checkContentType({ headers, body }: ApiStream): void {
  const type = headers['content-type'] ?? 'none';
  if (/json/i.test(type)) return;
  // Destroying it makes it fail, which is no news.
  body.on('error', () => {}).destroy();
  throw new SourceError(`expected JSON, and the answer is of content type ${type.slice(0, 80)}`, {
    remedy: 'retry',
    reason: 'content-type',
  });
}

function failureOf(status: Status, waitMs: number, remedy: Remedy): SourceError {
  const { code, reason, message } = status;
  const parts = [String(code), reason, onOneLine(message)].filter((part) => part !== '');
  return new SourceError(parts.join(' '), {
    remedy,
    reason: code === 410 ? 'expired' : `status-${code}`,
    retryAfterMs: waitMs,
    status: code,
  });
}

/** `it answered 422: ...`, with what a Status says, such as whom it takes us for and what is missing; without where the body is none. */
export function answered({ status, body }: Pick<ApiResponse, 'status' | 'body'>): string {
  const words = onOneLine(readStatus(body.toString('utf8'))?.message ?? '');
  return `it answered ${status}${words === '' ? '' : `: ${words}`}`;
}

function onOneLine(message: string): string {
  return beginningOf(message.replace(/\s+/g, ' ').trim(), MAX_MESSAGE);
}

function remedyOf({ code, reason, tooNew }: Status): Remedy {
  if (code === 410 || reason === 'Expired' || reason === 'Gone') return 'relist';
  if (tooNew || code === 400 || code === 422) return 'obstacle';
  return code >= 400 && code < 500 && code !== 408 && code !== 425 && code !== 429 ? 'refused' : 'retry';
}

function readStatus(text: string): Status | undefined {
  let status: unknown;
  try {
    status = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(status) || status['kind'] !== 'Status') return undefined;
  const { code, reason, message } = status;
  return {
    code: typeof code === 'number' ? code : 500,
    reason: typeof reason === 'string' ? reason : '',
    message: typeof message === 'string' ? message : '',
    // The cause ResourceVersionTooLarge came with 1.17; its text is older.
    tooNew: text.includes('ResourceVersionTooLarge') || /Too large resource version/i.test(text),
  };
}
