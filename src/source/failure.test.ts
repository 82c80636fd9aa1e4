import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { failedAnswer } from './failure.ts';

const STATUS = '{"kind":"Status","code":429,"reason":"TooManyRequests","message":"later"}';

describe('failedAnswer()', () => {
  test('takes what the server said from the Status, and how long to wait from the header', async () => {
    const body = Readable.from([Buffer.from(STATUS)]);
    const error = await failedAnswer({ status: 429, headers: { 'retry-after': '7' }, body }, new FakeClock());
    assert.deepEqual([error.message, error.remedy, error.retryAfterMs], ['429 TooManyRequests later', 'retry', 7_000]);
  });

  test('waits 5 s for a body that hangs, goes by the status, and frees the socket', async () => {
    const clock = new FakeClock();
    const body = new Readable({ read: () => {} });
    body.push('{"kind":');
    const failing = failedAnswer({ status: 410, headers: {}, body }, clock);
    await clock.waitForSleepers(1);
    await clock.advance(5_000);
    const { remedy, status } = await failing;
    assert.deepEqual([remedy, status, body.destroyed], ['relist', 410, true]);
  });

  test('goes by the status when the body breaks', async () => {
    const body = new Readable({ read: () => body.destroy(new Error('reset')) });
    assert.equal((await failedAnswer({ status: 403, headers: {}, body }, new FakeClock())).remedy, 'refused');
  });
});
