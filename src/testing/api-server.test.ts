import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { startApiServer, type ApiServer } from './api-server.ts';
import { temporaryFolder } from './test-folder.ts';

interface Body {
  readonly [field: string]: unknown;
  readonly kind: string;
  readonly metadata: {
    readonly [field: string]: unknown;
    readonly resourceVersion: string;
    readonly continue?: string;
  };
  readonly items: readonly { readonly kind?: string; readonly metadata: { readonly name: string } }[];
}

interface WatchEvent {
  readonly type: string;
  readonly object: Body & { readonly code?: number; readonly reason?: string };
}

async function getJson(
  server: ApiServer,
  path: string,
  init?: RequestInit,
): Promise<{ status: number; body: Body; text: string }> {
  const response = await fetch(server.url + path, init);
  const text = await response.text();
  return { status: response.status, body: JSON.parse(text) as Body, text };
}

/** Opens a watch; each call of the result gives its next event, undefined after a clean end. Rejects if it breaks. */
async function watch(server: ApiServer, path: string): Promise<() => Promise<WatchEvent | undefined>> {
  const response = await fetch(`${server.url}${path}${path.includes('?') ? '&' : '?'}watch=1`);
  assert.equal(response.status, 200);
  assert(response.body !== null);
  const lines = createInterface({ input: Readable.fromWeb(response.body) })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    return done === true ? undefined : (JSON.parse(value) as WatchEvent);
  };
}

const configMap = (name: string, data: object = {}, labels: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'shop', labels },
  data,
});

const widget = { group: 'example.com', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true };

const names = (body: Body): string[] => body.items.map(({ metadata }) => metadata.name);

