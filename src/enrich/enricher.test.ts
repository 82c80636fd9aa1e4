import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeOf } from '../errors.ts';
import { changeOf } from '../testing/change.ts';
import { about, aboutPod, pod, PODS, rollout, startEnricher } from '../testing/test-enricher.ts';

describe('involved', () => {
  test('of an Event is the object that it names, requested once', async (t) => {
    const { server, involved, gets, counted } = await startEnricher(t);
    const { uid } = server.create(pod('web', { annotations: { team: 'shop' } })).metadata;
    const all = await Promise.all([involved(aboutPod('web', uid)), involved(aboutPod('web', uid))]);
    const again = await involved(aboutPod('web', uid));
    for (const found of [...all, again]) {
      assert.deepEqual(found?.labels, { app: 'web' });
      assert.deepEqual(found?.annotations, { team: 'shop' });
      assert.deepEqual([found?.known, found?.deleted], [true, false]);
    }
    assert.deepEqual(
      gets().map(({ path }) => path),
      [`${PODS}web`],
    );
    assert.match(gets()[0]?.headers.accept ?? '', /as=PartialObjectMetadata/);
    // Of two concurrent requests the second shares the answer, or comes after it and is served from the cache.
    assert.equal(await counted('found'), 1);
    assert.ok((await counted('cache')) >= 1);
  });

  test('is requested again after a minute', async (t) => {
    const { server, involved, clock } = await startEnricher(t);
    server.create(pod('web'));
    await involved(aboutPod('web'));
    server.update(pod('web', { labels: { app: 'other' } }));
    assert.deepEqual((await involved(aboutPod('web')))?.labels, { app: 'web' });
    await clock.advance(60_000);
    assert.deepEqual((await involved(aboutPod('web')))?.labels, { app: 'other' });
  });

  test('is cached without the fields that nobody needs, however large the objects are', async (t) => {
    const { server, involved, gets } = await startEnricher(t);
    const names = Array.from({ length: 20 }, (_, n) => `web-${n}`);
    const large = { args: ['x'.repeat(1024 * 1024)] };
    for (const name of names) server.create({ ...pod(name), spec: { containers: [large] } });
    for (const name of [...names, ...names]) assert.deepEqual((await involved(aboutPod(name)))?.labels, { app: name });
    assert.equal(gets().length, names.length);
  });

  test('comes from the baseline if the object is watched, without a request or a wait for the rate', async (t) => {
    const { server, store, involved, gets } = await startEnricher(t, { perSecond: 0.001 });
    const all = {
      group: '',
      version: 'v1',
      resource: 'pods',
      kind: 'Pod',
      namespace: '',
      labelSelector: '',
      fieldSelector: '',
    };
    const { id: scope } = await store.openScope({ ...all, chains: [] });
    for (const name of ['a', 'b', 'c']) {
      const body = Buffer.from(JSON.stringify(pod(name, { uid: `uid-${name}` })));
      const seen = {
        type: 'seen',
        key: `shop/${name}`,
        uid: `uid-${name}`,
        resourceVersion: '1',
        digest: 1,
        body,
      } as const;
      await store.accept({ scope, observations: [seen] });
      assert.deepEqual((await involved(aboutPod(name, `uid-${name}`)))?.labels, { app: name });
    }
    assert.deepEqual(gets(), []);
    // A successor with the same name, which is not in the baseline yet.
    const { uid } = server.create(pod('a', { labels: { app: 'successor' } })).metadata;
    assert.deepEqual((await involved(aboutPod('a', uid)))?.labels, { app: 'successor' });
  });

  test('is deleted if the object found has another uid than the Event names', async (t) => {
    const { server, involved } = await startEnricher(t);
    server.create(pod('web'));
    const found = await involved(aboutPod('web', 'uid-of-its-predecessor'));
    assert.deepEqual([found?.labels, found?.deleted, found?.uid], [{}, true, 'uid-of-its-predecessor']);
  });

  test('is deleted, without a request, if its name would lead elsewhere in a URL', async (t) => {
    const { server, involved } = await startEnricher(t);
    server.create(pod('web'));
    const asked = () => server.requests.map(({ path }) => path).filter((path) => path.includes('/namespaces/'));
    for (const name of ['.', '..']) assert.equal((await involved(aboutPod(name)))?.deleted, true, name);
    assert.deepEqual(asked(), []);
  });

  test('is told apart by name if the Event has no uid', async (t) => {
    const { server, involved } = await startEnricher(t);
    for (const name of ['a', 'b']) server.create(pod(name));
    for (const name of ['a', 'b']) assert.deepEqual((await involved(aboutPod(name)))?.labels, { app: name });
  });

  test('finds a node by its name given as uid, and a static pod by its hash', async (t) => {
    const { server, involved } = await startEnricher(t);
    server.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels: { zone: 'a' } } });
    assert.deepEqual((await involved(about({ kind: 'Node', name: 'n1', uid: 'n1' })))?.labels, { zone: 'a' });
    server.create(pod('etcd-n1', { annotations: { 'kubernetes.io/config.hash': 'c0ffee' } }));
    assert.deepEqual((await involved(aboutPod('etcd-n1', 'c0ffee')))?.labels, { app: 'etcd-n1' });
  });

  test('is no error if the object is gone, forbidden or not served; each reason is logged once', async (t) => {
    const { server, involved, warnings } = await startEnricher(t);
    server.allow(({ resource }) => resource !== 'nodes');
    const gone = await involved(aboutPod('gone'));
    assert.deepEqual([gone?.deleted, gone?.known, gone?.labels], [true, true, {}]);
    for (const name of ['n1', 'n2']) {
      const hidden = await involved(about({ apiVersion: 'v1', kind: 'Node', name }));
      assert.deepEqual([hidden?.deleted, hidden?.known, hidden?.labels], [false, false, {}]);
      assert.equal((await involved(about({ apiVersion: 'shop.example/v1', kind: 'Widget', name })))?.known, false);
    }
    assert.equal(warnings.length, 2);
    assert.match(
      warnings[0] ?? '',
      /"v1\/nodes".*forbidden: allow \\"get\\" on it|forbidden: allow \\"get\\" on it.*"v1\/nodes"/,
    );
  });

  test('is found under the served version, whichever the Event names', async (t) => {
    const { server, involved } = await startEnricher(t);
    const type = { group: 'shop.example', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true };
    server.addResource(type);
    server.create({
      apiVersion: 'shop.example/v1',
      kind: 'Widget',
      metadata: { name: 'w', namespace: 'shop', labels: { a: 'b' } },
    });
    const named = { apiVersion: 'shop.example/v1alpha3', kind: 'Widget', namespace: 'shop', name: 'w' };
    assert.deepEqual((await involved(about(named)))?.labels, { a: 'b' });
  });

  test('has annotations redacted that may hold a secret', async (t) => {
    const { server, involved } = await startEnricher(t);
    const applied = 'kubectl.kubernetes.io/last-applied-configuration';
    server.create(pod('web', { annotations: { [applied]: '{"password":"s3cr3t"}', team: 'shop' } }));
    const found = await involved(aboutPod('web'));
    assert.match(found?.annotations[applied] ?? '', /^redacted:/);
    assert.equal(found?.annotations['team'], 'shop');
  });

  test('of any other change is the changed object, without a request', async (t) => {
    const { involved, gets } = await startEnricher(t);
    const deleted = await involved(changeOf({ before: pod('web', { uid: 'uid-1' }) }));
    assert.deepEqual([deleted?.name, deleted?.labels, deleted?.deleted], ['web', { app: 'web' }, true]);
    assert.equal(await involved(about({ kind: 'Pod' })), undefined);
    assert.deepEqual(gets(), []);
  });

  test('defers the change while the API server fails or does not answer', async (t) => {
    const { server, involved } = await startEnricher(t);
    await involved(about({ kind: 'Pod', name: 'first' }));
    server.fault({ effect: 'status', status: 503, path: `${PODS}web`, times: 1 });
    await assert.rejects(
      involved(aboutPod('web')),
      (error: Error) => codeOf(error) === 'DEFER' && /answered 503/.test(error.message),
    );
    const page = { contentType: 'text/html', body: '<p>Log in</p>' };
    server.fault({ effect: 'contentType', ...page, path: `${PODS}web`, times: 1 });
    await assert.rejects(
      involved(aboutPod('web')),
      (error: Error) => codeOf(error) === 'DEFER' && /the answer is not a manifest/.test(error.message),
    );
    await server.close();
    await assert.rejects(involved(aboutPod('web')), (error) => codeOf(error) === 'DEFER');
  });

  test('defers the change while discovery fails', async (t) => {
    const { server, involved, clock } = await startEnricher(t);
    server.create(pod('web'));
    server.fault({ effect: 'status', status: 503, path: '/api', times: 1 });
    const named = { kind: 'Pod', namespace: 'shop', name: 'web' };
    for (const event of [aboutPod('web'), about(named)]) {
      await assert.rejects(
        involved(event),
        (error: Error) => codeOf(error) === 'DEFER' && /what kind Pod is: .*503/.test(error.message),
      );
    }
    await clock.advance(2_000);
    for (const event of [aboutPod('web'), about(named)])
      assert.deepEqual((await involved(event))?.labels, { app: 'web' });
  });
});

