import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { IncomingWebhook } from '@slack/webhook';
import { codeOf } from '../errors.ts';
import { startReceiver, type ReceiverAnswer } from '../testing/receiver.ts';
import { originalError } from './fetch-adapter.ts';
import { failureOf, SECRET, testReceivers } from '../testing/test-receivers.ts';

describe('receiver.fetch() behind @slack/webhook', () => {
  async function webhook(t: TestContext, answer: ReceiverAnswer) {
    const server = await startReceiver(() => answer);
    t.after(() => server.close());
    const url = `${server.url}/services/T0/${SECRET}`;
    const fetch = testReceivers(t).receiver(url).fetch('key-1', new AbortController().signal);
    return { server, client: new IncomingWebhook(url, { fetch }) };
  }

  test('sends the message, with the idempotency key', async (t) => {
    const { server, client } = await webhook(t, {});
    assert.deepEqual(await client.send({ text: 'hello' }), { text: 'ok' });
    assert.equal(server.requests[0]?.body, '{"text":"hello"}');
    assert.equal(server.requests[0]?.headers['idempotency-key'], 'key-1');
    assert.equal(server.requests[0]?.headers['content-type'], 'application/json');
  });

  test('originalError() returns our error, with its code, from inside the client library', async (t) => {
    for (const [answer, code] of [
      [{ status: 404 }, 'TERMINAL'],
      [{ status: 429 }, 'DEFER'],
      [{ status: 500 }, undefined],
    ] as const) {
      const { client } = await webhook(t, answer);
      const thrown = await failureOf(client.send('hello'));
      const original = originalError(thrown) as Error;
      assert.equal(codeOf(original), code);
      assert.match(original.message, new RegExp(`answered ${answer.status}`));
    }
    assert.equal(originalError('text'), 'text');
  });

  test('refuses any address but its own', async (t) => {
    const { server } = await webhook(t, {});
    const fetch = testReceivers(t).receiver(server.url).fetch('key', new AbortController().signal);
    await assert.rejects(fetch('https://elsewhere.example/x'), /Refused to send to elsewhere\.example/);
  });
});
