import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createLogger, LOG_FORMATS, type LogFormat } from './log.ts';

/** The line that a log in this format writes. */
async function lineOf(format: LogFormat, fields: object): Promise<string> {
  const stream = new PassThrough();
  createLogger({ level: 'info', format, color: false, stream }).info('Sent', fields);
  stream.end();
  return text(stream);
}

test('createLogger() writes fields that JSON does not have, as a handler of your own may log anything', async () => {
  const request: Record<string, unknown> = { method: 'POST' };
  request['socket'] = { request };
  for (const format of LOG_FORMATS) {
    const line = await lineOf(format, { request, size: 12n, error: new TypeError('no such page') });
    for (const part of [/Sent/, /POST/, /ircular/, /12/, /no such page/]) assert.match(line, part);
    assert.equal(line.trimEnd().includes('\n'), false);
  }
});
