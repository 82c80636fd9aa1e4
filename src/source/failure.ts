/** Failures of a list or a watch, classified by what to do about them. */
import type { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { isObject } from '../json.ts';
import { beginningOf } from '../text/printable.ts';
import { retryAfterMs } from '../retry-after.ts';
import type { ApiResponse, ApiStream, Hide } from './api.ts';

/** What the reflector does next. */
export type Remedy =
  /** The version has expired: list again. */
  | 'relist'
  /** Wait, then resume from the cursor. */
  | 'retry'
  /** The cursor may be the cause (invalid, too new, or before an event that cannot be sent): retry; after a few tries, list. */
  | 'obstacle'
  /** Forbidden or not served: someone has to act, so retry slowly. */
  | 'refused';

export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly remedy: Remedy;
  /** The label for the metrics. */
  readonly reason: string;
  /** The server's Retry-After, milliseconds; 0 if it sent none. */
  readonly retryAfterMs: number;
  /** HTTP status, or the code of a Status in the stream. */
  readonly status: number | undefined;

  constructor(
    message: string,
    details: { remedy: Remedy; reason: string; retryAfterMs?: number; status?: number | undefined; cause?: unknown },
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.remedy = details.remedy;
    this.reason = details.reason;
    this.retryAfterMs = details.retryAfterMs ?? 0;
    this.status = details.status;
  }
}

/** The parts of a `metav1.Status` that matter here. */
interface Status {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly tooNew: boolean;
}

/** Enough of any error page of a proxy. */
const MAX_ERROR_BYTES = 64 * 1024;
const ERROR_BODY_MS = 5_000;
/** A longer Retry-After is cut to this. */
export const MAX_RETRY_AFTER_MS = 300_000;
const MAX_MESSAGE_CHARS = 300;

/** For an answer that is not 200. Reads the start of the body, if it arrives in time, and ends it. */
export async function errorOfResponse({ status, headers, body, hide }: ApiStream, clock: Clock): Promise<SourceError> {
  const text = await readBeginning(body, clock);
  const details = { ...(readStatus(text) ?? { reason: '', message: text, tooNew: false }), code: status };
  const waitMs = retryAfterMs(headers['retry-after'], clock.now(), MAX_RETRY_AFTER_MS) ?? 0;
  return failureOf(details, waitMs, remedyOf(details), hide);
}

/** The status code says what to do, so a body that hangs or breaks does not matter. */
async function readBeginning(body: Readable, clock: Clock): Promise<string> {
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
export function errorOfEvent(text: string): SourceError {
  const status = readStatus(text);
  if (status !== undefined) {
    // A server error while sending an event may recur at the same event.
    const remedy = remedyOf(status);
    return failureOf(status, 0, remedy === 'retry' && status.code >= 500 ? 'obstacle' : remedy);
  }
  return new SourceError('the server sent an ERROR event without a Status', { remedy: 'retry', reason: 'error-event' });
}

/** Throws for a 200 that is not JSON, such as a proxy's login page. */
export function checkContentType({ headers, body, hide = asItIs }: ApiStream): void {
  const type = headers['content-type'] ?? 'none';
  if (/json/i.test(type)) return;
  // Destroying the body emits an error, which is expected.
  body.on('error', () => {}).destroy();
  throw new SourceError(`expected JSON, but the answer has content type ${hide(type).slice(0, 80)}`, {
    remedy: 'retry',
    reason: 'content-type',
  });
}

function failureOf(status: Status, waitMs: number, remedy: Remedy, hide: Hide = asItIs): SourceError {
  const { code } = status;
  const [reason, message] = [hide(status.reason), hide(status.message)];
  return new SourceError(inWords(code, `${code} ${reason}`.trim(), shortMessage(message)), {
    remedy,
    reason: code === 410 ? 'expired' : `status-${code}`,
    retryAfterMs: waitMs,
    status: code,
  });
}

/** `it answered 422: ...`, with the message if the body is a Status (such as who we are taken for, and the missing right). */
export function describeResponse({ status, body, hide = asItIs }: Omit<ApiResponse, 'headers'>): string {
  const message = shortMessage(hide(readStatus(body.toString('utf8'))?.message ?? ''));
  return inWords(status, `it answered ${status}`, message);
}

/** The API server's own message for a 401 is "Unauthorized", as is its reason. */
function inWords(status: number, answer: string, message: string): string {
  const words = status === 401 ? 'our credentials are not accepted, they may have expired' : message;
  return words === '' ? answer : `${answer}: ${words}`;
}

function asItIs(text: string): string {
  return text;
}

function shortMessage(message: string): string {
  return beginningOf(message.replace(/\s+/g, ' ').trim(), MAX_MESSAGE_CHARS);
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
    // Kubernetes has the cause ResourceVersionTooLarge since 1.17; the text is older.
    tooNew: text.includes('ResourceVersionTooLarge') || /Too large resource version/i.test(text),
  };
}
