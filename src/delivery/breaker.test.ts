import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RetryAfterError } from '../errors.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { Breaker } from './breaker.ts';

function setUp() {
  const clock = new FakeClock();
  const events: string[] = [];
  const breaker = new Breaker(clock, {
    opened: (waitMs) => events.push(`open ${waitMs / 1000}`),
    closed: () => events.push('closed'),
  });
  /** Makes one request with this outcome; false if the breaker did not let it pass. */
  const request = (good: boolean): boolean => {
    try {
      breaker.check('slack');
    } catch (thrown) {
      assert.ok(thrown instanceof RetryAfterError);
      return false;
    }
    const probe = breaker.begin();
    if (good) breaker.succeeded();
    else breaker.failed(probe);
    return true;
  };
  return { clock, breaker, events, request };
}

describe('Breaker', () => {
  test('opens when half of the last 20 requests failed, even if never 5 in a row', () => {
    const { events, request } = setUp();
    for (let n = 0; n < 19; n++) request(n % 2 === 0);
    assert.deepEqual(events, []);
    request(false);
    assert.deepEqual(events, ['open 30']);
    assert.equal(request(true), false);
  });

  test('stays closed while fewer than half fail, and opens when half of the later ones do', () => {
    const { events, request } = setUp();
    for (let n = 0; n < 60; n++) request(n % 4 !== 0);
    assert.deepEqual(events, []);
    for (let n = 0; n < 20; n++) request(n % 2 === 0);
    assert.deepEqual(events, ['open 30']);
  });

  test('waits twice as long after each failed probe, at most 10 minutes', async () => {
    const { clock, events, request } = setUp();
    for (let n = 0; n < 5; n++) request(false);
    for (let n = 0; n < 6; n++) {
      await clock.advance(600_000);
      assert.equal(request(false), true);
    }
    assert.deepEqual(events, ['open 30', 'open 60', 'open 120', 'open 240', 'open 480', 'open 600', 'open 600']);
  });

  test('a request during a probe is told to come back in 5 s', async () => {
    const { clock, breaker, request } = setUp();
    for (let n = 0; n < 5; n++) request(false);
    await clock.advance(30_000);
    breaker.begin();
    assert.throws(() => breaker.check('slack'), { retryAfterMs: 5_000 });
  });

  test('a success closes it, and resets the count of failures', async () => {
    const { clock, events, request } = setUp();
    for (let n = 0; n < 5; n++) request(false);
    await clock.advance(30_000);
    request(true);
    for (let n = 0; n < 4; n++) request(false);
    assert.deepEqual(events, ['open 30', 'closed']);
  });

  test('failures from before it closed no longer count towards the half', async () => {
    const { clock, events, request } = setUp();
    for (let n = 0; n < 20; n++) request(n % 2 === 0);
    await clock.advance(30_000);
    request(true);
    for (let n = 0; n < 19; n++) request(n % 2 === 0);
    assert.deepEqual(events, ['open 30', 'closed']);
  });

  test('a late failure of an earlier request changes nothing, and an undecided probe makes room for the next', async () => {
    const { clock, breaker, events, request } = setUp();
    for (let n = 0; n < 5; n++) request(false);
    breaker.failed(false);
    await clock.advance(30_000);
    breaker.check('slack');
    breaker.undecided(breaker.begin());
    assert.equal(request(true), true);
    assert.deepEqual(events, ['open 30', 'closed']);
  });
});