describe('startApiServer()', () => {
  test('create() sets what a server sets, and GET returns the fields in server order', async () => {
    await using server = await startApiServer();
    server.create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { labels: { b: '2', a: '1' }, name: 'web', namespace: 'shop' },
      status: { replicas: 1 },
      spec: { replicas: 1, template: { spec: { containers: [{ name: 'web', image: 'nginx:1.7.9' }] } } },
    });
    const { body, text } = await getJson(server, '/apis/apps/v1/namespaces/shop/deployments/web');
    assert.deepEqual(Object.keys(body), ['kind', 'apiVersion', 'metadata', 'spec', 'status']);
    assert.deepEqual(Object.keys(body.metadata), [
      'name',
      'namespace',
      'uid',
      'resourceVersion',
      'generation',
      'creationTimestamp',
      'labels',
      'managedFields',
    ]);
    assert(text.includes('"labels":{"a":"1","b":"2"}'));
    assert.equal(body.metadata['generation'], 1);
  });

  test('update() moves the ownership of changed fields to its manager', async () => {
    await using server = await startApiServer();
    const image = (tag: string): object => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { replicas: 2, template: { spec: { containers: [{ name: 'web', image: `nginx:${tag}` }] } } },
    });
    server.create(image('1.7.9'), { manager: 'helm' });
    const after = server.update(image('1.9.1'), { manager: 'kubectl-set' });
    assert.equal(after.metadata['generation'], 2);
    const [helm, set] = after.metadata['managedFields'] as [Record<string, unknown>, Record<string, unknown>];
    const container = { 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"web"}': { 'f:image': {} } } } } };
    assert.deepEqual([set['manager'], set['fieldsV1']], ['kubectl-set', { 'f:spec': container }]);
    assert(!JSON.stringify(helm['fieldsV1']).includes('f:image'));
    assert(JSON.stringify(helm['fieldsV1']).includes('f:replicas'));
  });

  test('update() without a change writes nothing, and a status update keeps the generation', async () => {
    await using server = await startApiServer({ resources: [widget] });
    const manifest = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec: { size: 1 } };
    const created = server.create(manifest);
    assert.equal(server.update(manifest).metadata.resourceVersion, created.metadata.resourceVersion);
    const after = server.update({ ...manifest, spec: { size: 9 }, status: { ready: true } }, { subresource: 'status' });
    assert.deepEqual([after['spec'], after['status']], [{ size: 1 }, { ready: true }]);
    assert.equal(after.metadata['generation'], 1);
  });

  test('LIST omits kind and apiVersion of built-in items, and keeps them, with sorted keys, for custom resources', async () => {
    await using server = await startApiServer({ resources: [widget] });
    server.create(configMap('one'));
    server.create({ spec: { z: 1, a: 2 }, kind: 'Widget', apiVersion: 'example.com/v1', metadata: { name: 'w' } });
    const builtIn = await getJson(server, '/api/v1/configmaps');
    assert.deepEqual(Object.keys(builtIn.body), ['kind', 'apiVersion', 'metadata', 'items']);
    assert.deepEqual(Object.keys(builtIn.body.items[0] ?? {}), ['metadata', 'data']);
    const custom = await getJson(server, '/apis/example.com/v1/widgets');
    assert.deepEqual(Object.keys(custom.body), ['apiVersion', 'items', 'kind', 'metadata']);
    assert.deepEqual(Object.keys(custom.body.items[0] ?? {}), ['apiVersion', 'kind', 'metadata', 'spec']);
    assert(custom.text.includes('"spec":{"a":2,"z":1}'));
  });

  test('LIST pages share one snapshot, and a compacted token gets 410 with a token to continue', async () => {
    await using server = await startApiServer();
    for (const name of ['a', 'b', 'c', 'd', 'e']) server.create(configMap(name));
    const first = (await getJson(server, '/api/v1/configmaps?limit=2')).body;
    assert.deepEqual([names(first), first.metadata['remainingItemCount']], [['a', 'b'], 3]);
    server.delete('ConfigMap', 'c', 'shop');
    server.create(configMap('bb'));
    const second = (await getJson(server, `/api/v1/configmaps?limit=2&continue=${first.metadata.continue}`)).body;
    assert.deepEqual([names(second), second.metadata.resourceVersion], [['c', 'd'], first.metadata.resourceVersion]);
    server.compact();
    const expired = await getJson(server, `/api/v1/configmaps?limit=2&continue=${second.metadata.continue}`);
    assert.deepEqual([expired.status, expired.body['reason']], [410, 'Expired']);
    const rest = await getJson(server, `/api/v1/configmaps?limit=9&continue=${expired.body.metadata.continue}`);
    assert.deepEqual(names(rest.body), ['e']);
  });

  test('LIST at a future resourceVersion answers 504 with the cause', async () => {
    await using server = await startApiServer();
    const { status, body } = await getJson(server, '/api/v1/pods?resourceVersion=999999');
    assert.equal(status, 504);
    assert(JSON.stringify(body['details']).includes('ResourceVersionTooLarge'));
  });

  test('WATCH reports objects that enter or leave a selector as ADDED or DELETED', async () => {
    await using server = await startApiServer();
    server.create(configMap('a', { n: '1' }));
    const { body } = await getJson(server, '/api/v1/configmaps');
    const next = await watch(
      server,
      `/api/v1/configmaps?labelSelector=on&resourceVersion=${body.metadata.resourceVersion}`,
    );
    server.update(configMap('a', { n: '2' }, { on: 'yes' }));
    server.update(configMap('a', { n: '3' }, { on: 'yes' }));
    const left = server.update(configMap('a', { n: '4' }));
    server.delete('ConfigMap', 'a', 'shop');
    server.create(configMap('b', {}, { on: 'yes' }));
    const events = [await next(), await next(), await next(), await next()];
    assert.deepEqual(
      events.map((event) => [event?.type, event?.object['data']]),
      [
        ['ADDED', { n: '2' }],
        ['MODIFIED', { n: '3' }],
        ['DELETED', { n: '3' }],
        ['ADDED', {}],
      ],
    );
    assert.equal(events[2]?.object.metadata.resourceVersion, left.metadata.resourceVersion);
  });

  test('WATCH sends bookmarks on request, and a last one at its timeout', async () => {
    await using server = await startApiServer();
    const next = await watch(server, '/api/v1/pods?allowWatchBookmarks=true&timeoutSeconds=1');
    server.bookmark();
    server.create(configMap('a'));
    const [first, last] = [await next(), await next()];
    assert.deepEqual([first?.type, last?.type, await next()], ['BOOKMARK', 'BOOKMARK', undefined]);
    assert.equal(Number(last?.object.metadata.resourceVersion) - Number(first?.object.metadata.resourceVersion), 1);
  });

  test('WATCH from a compacted version sends 410 in an ERROR event', async () => {
    await using server = await startApiServer();
    const { metadata } = server.create(configMap('a'));
    server.update(configMap('a', { n: '2' }));
    server.compact();
    const next = await watch(server, `/api/v1/configmaps?resourceVersion=${metadata.resourceVersion}`);
    const event = await next();
    assert.deepEqual([event?.type, event?.object.code, event?.object.reason], ['ERROR', 410, 'Expired']);
    assert.equal(await next(), undefined);
  });

  test('WATCH with sendInitialEvents is refused, or served up to the end bookmark', async () => {
    const path =
      '/api/v1/configmaps?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan';
    await using without = await startApiServer();
    assert.equal((await getJson(without, path)).status, 422);
    await using server = await startApiServer({ watchList: true });
    server.create(configMap('a'));
    const next = await watch(server, path);
    assert.equal((await next())?.type, 'ADDED');
    const end = await next();
    assert.deepEqual(end?.object.metadata['annotations'], { 'k8s.io/initial-events-end': 'true' });
  });

  test('POST, PUT, PATCH and DELETE work over HTTP; a stale PUT is a conflict; status is a subresource', async () => {
    await using server = await startApiServer();
    const send = (method: string, path: string, body?: object, type = 'application/json') =>
      getJson(server, path, {
        method,
        headers: { 'content-type': type, 'user-agent': 'kubectl/v1.34' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const pods = '/api/v1/namespaces/shop/pods';
    const created = await send('POST', pods, { metadata: { name: 'p' }, spec: { nodeName: 'n1' } });
    assert.equal(created.status, 201);
    await send(
      'PATCH',
      `${pods}/p`,
      { metadata: { labels: { a: 'b' } }, status: { phase: 'Bad' } },
      'application/merge-patch+json',
    );
    await send('PATCH', `${pods}/p/status`, { status: { phase: 'Running' } }, 'application/merge-patch+json');
    const patch = [{ op: 'add', path: '/metadata/labels/c', value: 'd' }];
    const { body } = await send('PATCH', `${pods}/p`, patch, 'application/json-patch+json');
    assert.deepEqual([body.metadata['labels'], body['status']], [{ a: 'b', c: 'd' }, { phase: 'Running' }]);
    assert.equal((await send('PUT', `${pods}/p`, created.body)).status, 409);
    assert.equal((await send('DELETE', `${pods}/p`)).status, 200);
    assert.deepEqual(
      [(await send('GET', `${pods}/p`)).body['message'], server.get('Pod', 'p', 'shop')],
      ['pods "p" not found', undefined],
    );
  });

  test('an object with finalizers is deleted when the last of them is removed', async () => {
    await using server = await startApiServer();
    const next = await watch(server, '/api/v1/configmaps');
    const held = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', finalizers: ['x/y'] } };
    server.create(held);
    server.delete('ConfigMap', 'a');
    server.update({ ...held, metadata: { name: 'a', finalizers: [] } });
    const types = [await next(), await next(), await next()].map((event) => event?.type);
    assert.deepEqual(types, ['ADDED', 'MODIFIED', 'DELETED']);
  });

  test('discovery lists built-in and installed kinds in both forms, and an unavailable group as stale', async () => {
    await using server = await startApiServer({
      resources: [{ ...widget, group: 'metrics.k8s.io', unavailable: true }],
    });
    server.addResource(widget);
    const groups = (await getJson(server, '/apis')).body['groups'] as { name: string }[];
    assert.deepEqual(groups.at(-1), {
      name: 'example.com',
      versions: [{ groupVersion: 'example.com/v1', version: 'v1' }],
      preferredVersion: { groupVersion: 'example.com/v1', version: 'v1' },
    });
    assert.equal((await getJson(server, '/apis/metrics.k8s.io/v1')).status, 503);
    const core = (await getJson(server, '/api/v1')).body['resources'] as { name: string; shortNames?: string[] }[];
    assert.deepEqual(core.find(({ name }) => name === 'pods')?.shortNames, ['po']);
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
    const { body, text } = await getJson(server, '/apis', { headers: { accept } });
    assert.equal(body.kind, 'APIGroupDiscoveryList');
    assert(text.includes('{"version":"v1","freshness":"Stale"}') && text.includes('"resource":"widgets"'));
    server.removeResource(widget);
    assert.equal((await fetch(`${server.url}/apis/example.com/v1`)).status, 404);
  });

  test('what is not served gets a Status below a built-in group, else the text of a server without that path', async () => {
    await using server = await startApiServer();
    const unknown = await getJson(server, '/apis/apps/v1/widgets');
    assert.deepEqual([unknown.status, unknown.body['reason']], [404, 'NotFound']);
    for (const path of ['/apis/example.com/v1/widgets', '/apis/example.com/v1', '/apis/example.com', '/metricsx']) {
      const response = await fetch(server.url + path);
      assert.deepEqual([response.status, await response.text()], [404, '404 page not found\n'], path);
    }
  });

  test('refuses verbs that a kind does not have, writes across namespaces, and dry runs, and writes nothing', async () => {
    await using server = await startApiServer({ resources: [{ ...widget, verbs: ['get', 'list'] }] });
    server.create(configMap('a'));
    const before = server.resourceVersion;
    for (const [method, path, status] of [
      ['GET', '/apis/example.com/v1/widgets?watch=true', 405],
      ['DELETE', '/api/v1/configmaps', 405],
      ['DELETE', '/api/v1/namespaces', 405],
      ['DELETE', '/api/v1/namespaces/shop/configmaps/a?dryRun=All', 400],
    ] as const) {
      assert.equal((await getJson(server, path, { method })).status, status, `${method} ${path}`);
    }
    assert.equal(server.resourceVersion, before);
  });

  test('DELETE of a collection deletes only what its selectors select', async () => {
    await using server = await startApiServer();
    server.create(configMap('a', {}, { tier: 'web' }));
    server.create(configMap('b'));
    const path = '/api/v1/namespaces/shop/configmaps';
    await getJson(server, `${path}?labelSelector=tier`, { method: 'DELETE' });
    assert.deepEqual(names((await getJson(server, path)).body), ['b']);
  });

  test('an object without its last label has no labels, and no change if it had none', async () => {
    await using server = await startApiServer();
    server.create(configMap('a', {}, { tier: 'web' }));
    const without = server.update(configMap('a', {}, {}));
    assert.equal(without.metadata.labels, undefined);
    const again = server.update(configMap('a', {}, {}));
    assert.equal(again.metadata.resourceVersion, without.metadata.resourceVersion);
  });

  test('discovery answers clients that know only the v2beta1 document in the plain form', async () => {
    await using server = await startApiServer();
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';
    const { body } = await getJson(server, '/apis', { headers: { accept } });
    assert.equal(body.kind, 'APIGroupList');
  });

  test('a version of a custom resource returns what another version wrote', async () => {
    await using server = await startApiServer({ resources: [widget, { ...widget, version: 'v2' }] });
    server.create({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' } });
    const { body } = await getJson(server, '/apis/example.com/v2/namespaces/default/widgets/w');
    assert.equal(body['apiVersion'], 'example.com/v2');
  });

  test('token: requests without it get 401, and rotateToken() replaces it', async () => {
    await using server = await startApiServer({ token: 'first' });
    const status = async (token: string): Promise<number> =>
      (await getJson(server, '/api', { headers: { authorization: `Bearer ${token}` } })).status;
    assert.deepEqual([(await getJson(server, '/api')).status, await status('first')], [401, 200]);
    server.rotateToken('second');
    assert.deepEqual([await status('first'), await status('second')], [401, 200]);
  });

  test('allow() refuses with the message of RBAC, and answers access reviews', async () => {
    await using server = await startApiServer();
    server.allow(({ verb, namespace }) => verb !== 'list' || namespace === 'shop');
    const { status, body } = await getJson(server, '/apis/apps/v1/deployments');
    assert.equal(status, 403);
    assert.equal(
      body['message'],
      'deployments.apps is forbidden: User "system:serviceaccount:watchchain:watchchain" cannot list resource "deployments" in API group "apps" at the cluster scope',
    );
    assert.equal((await getJson(server, '/apis/apps/v1/namespaces/shop/deployments')).status, 200);
    const resourceAttributes = { verb: 'list', group: 'apps', resource: 'deployments' };
    const review = await getJson(server, '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      method: 'POST',
      body: JSON.stringify({ spec: { resourceAttributes } }),
    });
    assert.deepEqual(review.body['status'], { allowed: false });
  });

  test('restart() drops watches and keeps port and data', async () => {
    await using server = await startApiServer();
    server.create(configMap('a'));
    const { url } = server;
    const next = await watch(server, '/api/v1/configmaps');
    assert.equal((await next())?.type, 'ADDED');
    const dropped = assert.rejects(next);
    await server.restart(() => assert.rejects(fetch(url)));
    await dropped;
    assert.equal(server.url, url);
    assert.deepEqual(names((await getJson(server, '/api/v1/configmaps')).body), ['a']);
  });

  test('writeKubeconfig() writes a file that only its owner can read', async (t) => {
    await using server = await startApiServer({ token: 'secret' });
    const path = await server.writeKubeconfig(join(await temporaryFolder(t), 'config'));
    const text = await readFile(path, 'utf8');
    assert(text.includes(server.url) && text.includes('secret'));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });
});
