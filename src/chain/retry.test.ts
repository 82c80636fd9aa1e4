import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RetryAfterError, WaitError } from '../errors.ts';
import type { Delivery } from '../store/delivery.ts';
import { changeOf } from '../testing/change.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { HandlerFailure } from './failure.ts';
import { runOnce } from './retry.ts';

const clock = new FakeClock();
const retry = { retries: 3, minTimeoutMs: 1_000, factor: 5, deferForMs: 900_000 };

/** What follows from an attempt at `delivery` that throws; `waitMs` is from now. */
async function afterFailure(thrown: Error, delivery: Partial<Delivery> = {}) {
  const change = changeOf({ after: { kind: 'Pod', metadata: { name: 'web' } } });
  const all = { id: 1, change, attempts: 0, deferredSince: undefined, ...delivery } as Delivery;
  const failing = () => Promise.reject(new HandlerFailure('default/slack', thrown));
  const ran = await runOnce(all, failing, { retry, clock, random: () => 0.5 });
  assert.equal(ran.kind, 'parked');
  const { until, ...park } = ran.park;
  return { why: ran.why, waitMs: until - clock.steady(), ...park };
}

describe('runOnce()', () => {
  test('defers for as long as the receiver asks, and at least 1 s', async () => {
    const asked = await afterFailure(new RetryAfterError('busy', { retryAfterMs: 7_000 }));
    assert.deepEqual([asked.why, asked.waitMs, asked.attempts], ['deferred', 7_000, 0]);
    const atOnce = await afterFailure(new RetryAfterError('busy', { retryAfterMs: 0 }));
    assert.equal(atOnce.waitMs, 1_000);
  });

  test('waits until the given time; a time long past or out of range becomes 1 s', async () => {
    const wait = async (until: number) => (await afterFailure(new WaitError(until))).waitMs;
    const now = clock.steady();
    assert.deepEqual([await wait(now + 7_000), await wait(now - 1)], [7_000, -1]);
    assert.deepEqual([await wait(30_000), await wait(NaN), await wait(1.8e18)], [1_000, 1_000, 1_000]);
  });

  test('defers by its own backoff when the requested wait is out of range', async () => {
    const { why, waitMs } = await afterFailure(new RetryAfterError('busy', { retryAfterMs: 1.8e18 }));
    assert.deepEqual([why, waitMs], ['deferred', 1_000]);
  });

  test('a deferral that counts as an attempt still waits for as long as the receiver asks', async () => {
    const deferredSince = clock.steady() - retry.deferForMs;
    const { why, waitMs, attempts } = await afterFailure(new RetryAfterError('busy', { retryAfterMs: 600_000 }), {
      deferredSince,
    });
    assert.deepEqual([why, waitMs, attempts], ['failed', 600_000, 1]);
  });

  test('a failure that is not a deferral resets the 15 minutes for the next deferral', async () => {
    const since = clock.steady() - 60_000;
    const refused = await afterFailure(new RetryAfterError('busy'), { deferredSince: since });
    assert.equal(refused.deferredSince, since);
    const failed = await afterFailure(new Error('boom'), { deferredSince: since });
    assert.deepEqual([failed.why, failed.deferredSince], ['failed', undefined]);
  });
});
