import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type RetryAfterError, WaitError } from '../errors.ts';
import { aboutPod, pod, PODS, startEnricher } from '../testing/test-enricher.ts';

describe('the rate of lookups', () => {
  test('20 objects at 5 a second: 10 at once, then one every 200 ms; none is left out', async (t) => {
    const { server, involved, gets, clock } = await startEnricher(t, { perSecond: 5, burst: 10 });
    const names = Array.from({ length: 20 }, (_, n) => `web-${n}`);
    for (const name of names) server.create(pod(name));
    const ask = async (name: string): Promise<unknown> => {
      try {
        return (await involved(aboutPod(name)))?.labels;
      } catch (thrown) {
        if (!(thrown instanceof WaitError)) throw thrown;
        await clock.sleep(thrown.until - clock.now());
        return ask(name);
      }
    };
    const answers = Promise.all(names.map(ask));
    for (let n = 10; n <= 20; n++) {
      await server.waitUntil(() => gets().length === n, `${n} requests`);
      await clock.advance(200);
    }
    assert.deepEqual(
      await answers,
      names.map((app) => ({ app })),
    );
    assert.equal(gets().length, 20);
  });

  test('a wait of more than a second throws a WaitError instead of holding the slot', async (t) => {
    const { server, involved, clock } = await startEnricher(t, { perSecond: 0.1, burst: 1 });
    for (const name of ['a', 'b']) server.create(pod(name));
    await involved(aboutPod('a'));
    await assert.rejects(involved(aboutPod('b')), (error: WaitError) => {
      assert.equal(error.message, 'Waiting for the rate of [lookup], or of the API server');
      return error.code === 'WAIT' && error.until === clock.now() + 10_000;
    });
  });

  test('a Retry-After of a day is limited to five minutes', async (t) => {
    const { server, involved, clock } = await startEnricher(t, { perSecond: 5, burst: 10 });
    server.create(pod('web'));
    server.fault({ effect: 'status', status: 429, retryAfterSeconds: 86_400, path: `${PODS}web`, times: 1 });
    await assert.rejects(involved(aboutPod('web')), (error: RetryAfterError) => error.retryAfterMs === 300_000);
    await assert.rejects(involved(aboutPod('web')), (error: WaitError) => error.until === clock.now() + 300_000);
    await clock.advance(300_000);
    assert.deepEqual((await involved(aboutPod('web')))?.labels, { app: 'web' });
  });

  test('an expired cache entry is used rather than waiting for the rate', async (t) => {
    const { server, involved, clock } = await startEnricher(t, { perSecond: 0.01, burst: 2 });
    for (const name of ['a', 'b']) server.create(pod(name));
    for (const name of ['a', 'b']) await involved(aboutPod(name));
    await clock.advance(61_000);
    server.delete('Pod', 'a', 'shop');
    assert.deepEqual((await involved(aboutPod('a')))?.labels, { app: 'a' });
  });

  test('using an expired cache entry takes no turn from others', async (t) => {
    const { server, involved, clock } = await startEnricher(t, { perSecond: 0.1, burst: 1 });
    for (const name of ['a', 'b', 'c']) server.create(pod(name));
    await involved(aboutPod('a'));
    await clock.advance(61_000);
    await involved(aboutPod('b'));
    assert.deepEqual((await involved(aboutPod('a')))?.labels, { app: 'a' });
    await assert.rejects(involved(aboutPod('c')), (error: WaitError) => error.until === clock.now() + 10_000);
  });
});
