import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { errorOfResponse } from './failure.ts';

const STATUS = '{"kind":"Status","code":429,"reason":"TooManyRequests","message":"later"}';

describe('errorOfResponse()', () => {
  test('takes the message from the Status body and the wait from Retry-After', async () => {
    const body = Readable.from([Buffer.from(STATUS)]);
    const error = await errorOfResponse({ status: 429, headers: { 'retry-after': '7' }, body }, new FakeClock());
    assert.deepEqual([error.message, error.remedy, error.retryAfterMs], ['429 TooManyRequests: later', 'retry', 7_000]);
  });

  test('says of a 401 what it may mean', async () => {
    const body = { kind: 'Status', status: 'Failure', code: 401, reason: 'Unauthorized', message: 'Unauthorized' };
    const answer = { status: 401, headers: {}, body: Readable.from([Buffer.from(JSON.stringify(body))]) };
    const { message } = await errorOfResponse(answer, new FakeClock());
    assert.equal(message, '401 Unauthorized: our credentials are not accepted, they may have expired');
  });

  test('does not cut the message inside a character', async () => {
    const message = `${'x'.repeat(299)}😀`;
    const body = Readable.from([Buffer.from(JSON.stringify({ kind: 'Status', code: 500, message }))]);
    const error = await errorOfResponse({ status: 500, headers: {}, body }, new FakeClock());
    assert.equal(error.message, `500: ${'x'.repeat(299)}`);
  });

  test('reads a Retry-After date by the given clock', async () => {
    const clock = new FakeClock();
    const headers = { 'retry-after': new Date(clock.now() + 90_000).toUTCString() };
    const error = await errorOfResponse({ status: 503, headers, body: Readable.from([]) }, clock);
    assert.equal(error.retryAfterMs, 90_000);
  });

  test('waits at most 5 s for a hanging body, decides by the status, and frees the socket', async () => {
    const clock = new FakeClock();
    const body = new Readable({ read: () => {} });
    body.push('{"kind":');
    const failing = errorOfResponse({ status: 410, headers: {}, body }, clock);
    await clock.waitForSleepers(1);
    await clock.advance(5_000);
    const { remedy, status } = await failing;
    assert.deepEqual([remedy, status, body.destroyed], ['relist', 410, true]);
  });

  test('decides by the status when the body breaks off', async () => {
    const body = new Readable({ read: () => body.destroy(new Error('reset')) });
    assert.equal((await errorOfResponse({ status: 403, headers: {}, body }, new FakeClock())).remedy, 'refused');
  });

  for (const [status, remedy] of Object.entries({
    400: 'obstacle',
    403: 'refused',
    408: 'retry',
    425: 'retry',
    429: 'retry',
    500: 'retry',
    410: 'relist',
  })) {
    test(`maps ${status} to ${remedy}`, async () => {
      const answer = { status: Number(status), headers: {}, body: Readable.from([]) };
      assert.equal((await errorOfResponse(answer, new FakeClock())).remedy, remedy);
    });
  }
});
