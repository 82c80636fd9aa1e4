import assert from 'node:assert/strict';
import { isIP, type LookupFunction } from 'node:net';
import { describe, test } from 'node:test';
import { startReceiver } from '../testing/receiver.ts';
import { failureOf, failureOfAnswer, send, testReceivers } from '../testing/test-receivers.ts';

describe('receiver: where a name may resolve to', () => {
  const answering =
    (...answers: readonly string[]): LookupFunction =>
    (_name, _options, callback) => {
      const [address = ''] = answers.length > 1 ? (answers as string[]).splice(0, 1) : answers;
      callback(null, [{ address, family: isIP(address) }]);
    };

  test('a name that resolves to this machine or to metadata defers before anything is sent', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    for (const address of ['127.0.0.1', '169.254.169.254', '::1', '0.0.0.0']) {
      const { receiver } = testReceivers(t, {}, answering(address));
      const failure = await failureOf(send(receiver(server.url.replace('127.0.0.1', 'hooks.example'))));
      assert.equal(failure.code, 'DEFER');
      assert.ok(failure.message.includes(`hooks.example resolves to ${address}`), failure.message);
    }
    assert.equal(server.requests.length, 0);
  });

  test('an address in the configuration is allowed in any spelling, and so is localhost', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const { receiver } = testReceivers(t);
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '①②⑦.0.0.1', 'localhost']) {
      await send(receiver(server.url.replace('127.0.0.1', host)));
    }
    assert.equal(server.requests.length, 5);
  });

  test('a rebound name is checked again for each connection', async (t) => {
    const server = await startReceiver(() => ({ headers: { connection: 'close' } }));
    t.after(() => server.close());
    const { receiver } = testReceivers(t, {}, answering('127.0.0.1', '127.0.0.2'));
    const options = { allowAddresses: ['127.0.0.1'] };
    const rebound = receiver(server.url.replace('127.0.0.1', 'hooks.example'), options);
    await send(rebound);
    assert.match((await failureOf(send(rebound))).message, /hooks\.example resolves to 127\.0\.0\.2/);
    assert.equal(server.requests.length, 1);
  });

  test('a redirect is not followed, wherever it leads', async (t) => {
    const inside = await startReceiver();
    t.after(() => inside.close());
    for (const status of [301, 302, 303, 307, 308]) {
      assert.equal((await failureOfAnswer(t, { status, headers: { location: inside.url } })).code, 'TERMINAL');
    }
    assert.equal(inside.requests.length, 0);
  });
});
