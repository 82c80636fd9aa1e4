import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ApiClient } from './api.ts';
import { clusterIdentity } from './cluster-identity.ts';

/** An API server that answers each request for `kube-system` like this. */
function apiThatAnswers(status: number, namespace: object | string = {}): ApiClient {
  return {
    host: 'test:6443',
    async request(_method, path) {
      assert.equal(path, '/api/v1/namespaces/kube-system');
      const text = typeof namespace === 'string' ? namespace : JSON.stringify(namespace);
      return { status, headers: {}, body: Buffer.from(text) };
    },
    stream: () => Promise.reject(new Error('not asked for')),
    close: () => Promise.resolve(),
  };
}

const credentials = { caFingerprint: 'ab12', server: new URL('https://test:6443') };

describe('clusterIdentity()', () => {
  test('is the uid of kube-system', async () => {
    const api = apiThatAnswers(200, { metadata: { uid: 'u-1' } });
    assert.deepEqual(await clusterIdentity(api, credentials), { id: 'u-1', by: 'kube-system' });
  });

  test('depends on the CA when kube-system may not be read', async () => {
    const api = apiThatAnswers(403);
    const first = await clusterIdentity(api, credentials);
    const other = await clusterIdentity(api, { ...credentials, caFingerprint: 'cd34' });
    assert.equal(first.by, 'address');
    assert.notEqual(first.id, other.id);
  });

  test('throws while the server fails or refuses the credentials', async () => {
    await assert.rejects(clusterIdentity(apiThatAnswers(503), credentials), /test:6443: it answered 503$/);
    await assert.rejects(
      clusterIdentity(apiThatAnswers(401), credentials),
      /it answered 401: our credentials are not accepted/,
    );
  });

  for (const page of ['<!DOCTYPE html>', 'null', '{"error":"please log in"}', '{"metadata":{}}']) {
    test(`throws if something else than an API server answers: ${page}`, async () => {
      const message = 'Cannot GET /api/v1/namespaces/kube-system on test:6443: the answer is not a Namespace';
      await assert.rejects(clusterIdentity(apiThatAnswers(200, page), credentials), { message });
    });
  }
});
