import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer, type ApiServer } from '../api-server.ts';

/** The names in a list, or its status if it is refused. */
async function listed(server: ApiServer, path: string, query: string): Promise<readonly string[] | number> {
  const response = await fetch(`${server.url}${path}?${new URLSearchParams(query).toString()}`);
  if (response.status !== 200) return response.status;
  const { items } = (await response.json()) as { readonly items: readonly { metadata: { name: string } }[] };
  return items.map(({ metadata }) => metadata.name);
}

const configMap = (name: string, labels: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'shop', labels },
});

describe('selectors', () => {
  for (const [query, expected] of [
    ['labelSelector=tier%3Dweb', ['a']],
    ['labelSelector=tier!%3Dweb', ['b', 'c']],
    ['labelSelector=tier in (web,db)', ['a', 'b']],
    ['labelSelector=tier notin (web),tier', ['b']],
    ['labelSelector=!tier', ['c']],
    ['labelSelector=weight>1,weight<5', ['b']],
    ['labelSelector=tier,', 400],
    ['labelSelector=tier%3D-a', 400],
    ['labelSelector=a/b/c', 400],
    ['fieldSelector=metadata.name%3Db', ['b']],
    ['fieldSelector=metadata.name!%3Da\\,b', ['a', 'b', 'c']],
    ['fieldSelector=spec.replicas%3D1', 400],
  ] as const) {
    test(decodeURIComponent(query), async () => {
      await using server = await startApiServer();
      server.create(configMap('a', { tier: 'web' }));
      server.create(configMap('b', { tier: 'db', weight: '3' }));
      server.create(configMap('c'));
      assert.deepEqual(await listed(server, '/api/v1/namespaces/shop/configmaps', query), expected);
    });
  }

  for (const [path, query, expected] of [
    ['/api/v1/pods', 'spec.hostNetwork=false', ['a']],
    ['/api/v1/pods', 'spec.nodeName=', ['a']],
    ['/api/v1/nodes', 'spec.unschedulable=false', ['a']],
    ['/api/v1/events', 'involvedObject.kind=Pod', ['a']],
    ['/api/v1/events', 'regarding.kind=Pod', 400],
    ['/apis/events.k8s.io/v1/events', 'regarding.kind=Pod', ['a']],
    ['/apis/events.k8s.io/v1/events', 'involvedObject.kind=Pod', 400],
  ] as const) {
    test(`${query} of ${path}, where a field that is not set has the server's default`, async () => {
      await using server = await startApiServer();
      server.create({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } });
      server.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' } });
      server.create({ apiVersion: 'v1', kind: 'Event', metadata: { name: 'a' }, involvedObject: { kind: 'Pod' } });
      assert.deepEqual(await listed(server, path, `fieldSelector=${encodeURIComponent(query)}`), expected);
    });
  }
});
