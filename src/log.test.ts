import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createLogger, LOG_FORMATS, type LogFormat } from './log.ts';

/** The line that a log in this format writes. */
async function lineOf(
  format: LogFormat,
  ...entry: [message: string, fields: object] | [error: Error]
): Promise<string> {
  const stream = new PassThrough();
  const log = createLogger({ level: 'info', format, color: false, stream });
  if (entry.length === 1) log.error(entry[0]);
  else log.info(...entry);
  stream.end();
  return text(stream);
}

test('createLogger() writes fields that JSON does not have, as a handler of your own may log anything', async () => {
  const request: Record<string, unknown> = { method: 'POST' };
  request['socket'] = { request };
  for (const format of LOG_FORMATS) {
    const line = await lineOf(format, 'Sent', { request, size: 12n, error: new TypeError('no such page') });
    for (const part of [/Sent/, /POST/, /ircular/, /12/, /no such page/]) assert.match(line, part);
    assert.equal(line.trimEnd().includes('\n'), false);
  }
});

test('createLogger() writes an error that is logged without a message of its own like any other entry', async () => {
  // One each, as winston writes into what it is given.
  const error = () => new TypeError('no such page');
  assert.match(await lineOf('text', error()), /^\S+ ERROR no such page\n$/);
  assert.match(await lineOf('python', error()), / \[ERROR\] no such page\n$/);
  const { timestamp, ...entry } = JSON.parse(await lineOf('json', error())) as Record<string, unknown>;
  assert.deepEqual([typeof timestamp, entry], ['string', { level: 'error', message: 'no such page' }]);
});

test('createLogger() writes nothing from the cluster unescaped, not even as the name of a field or as its time', async () => {
  const fields = { 'evil\nkey': 1, timestamp: 'evil\ntime', where: 'first\nsecond\u202e\u009b"' };
  const line = await lineOf('text', 'Seen', fields);
  assert.match(line, /^\d{4}-\S+Z INFO {2}Seen evil\\nkey=1 where="first\\nsecond\\u202e\\u009b\\""\n$/);
  for (const format of LOG_FORMATS) assert.doesNotMatch((await lineOf(format, 'Seen', fields)).trimEnd(), /\p{C}/u);
  const { timestamp } = JSON.parse(await lineOf('json', 'Seen', fields)) as { readonly timestamp: string };
  assert.match(timestamp, /^\d{4}-\S+Z$/);
});
