import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { ByteStream } from './byte-stream.ts';

test('ByteStream pauses reading while a turn is in progress, and does not count the pause as silence', async () => {
  const clock = new FakeClock();
  const body = new PassThrough();
  const turn = Promise.withResolvers<void>();
  const read: string[] = [];
  const chunk = (bytes: Buffer): void => void read.push(bytes.toString());
  const sink = { chunk, turn: () => (read.length === 1 ? turn.promise : undefined) };
  const reading = new ByteStream(body, clock, 60_000).read(sink, new AbortController().signal);
  body.write('a');
  await nextTurn();
  body.write('b');
  await clock.advance(600_000);
  assert.deepEqual(read, ['a']);
  turn.resolve();
  body.end('c');
  await reading;
  assert.deepEqual(read.join(''), 'abc');
});
