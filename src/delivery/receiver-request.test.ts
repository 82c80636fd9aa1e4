import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startReceiver } from '../testing/receiver.ts';
import { failureOf, SECRET, send, testReceivers } from '../testing/test-receivers.ts';

describe('receiver: what it adds to a request', () => {
  test('a new signature for each attempt, under the same id', async (t) => {
    const server = await startReceiver((_, n) => ({ status: n === 1 ? 500 : 200 }));
    t.after(() => server.close());
    const { clock, receiver } = testReceivers(t);
    const signed = receiver(server.url, { signingSecrets: [Buffer.alloc(24, 1).toString('base64')] });
    await failureOf(send(signed, 'key'));
    await clock.advance(1_000);
    await send(signed, 'key');
    const [first, again] = server.requests.map(({ headers }) => headers);
    assert.equal(first?.['webhook-id'], again?.['webhook-id']);
    assert.equal(Number(again?.['webhook-timestamp']) - Number(first?.['webhook-timestamp']), 1);
    assert.notEqual(first?.['webhook-signature'], again?.['webhook-signature']);
  });

  test('credentials in the URL become basic authentication unless a header is set, and errors mask them', async (t) => {
    const server = await startReceiver((_, n) => ({
      status: n === 1 ? 200 : 401,
      body: 'who is m\u00fcller or pa:ss-word?',
    }));
    t.after(() => server.close());
    const url = server.url.replace('//', '//m%C3%BCller:pa%3Ass-word@');
    const receiver = testReceivers(t).receiver(url);
    await send(receiver);
    const { authorization = '' } = server.requests[0]?.headers ?? {};
    assert.equal(Buffer.from(authorization.replace('Basic ', ''), 'base64').toString(), 'm\u00fcller:pa:ss-word');
    assert.match((await failureOf(send(receiver))).message, /answered 401: who is \*\*\* or \*\*\*\?$/);
    const { signal } = new AbortController();
    await failureOf(receiver.send({ body: '', headers: { Authorization: 'Bearer x' }, idempotencyKey: 'k', signal }));
    assert.equal(server.requests[2]?.headers.authorization, 'Bearer x');
  });

  test('errors mask the credentials of the URL as they were sent', async (t) => {
    const server = await startReceiver(({ headers }) => ({ status: 401, body: `who is ${headers.authorization}?` }));
    t.after(() => server.close());
    const receiver = testReceivers(t).receiver(server.url.replace('//', '//app:hunter2@'));
    assert.match((await failureOf(send(receiver))).message, /answered 401: who is Basic \*\*\*\?$/);
  });

  test('errors mask a secret that the receiver echoes', async (t) => {
    const server = await startReceiver(({ headers }) => ({ status: 400, body: `who is ${headers.authorization}?` }));
    t.after(() => server.close());
    const receiver = testReceivers(t).receiver(server.url, { secrets: [SECRET] });
    const { signal } = new AbortController();
    const headers = { authorization: `Bearer ${SECRET}` };
    const failure = await failureOf(receiver.send({ body: '', headers, idempotencyKey: 'k', signal }));
    assert.match(failure.message, /answered 400: who is \*\*\*\?$/);
  });
});
