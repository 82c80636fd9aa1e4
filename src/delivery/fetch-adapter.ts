/** A receiver behind the fetch interface that client libraries such as @slack/webhook accept. */
import type { FetchFunction } from '@slack/webhook';
import type { Receiver, ReceiverResponse } from './receiver.ts';

type FetchResponse = Awaited<ReturnType<FetchFunction>>;

/** Each call is one {@link Receiver.send}. Accepts only text bodies, and only `url` itself. */
export function fetchThrough(receiver: Receiver, url: URL, idempotencyKey: string, signal: AbortSignal): FetchFunction {
  return async (target, init = {}) => {
    if (new URL(target).href !== url.href) {
      throw new Error(`Refused to send to ${new URL(target).host}: this receiver has one address, at ${url.host}`);
    }
    const { method = 'POST', headers = {}, body = '' } = init;
    if (typeof body !== 'string') throw new Error('Refused to send a form: only text bodies are sent');
    const combinedSignal = init.signal === undefined ? signal : AbortSignal.any([signal, init.signal]);
    return responseOf(await receiver.send({ method, headers, body, idempotencyKey, signal: combinedSignal }));
  };
}

/**
 * The error originally thrown: @slack/webhook wraps the errors of its fetch in its own class and hides their `code`, which the
 * chain runner needs. Returns anything else unchanged.
 */
export function originalError(thrown: unknown): unknown {
  const wrapped = thrown instanceof Error && 'original' in thrown && thrown.original instanceof Error;
  return wrapped ? thrown.original : thrown;
}

/** Always `ok`, as failures have been thrown. Without a `url`, which would contain the secret. */
function responseOf({ status, headers, body }: ReceiverResponse): FetchResponse {
  return {
    ok: true,
    status,
    statusText: '',
    url: '',
    headers: { get: (name) => headers[name.toLowerCase()] ?? null, entries: () => Object.entries(headers) },
    text: () => Promise.resolve(body),
    json: () => Promise.resolve(body).then((text) => JSON.parse(text) as unknown),
    arrayBuffer: () => Promise.resolve(new TextEncoder().encode(body).buffer),
  };
}