describe('topOwner', () => {
  test('follows the owners from the pod by its replica set to the deployment', async (t) => {
    const { server, topOwner, gets } = await startEnricher(t);
    const change = rollout(server);
    const top = await topOwner(change);
    assert.deepEqual([top?.apiVersion, top?.kind, top?.namespace, top?.name], ['apps/v1', 'Deployment', 'shop', 'web']);
    await topOwner(change);
    assert.equal(gets().length, 3);
  });

  test('starts from a changed pod too, and is the object itself if nobody owns it', async (t) => {
    const { server, topOwner } = await startEnricher(t);
    rollout(server);
    assert.equal((await topOwner(changeOf({ after: server.get('Pod', 'web-5-x', 'shop') ?? {} })))?.name, 'web');
    assert.equal((await topOwner(changeOf({ after: pod('alone') })))?.name, 'alone');
  });

  test('of a static pod is its node, which has no namespace', async (t) => {
    const { server, topOwner } = await startEnricher(t);
    const { metadata } = server.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: metadata.uid ?? '' };
    const top = await topOwner(changeOf({ after: pod('etcd-n1', { ownerReferences: [owner] }) }));
    assert.deepEqual([top?.kind, top?.name, top?.namespace], ['Node', 'n1', undefined]);
  });

  test('ends at the first owner that it may not read', async (t) => {
    const { server, topOwner } = await startEnricher(t);
    const change = rollout(server);
    server.allow(({ resource }) => resource !== 'replicasets');
    assert.deepEqual(((top) => [top?.kind, top?.name])(await topOwner(change)), ['ReplicaSet', 'web-5']);
  });
});

