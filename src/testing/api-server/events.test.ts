import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApiServer } from '../api-server.ts';

test('an Event is served by both API groups, under one uid, with the field names of each', async () => {
  await using server = await startApiServer();
  const before = server.resourceVersion;
  const { metadata } = server.create({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'web.1', namespace: 'shop' },
    involvedObject: { kind: 'Pod', name: 'web' },
    message: 'm',
    count: 3,
  });
  const get = async (path: string) =>
    (await (await fetch(`${server.url}${path}`)).json()) as Readonly<Record<string, unknown>>;
  const core = await get('/api/v1/namespaces/shop/events/web.1');
  const newer = await get('/apis/events.k8s.io/v1/namespaces/shop/events/web.1');
  assert.deepEqual([core['message'], core['count'], core['involvedObject']], ['m', 3, { kind: 'Pod', name: 'web' }]);
  assert.deepEqual(
    [newer['apiVersion'], newer['note'], newer['deprecatedCount'], newer['regarding'], newer['message']],
    ['events.k8s.io/v1', 'm', 3, { kind: 'Pod', name: 'web' }, undefined],
  );
  assert.equal((newer['metadata'] as { uid: string }).uid, metadata.uid);

  const list = await get('/apis/events.k8s.io/v1/events');
  assert.deepEqual(
    (list['items'] as { note: string }[]).map(({ note }) => note),
    ['m'],
  );
  const controller = new AbortController();
  const watch = await fetch(
    `${server.url}/apis/events.k8s.io/v1/events?watch=true&resourceVersion=${before}`,
    controller,
  );
  const { value } = (await watch.body?.getReader().read()) ?? {};
  assert.match(
    Buffer.from(value ?? []).toString(),
    /^\{"type":"ADDED","object":\{"kind":"Event","apiVersion":"events\.k8s\.io\/v1".*"note":"m"/,
  );
  controller.abort();
});
