/** What stands between us and the API server or a receiver. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import type { Duplex } from 'node:stream';
import { createApiClient } from '../../src/source/api-client.ts';
import { loadCredentials } from '../../src/source/credentials.ts';
import { listening } from '../../src/testing/listening.ts';
import { failureOf, send, testReceivers } from '../../src/testing/test-receivers.ts';
import { until } from '../until.ts';
import { onlyLong } from './needs.ts';

test('76 a proxy that does not answer is given up after 30 s', onlyLong('it takes 30 s'), async (t) => {
  const proxy = createServer(() => undefined).on('connect', () => undefined);
  const url = `http://${await listening(t, proxy)}`;
  const env = { HTTP_PROXY: url, HTTPS_PROXY: url };
  const nobody = { token: undefined, tokenFile: undefined, caFile: undefined, insecure: false };
  const askThrough = async (scheme: string): Promise<void> => {
    const direct = { server: `${scheme}://api.invalid`, ...nobody };
    const api = createApiClient(await loadCredentials({ direct, env }));
    t.after(() => api.close());
    await assert.rejects(api.stream('/api/v1/pods', {}, t.signal), /through the proxy .*: no answer within 30 s/);
  };
  // It forwards what is meant for http, and is asked for a tunnel to https.
  await Promise.all([askThrough('http'), askThrough('https')]);
});

test('75 a proxy that answers again is asked again within 10 s', onlyLong('it takes 10 s'), async (t) => {
  const unanswered: Duplex[] = [];
  let isBack = false;
  const proxy = createServer().on('connect', (_request, client) => {
    client.on('error', () => client.destroy());
    if (isBack) client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    else unanswered.push(client);
  });
  t.after(() => unanswered.map((client) => client.destroy()));
  const { receiver, clock } = testReceivers(t, { HTTPS_PROXY: `http://${await listening(t, proxy)}` });
  // More requests than one host has connections; with far ends of their own, no breaker stops them.
  const failures = Array.from({ length: 20 }, (_, n) =>
    failureOf(send(receiver('https://hook.example/x', { lane: `${n}` }))),
  );
  await until('all connections wait', () => unanswered.length === 16);
  await clock.advance(10_000);
  await Promise.all(failures);
  isBack = true;
  const { message } = await failureOf(send(receiver('https://hook.example/x', { lane: 'next' })));
  assert.match(message, /through the proxy .*403/);
});
