import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { testContext } from '../testing/handler.ts';
import { logInto } from '../testing/log-into.ts';
import { Persistence } from './persistence.ts';

test('Persistence retries after 1 s, then after twice as long each time, at most 30 s', async () => {
  const clock = new FakeClock();
  const persistence = new Persistence(clock, testContext().log);
  const askedMs: number[] = [];
  const kept = persistence.keepTrying('record a delivery', () => {
    askedMs.push(clock.monotonic());
    return askedMs.length < 8 ? Promise.reject(new Error('disk full')) : Promise.resolve('noted');
  });
  await clock.advance(121_000);
  assert.equal(await kept, 'noted');
  assert.deepEqual(
    askedMs.map((ms) => ms / 1_000),
    [0, 1, 3, 7, 15, 31, 61, 91],
  );
});

test('Persistence logs a store that refuses many changes once, and its recovery once', async () => {
  const [clock, said] = [new FakeClock(), [] as string[]];
  const log = logInto(({ level, message }) => void (level === 'debug' || said.push(`${level}: ${message}`)));
  const persistence = new Persistence(clock, log);
  let isFull = true;
  const work = () => (isFull ? Promise.reject(new Error('disk full')) : Promise.resolve('noted'));
  const kept = Promise.all(Array.from({ length: 8 }, () => persistence.keepTrying('record a delivery', work)));
  await clock.advance(60_000);
  isFull = false;
  await clock.advance(30_000);
  await kept;
  assert.deepEqual(said, [
    'error: Cannot write to the store, the chain waits',
    'info: The store can be written to again, the chain continues',
  ]);
});
