/** What stands between us and the API server. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { createApiClient } from '../../src/source/api-client.ts';
import { loadCredentials } from '../../src/source/credentials.ts';
import { listening } from '../../src/testing/listening.ts';
import { onlyLong } from './needs.ts';

test('4 a proxy that does not answer is given up after 30 s', onlyLong('it takes 30 s'), async (t) => {
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
