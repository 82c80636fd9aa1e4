import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WaitError } from '../errors.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { RateLimit } from './rate-limit.ts';

/** Milliseconds to wait; 0 if it may be sent now. */
function take(limit: RateLimit, clock: FakeClock, key: string): number {
  try {
    limit.take(key);
    return 0;
  } catch (thrown) {
    assert.ok(thrown instanceof WaitError);
    return thrown.until - clock.now();
  }
}

function limited(perSecond: number, burst = 1) {
  const clock = new FakeClock();
  const limit = new RateLimit(clock);
  limit.addLimit(perSecond, burst);
  return { clock, limit, wait: (key: string) => take(limit, clock, key) };
}

describe('RateLimit', () => {
  test('hands out times in the order of asking, and the same time again to the same key', () => {
    const { wait } = limited(1);
    assert.deepEqual(['a', 'b', 'c', 'd'].map(wait), [0, 1_000, 2_000, 3_000]);
    assert.deepEqual(['d', 'c', 'b'].map(wait), [3_000, 2_000, 1_000]);
  });

  test('lets a burst go at once, and refills at the rate', async () => {
    const { clock, wait } = limited(2, 3);
    assert.deepEqual(['a', 'b', 'c', 'd'].map(wait), [0, 0, 0, 500]);
    await clock.advance(500);
    assert.equal(wait('d'), 0);
    assert.equal(wait('e'), 500);
  });

  test('puts a new key behind those that wait, even if the bucket is free', async () => {
    const { clock, wait } = limited(1);
    assert.deepEqual(['a', 'b', 'c'].map(wait), [0, 1_000, 2_000]);
    await clock.advance(1_000);
    assert.equal(wait('d'), 2_000);
    assert.equal(wait('b'), 0);
  });

  test('spreads late keys out again, ahead of new ones', async () => {
    const { clock, wait } = limited(1);
    ['a', 'b', 'c', 'd'].forEach(wait);
    await clock.advance(10_000);
    assert.deepEqual(['b', 'c', 'd', 'e'].map(wait), [0, 1_000, 2_000, 3_000]);
    await clock.advance(1_000);
    assert.equal(wait('c'), 0);
  });

  test('lets nothing go while blocked, and then one by one', async () => {
    const { clock, limit, wait } = limited(1);
    assert.deepEqual(['a', 'b', 'c'].map(wait), [0, 1_000, 2_000]);
    limit.block(30_000);
    await clock.advance(2_000);
    assert.deepEqual(['b', 'c'].map(wait), [28_000, 29_000]);
    await clock.advance(28_000);
    assert.equal(wait('b'), 0);
    await clock.advance(1_000);
    assert.equal(wait('c'), 0);
  });

  test('without a rate makes nothing wait except for a block', () => {
    const { limit, wait } = limited(0);
    assert.deepEqual(['a', 'b', 'c'].map(wait), [0, 0, 0]);
    limit.block(5_000);
    assert.equal(wait('d'), 5_000);
  });

  test('gives a time even to keys beyond those that it can remember', () => {
    const { limit, clock } = limited(1);
    for (let n = 0; n < 10_001; n++) take(limit, clock, `key-${n}`);
    assert.equal(take(limit, clock, 'one more'), 10_001_000);
    assert.equal(take(limit, clock, 'and another'), 10_001_000);
  });

  test('forgets times that nobody used when there is no room for more', async () => {
    const { limit, clock } = limited(1);
    for (let n = 0; n < 10_001; n++) take(limit, clock, `key-${n}`);
    await clock.advance(9_999_500);
    assert.deepEqual(
      ['new', 'newer', 'new'].map((key) => take(limit, clock, key)),
      [1_500, 2_500, 1_500],
    );
  });
});

test('RateLimit.addLimit() applies the slowest rate, until it is withdrawn', async () => {
  const clock = new FakeClock();
  const limit = new RateLimit(clock);
  const slow = limit.addLimit(1, 1);
  limit.addLimit(100, 1);
  limit.take('a');
  assert.throws(() => limit.take('b'), { code: 'WAIT' });
  await clock.advance(1_000);
  slow();
  limit.take('b');
  await clock.advance(20);
  limit.take('c');
});

test('RateLimit.addLimit() of a faster rate applies at once, also to those that already wait', async () => {
  const clock = new FakeClock();
  const limit = new RateLimit(clock);
  const slow = limit.addLimit(0.01, 1);
  const keys = Array.from({ length: 50 }, (_, n) => `key ${n}`);
  assert.deepEqual(
    keys.slice(0, 3).map((key) => take(limit, clock, key)),
    [0, 100_000, 200_000],
  );
  keys.slice(3).forEach((key) => take(limit, clock, key));
  slow();
  limit.addLimit(1, 1);
  assert.deepEqual(
    ['new', 'key 49', 'key 1'].map((key) => take(limit, clock, key)),
    [1_000, 2_000, 3_000],
  );
  await clock.advance(1_000);
  assert.equal(take(limit, clock, 'new'), 0);
});

test('RateLimit.addLimit() of the same rate as before, as after a reload, keeps the times', () => {
  const clock = new FakeClock();
  const limit = new RateLimit(clock);
  const before = limit.addLimit(1, 1);
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => take(limit, clock, key)),
    [0, 1_000, 2_000],
  );
  before();
  limit.addLimit(1, 1);
  assert.deepEqual(
    ['c', 'new', 'b'].map((key) => take(limit, clock, key)),
    [2_000, 3_000, 1_000],
  );
});
