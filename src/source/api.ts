/** The client for one cluster's API server, as an interface: api-client.ts implements it. */
import type { Readable } from 'node:stream';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Takes the credentials of the request out of a text of the answer: a gateway may repeat them. Undefined: there were none. */
export type Hide = ((text: string) => string) | undefined;

export interface ApiResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly hide?: Hide;
}

export interface ApiStream {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Raw bytes as they arrive; destroying the stream frees the socket. */
  readonly body: Readable;
  readonly hide?: Hide;
}

export interface RequestOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** @default 'application/json' */
  readonly accept?: string;
  readonly signal?: AbortSignal;
  /** From connect to last byte, in milliseconds. @default 30_000 */
  readonly timeoutMs?: number;
}

/** No answer came, or only a part of it. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  /** Where and why, without the request: `10.0.0.1:6443 through the proxy squid:3128: connection refused`. */
  readonly problem: string;
  /** The system's or undici's: `ECONNREFUSED`. */
  readonly code: string | undefined;

  /** @param request `GET /version` */
  constructor(request: string, problem: string, { code, cause }: { code: string | undefined; cause: unknown }) {
    super(`Cannot ${request} on ${problem}`, { cause });
    this.problem = problem;
    this.code = code;
  }
}

export interface ApiClient {
  /** For messages: `127.0.0.1:6443`. Never credentials. */
  readonly host: string;
  /**
   * Resolves to the whole answer, whatever its status. Throws a {@link NoAnswerError} on a broken connection or a missed
   * `timeoutMs`, and the reason of an abort.
   */
  request(method: 'GET' | 'POST' | 'PUT', path: string, options?: RequestOptions): Promise<ApiResponse>;
  /**
   * Resolves when the headers have arrived (deadline 30 s); the body has no deadline. A 401 re-reads the token
   * and asks once more, here and in {@link request}.
   */
  stream(path: string, query: Query, signal: AbortSignal): Promise<ApiStream>;
  close(): Promise<void>;
}
