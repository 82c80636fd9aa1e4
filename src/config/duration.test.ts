import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { duration, durationFrom, durationMs } from './duration.ts';

describe('durationMs()', () => {
  for (const [text, ms] of [
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['24d', 24 * 86_400_000],
    ['0s', 0],
  ] as const) {
    test(`reads ${text} as ${ms} ms`, () => {
      assert.equal(durationMs(text), ms);
      assert.ok(duration.safeParse(text).success);
    });
  }

  for (const text of ['', '10', '5 s', '-1s', '1s5m', '1h1h', 's', '25d', '1e3s']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => durationMs(text), RangeError);
      assert.ok(!duration.safeParse(text).success);
    });
  }

  test('durationFrom() refuses a shorter duration, and reports an invalid one once', () => {
    const messages = (text: string) =>
      durationFrom('10s')
        .safeParse(text)
        .error?.issues.map(({ message }) => message);
    assert.equal(messages('10s'), undefined);
    assert.deepEqual(messages('9s'), ['must be at least "10s"']);
    assert.equal(messages('soon')?.length, 1);
  });
});
