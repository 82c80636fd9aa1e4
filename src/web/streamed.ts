/** HTML sent in parts, each as soon as it is rendered. */
import { pipeline, Readable } from 'node:stream';
import { constants, createGzip } from 'node:zlib';
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import type { Html } from './html.ts';

/**
 * The status is 200 whatever happens later: the parts themselves have to show failures. Compressed here, with a flush after each
 * part, so that the browser can start with the first while the others are rendered.
 */
export function streamed(c: Context, parts: AsyncIterable<Html>): Response {
  const encoding = accepts(c, { header: 'Accept-Encoding', supports: ['gzip'], default: 'identity' });
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    vary: 'accept-encoding',
    // So that nobody waits for the total length.
    'transfer-encoding': 'chunked',
    ...(encoding === 'gzip' ? { 'content-encoding': encoding } : {}),
  };
  if (c.req.method === 'HEAD') return c.body(null, 200, headers);
  const text = Readable.from(textOf(parts), { objectMode: false });
  // A client that leaves early ends the pipeline: that is not an error.
  const body =
    encoding === 'gzip' ? pipeline(text, createGzip({ flush: constants.Z_SYNC_FLUSH }), () => undefined) : text;
  return c.body(Readable.toWeb(body) as ReadableStream, 200, headers);
}

async function* textOf(parts: AsyncIterable<Html>): AsyncGenerator<string> {
  for await (const part of parts) yield String(part);
}
