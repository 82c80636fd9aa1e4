/** HTML that leaves in parts, each as soon as it is made. */
import { pipeline, Readable } from 'node:stream';
import { constants, createGzip } from 'node:zlib';
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import type { Html } from './html.ts';

/**
 * The status is 200 whatever becomes of the parts: what they cannot do they have to say themselves. Compressed here, where each
 * part is flushed: the browser is to begin with the first while the others are made.
 */
export function streamed(c: Context, parts: AsyncIterable<Html>): Response {
  const encoding = accepts(c, { header: 'Accept-Encoding', supports: ['gzip'], default: 'identity' });
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    vary: 'accept-encoding',
    // So that nobody waits for the length of the whole.
    'transfer-encoding': 'chunked',
    ...(encoding === 'gzip' ? { 'content-encoding': encoding } : {}),
  };
  if (c.req.method === 'HEAD') return c.body(null, 200, headers);
  const text = Readable.from(textOf(parts), { objectMode: false });
  // Who leaves early takes the parts with him: that is no error of ours.
  const body =
    encoding === 'gzip' ? pipeline(text, createGzip({ flush: constants.Z_SYNC_FLUSH }), () => undefined) : text;
  return c.body(Readable.toWeb(body) as ReadableStream, 200, headers);
}

async function* textOf(parts: AsyncIterable<Html>): AsyncGenerator<string> {
  for await (const part of parts) yield String(part);
}
