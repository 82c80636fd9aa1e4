import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { testContext } from '../testing/handler.ts';
import { Persistence } from './persistence.ts';

test('a refusing store is asked again after 1 s, then after twice as long each time, at most 30 s', async () => {
  const clock = new FakeClock();
  const persistence = new Persistence(clock, testContext().log);
  const askedMs: number[] = [];
  const kept = persistence.keepTrying('note a delivery', () => {
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
