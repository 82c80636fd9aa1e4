import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RetryAfterError } from '../errors.ts';
import { startReceiver } from '../testing/receiver.ts';
import { failureOf, send, testReceivers } from '../testing/test-receivers.ts';

describe('receiver: rate and breaker', () => {
  test('sinks of the same far end share its rate, and the slowest applies', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const { clock, receiver } = testReceivers(t);
    const [one, other] = [receiver(`${server.url}/a`, { perSecond: 2 }), receiver(`${server.url}/a`, { perSecond: 1 })];
    await send(one, 'k1');
    const waiting = await failureOf(send(other, 'k2'));
    assert.equal(waiting.code, 'WAIT');
    assert.equal((waiting as Error & { until?: number }).until, clock.now() + 1_000);
    await send(receiver(`${server.url}/b`, { perSecond: 1 }));
    await clock.advance(1_000);
    await send(other, 'k2');
  });

  test('refused credentials hold up no sink that has others at the same address', async (t) => {
    const server = await startReceiver(({ headers }) => ({ status: headers.authorization === 'good' ? 200 : 401 }));
    t.after(() => server.close());
    const { receiver } = testReceivers(t);
    const { signal } = new AbortController();
    const as = (token: string) => {
      const headers = { authorization: token };
      const of = receiver(server.url, { secrets: [token] });
      return (key: string) => of.send({ headers, body: '', idempotencyKey: key, signal });
    };
    const [revoked, good] = [as('revoked'), as('good')];
    for (let n = 0; n < 6; n++) await failureOf(revoked(`k${n}`));
    assert.equal(server.requests.length, 5, 'the breaker is open');
    assert.equal((await good('other')).status, 200);
    const failed = receiver(server.url.replace('//', '//me:revoked@'));
    for (let n = 0; n < 6; n++) await failureOf(send(failed));
    assert.equal(server.requests.length, 11);
    assert.equal((await failureOf(send(receiver(server.url.replace('//', '//you:revoked@'))))).code, 'TERMINAL');
  });

  test('refused credentials in the query hold up no sink that has others at the same address', async (t) => {
    const server = await startReceiver(({ path }) => ({ status: path.endsWith('=good') ? 200 : 403 }));
    t.after(() => server.close());
    const { receiver } = testReceivers(t);
    const revoked = receiver(`${server.url}/send?access_token=revoked`, { perSecond: 1, burst: 9 });
    for (let n = 0; n < 6; n++) await failureOf(send(revoked, `k${n}`));
    assert.equal(server.requests.length, 5, 'the breaker is open');
    const [one, other] = [1, 2].map(() => receiver(`${server.url}/send?access_token=good`, { perSecond: 1 }));
    assert.ok(one !== undefined && other !== undefined);
    await send(one, 'first');
    assert.equal((await failureOf(send(other, 'second'))).code, 'WAIT', 'both share the rate');
  });

  test('sinks that differ only in what errors hide share the rate, as after any secret of the file was rotated', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const { receiver } = testReceivers(t);
    const [one, other] = ['old', 'new'].map((text) => receiver(server.url, { perSecond: 1, hidden: [text] }));
    assert.ok(one !== undefined && other !== undefined);
    await send(one, 'first');
    assert.equal((await failureOf(send(other, 'second'))).code, 'WAIT');
  });

  for (const [what, corrected] of [
    ['TLS settings', { tls: { serverName: 'hooks.example' } }],
    ['permitted addresses', { allowAddresses: ['127.0.0.0/8'] }],
    ['signing secrets', { signingSecrets: [Buffer.alloc(24, 1).toString('base64')] }],
  ] as const) {
    test(`what fails holds up no sink that has other ${what} at the same address, as after a reload`, async (t) => {
      let status = 401;
      const server = await startReceiver(() => ({ status }));
      t.after(() => server.close());
      const { receiver } = testReceivers(t);
      const wrong = receiver(server.url);
      for (let n = 0; n < 6; n++) await failureOf(send(wrong));
      assert.equal(server.requests.length, 5, 'the breaker is open');
      await wrong.close();
      status = 200;
      await send(receiver(server.url, corrected));
    });
  }

  test('the Retry-After of a 429 holds back other changes too', async (t) => {
    const server = await startReceiver((_, n) => (n === 1 ? { status: 429, headers: { 'retry-after': '20' } } : {}));
    t.after(() => server.close());
    const { clock, receiver } = testReceivers(t);
    const slack = receiver(server.url);
    assert.equal((await failureOf(send(slack, 'k1'))).code, 'DEFER');
    const held = (await failureOf(send(slack, 'k2'))) as Error & { code?: string; until?: number };
    assert.deepEqual([held.code, held.until], ['WAIT', clock.now() + 20_000]);
    await clock.advance(20_000);
    await send(slack, 'k1');
    assert.equal(server.requests.length, 2);
  });

  test('five failures in a row open the breaker; probes follow after 30 s and 60 s; a success closes it', async (t) => {
    let healthy = false;
    const server = await startReceiver(() => ({ status: healthy ? 200 : 500 }));
    t.after(() => server.close());
    const { clock, receiver } = testReceivers(t);
    const slack = receiver(server.url);
    for (let n = 0; n < 5; n++) assert.equal((await failureOf(send(slack))).code, undefined);
    const open = (await failureOf(send(slack))) as RetryAfterError;
    assert.deepEqual([open.code, open.retryAfterMs, open.openForMs], ['DEFER', 30_000, 0]);
    assert.equal(server.requests.length, 5);

    await clock.advance(30_000);
    const probe = failureOf(send(slack));
    assert.match((await failureOf(send(slack))).message, /is being probed with another change/);
    assert.equal((await probe).code, undefined);
    const stillOpen = (await failureOf(send(slack))) as RetryAfterError;
    assert.deepEqual([stillOpen.retryAfterMs, stillOpen.openForMs], [60_000, 30_000]);

    healthy = true;
    await clock.advance(60_000);
    await send(slack);
    await Promise.all(Array.from({ length: 5 }, () => send(slack)));
  });

  for (const gone of [410, 302]) {
    test(`a refused payload does not count against the receiver, but a gone address does: ${gone}`, async (t) => {
      let status = 400;
      const server = await startReceiver(() => ({ status }));
      t.after(() => server.close());
      const slack = testReceivers(t).receiver(server.url);
      for (let n = 0; n < 10; n++) assert.equal((await failureOf(send(slack))).code, 'TERMINAL');
      status = gone;
      for (let n = 0; n < 5; n++) assert.equal((await failureOf(send(slack))).code, 'TERMINAL');
      assert.equal((await failureOf(send(slack))).code, 'DEFER');
    });
  }
});
