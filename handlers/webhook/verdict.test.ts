import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { codeOf } from '../../src/errors.ts';
import { request } from '../../src/plugin/contract.ts';
import { problemsOf, testContext } from '../../src/testing/handler.ts';
import { connectedSink } from '../../src/testing/test-sink.ts';
import { changeOf } from '../../src/testing/change.ts';
import type { ReceiverAnswer } from '../../src/testing/receiver.ts';
import webhook from './index.ts';

const change = changeOf({
  after: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'shop' } },
});
const context = testContext({ id: 'default/webhook' });

async function asked(t: TestContext, answer: ReceiverAnswer) {
  const { sink, server } = await connectedSink(
    t,
    webhook,
    (url) => ({ url, verdict: true }),
    () => answer,
  );
  const verdict = await sink.deliver(change, context).catch((thrown: unknown) => thrown);
  return { verdict, requests: server.requests };
}

describe('webhook: verdict', () => {
  test('sends the request of the plug-in contract', async (t) => {
    const { verdict, requests } = await asked(t, { body: '' });
    assert.equal(verdict, change);
    const sent = request.parse(JSON.parse(requests[0]?.body ?? ''));
    assert.deepEqual([sent.handler, sent.change.key, sent.attempt], ['default/webhook', 'shop/web', 1]);
    assert.equal(requests[0]?.headers['content-type'], 'application/json');
  });

  test('sends the configured headers and the traceparent of the change', async (t) => {
    const headers = { Authorization: 'Bearer t', 'X-Name': '{{ change.name }}' };
    const options = (url: string) => ({ url, verdict: true, headers });
    const { sink, server } = await connectedSink(t, webhook, options, () => ({ body: '' }));
    await sink.deliver(change, { ...context, traceparent: '00-1-2-01' });
    assert.partialDeepStrictEqual(server.requests[0]?.headers, {
      authorization: 'Bearer t',
      'x-name': 'web',
      traceparent: '00-1-2-01',
    });
  });

  test('halts when the receiver says so', async (t) => {
    const { verdict } = await asked(t, { body: '{"verdict": "halt", "reason": "asleep"}' });
    assert.deepEqual(verdict, { halted: true, reason: 'asleep' });
  });

  for (const [body, code] of [
    ['<html>', 'TERMINAL'],
    ['{"verdict": "maybe"}', 'TERMINAL'],
    ['{"id": 2}', 'TERMINAL'],
    ['{"error": "database"}', undefined],
  ] as const) {
    test(`fails on an answer that is not a verdict: ${body}`, async (t) => {
      const { verdict } = await asked(t, { body });
      assert.ok(verdict instanceof Error);
      assert.equal(codeOf(verdict), code);
    });
  }

  test('a truncated answer is a failed attempt', async (t) => {
    const { verdict } = await asked(t, { raw: 'HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n' });
    assert.ok(verdict instanceof Error);
    assert.equal(codeOf(verdict), undefined);
  });

  for (const echo of ['{"is": "Bearer hunter2-canary"}', `${'<'.repeat(80)} Bearer hunter2-canary`])
    for (const body of [`[${echo}`, JSON.stringify({ error: echo })]) {
      test(`redacts a secret that the receiver echoes: ${body}`, async (t) => {
        const headers = { authorization: 'Bearer hunter2-canary' };
        const options = (url: string) => ({ url, verdict: true, headers });
        const { sink } = await connectedSink(t, webhook, options, () => ({ body }));
        await assert.rejects(sink.deliver(change, context), ({ message }: Error) => {
          assert.doesNotMatch(message, /hunter2/);
          return message.includes('***');
        });
      });
    }

  test('is refused together with body or batch', () => {
    assert.deepEqual(problemsOf(webhook, { url: 'http://x.example', verdict: true, body: 'x', batch: true }), [
      'body: cannot be combined with verdict, which sends the request of the plug-in contract',
      'batch: cannot be combined with verdict, which sends the request of the plug-in contract',
      'body: cannot be combined with batch, whose requests are lists: use layout',
    ]);
  });
});