describe('namespaceOf', () => {
  const namespace = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { team: name } },
  });

  test('is the namespace of the changed object, or of the object that an Event involves; requested once', async (t) => {
    const { server, namespaceOf } = await startEnricher(t);
    for (const name of ['shop', 'db']) server.create(namespace(name));
    assert.deepEqual((await namespaceOf(changeOf({ after: pod('web') })))?.labels, { team: 'shop' });
    assert.deepEqual((await namespaceOf(aboutPod('web')))?.labels, { team: 'shop' });
    const elsewhere = about({ apiVersion: 'v1', kind: 'Pod', namespace: 'db', name: 'web' });
    assert.deepEqual((await namespaceOf(elsewhere))?.labels, { team: 'db' });
    const asked = server.requests.filter(({ path }) => path.startsWith('/api/v1/namespaces/shop'));
    assert.equal(asked.length, 1, 'requested once');
  });

  test('of a changed namespace is that namespace, even if deleted, and undefined for a cluster-scoped object', async (t) => {
    const { server, namespaceOf } = await startEnricher(t);
    assert.deepEqual((await namespaceOf(changeOf({ before: namespace('gone') })))?.labels, { team: 'gone' });
    server.create(namespace('shop'));
    const aboutIt = about({ apiVersion: 'v1', kind: 'Namespace', name: 'shop' });
    assert.deepEqual((await namespaceOf(aboutIt))?.labels, { team: 'shop' });
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } };
    assert.equal(await namespaceOf(changeOf({ after: node })), undefined);
    assert.equal(await namespaceOf(about({ apiVersion: 'v1', kind: 'Node', name: 'node-1' })), undefined);
  });

  test('that may not be read has no labels, without an error', async (t) => {
    const { server, namespaceOf, warnings } = await startEnricher(t);
    server.create(namespace('shop'));
    server.allow(({ resource }) => resource !== 'namespaces');
    assert.deepEqual((await namespaceOf(aboutPod('web')))?.labels, {});
    assert.match(warnings.join(), /allow \\"get\\" on it","what":"v1\/namespaces"/);
  });
});
