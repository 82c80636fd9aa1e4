/** `Status` objects: the API server's refusals. */

export interface StatusOptions {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: object;
  /** Also sent as a `Retry-After` header. Seconds. */
  readonly retryAfterSeconds?: number;
  /** Goes into `metadata`: an expired list gets a token for continuing inconsistently. */
  readonly continueToken?: string;
  /** The answer is this text instead of a `Status`. */
  readonly plainText?: string;
}

/** Thrown by a route: becomes the answer. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly status: number;
  readonly options: StatusOptions;
  constructor(status: number, options: StatusOptions = {}) {
    super(options.message ?? REASONS[status]?.message ?? `Status ${status}`);
    this.status = status;
    this.options = options;
  }
}

const REASONS: Readonly<Record<number, { readonly reason: string; readonly message: string }>> = {
  400: { reason: 'BadRequest', message: 'the server rejected our request for an unknown reason' },
  401: { reason: 'Unauthorized', message: 'Unauthorized' },
  403: { reason: 'Forbidden', message: 'forbidden' },
  404: { reason: 'NotFound', message: 'the server could not find the requested resource' },
  405: { reason: 'MethodNotAllowed', message: 'the server does not allow this method on the requested resource' },
  409: { reason: 'Conflict', message: 'the object has been modified' },
  410: { reason: 'Expired', message: 'too old resource version' },
  415: { reason: 'UnsupportedMediaType', message: 'the body of the request was in an unknown format' },
  422: { reason: 'Invalid', message: 'the request is invalid' },
  429: { reason: 'TooManyRequests', message: 'too many requests, please try again later' },
  500: { reason: 'InternalError', message: 'Internal error occurred' },
  503: { reason: 'ServiceUnavailable', message: 'the server is currently unable to handle the request' },
  504: { reason: 'Timeout', message: 'the server was unable to return a response in the time allotted' },
};

/** A `Status` of kind Failure, its fields in the server's order. */
export function statusBody(code: number, options: StatusOptions = {}): Record<string, unknown> {
  const { continueToken, retryAfterSeconds } = options;
  const details = { ...options.details, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: continueToken === undefined ? {} : { continue: continueToken },
    status: 'Failure',
    message: options.message ?? REASONS[code]?.message ?? `Status ${code}`,
    reason: options.reason ?? REASONS[code]?.reason ?? 'Unknown',
    ...(Object.keys(details).length === 0 ? {} : { details }),
    code,
  };
}
