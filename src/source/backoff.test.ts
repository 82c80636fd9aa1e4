import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { Backoff } from './backoff.ts';

describe('Backoff', () => {
  test('10.8 doubles from 0.8 s to 30 s', () => {
    const backoff = new Backoff({ clock: new FakeClock(), random: () => 1 });
    assert.deepEqual(
      Array.from({ length: 8 }, () => backoff.next()),
      [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000],
    );
  });

  test('10.8 has full jitter: anything from zero to the limit', () => {
    const values = [0, 0.25, 0.5];
    const backoff = new Backoff({ clock: new FakeClock(), random: () => values.shift() ?? 1 });
    assert.deepEqual([backoff.next(), backoff.next(), backoff.next()], [0, 400, 1_600]);
  });

  test('10.8 resets after two healthy minutes, not before', async () => {
    const clock = new FakeClock();
    const backoff = new Backoff({ clock, random: () => 1 });
    for (let i = 0; i < 3; i++) await clock.advance(backoff.next());
    await clock.advance(120_000);
    assert.equal(backoff.next(), 6_400);
    await clock.advance(6_400 + 120_001);
    assert.equal(backoff.next(), 800);
  });

  test('10.7 waits at least as long as the server asks', () => {
    const backoff = new Backoff({ clock: new FakeClock(), random: () => 1 });
    assert.equal(backoff.next(7_000), 7_000);
    assert.equal(backoff.next(100), 1_600);
  });
});
