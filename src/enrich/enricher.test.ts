import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Change, Manifest } from '../change.ts';
import { codeOf, type RetryAfterError, WaitError } from '../errors.ts';
import { createMetrics } from '../metrics.ts';
import { Discovery } from '../source/discovery.ts';
import { createRedactor } from '../source/redact.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { changeOf } from '../testing/change.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { logInto } from '../testing/log-into.ts';
import { countOf } from '../testing/test-chain.ts';
import { clientOf, REDACTION_KEY } from '../testing/test-source.ts';
import { createEnricher } from './enricher.ts';
import type { ObjectReference } from './involved.ts';

const PODS = '/api/v1/namespaces/shop/pods/';

async function rig(t: TestContext, { perSecond = 0, burst = 1 } = {}) {
  const server = await startApiServer();
  const api = clientOf(server);
  const clock = new FakeClock();
  const store = await openSqliteStore({ path: ':memory:', cluster: { id: 'test', name: 'test' }, clock });
  const metrics = createMetrics();
  const warnings: string[] = [];
  const redactor = createRedactor({ envNames: [], paths: [] }, REDACTION_KEY);
  t.after(async () => {
    await api.close();
    await server.close();
    await store.close();
  });
  const discovery = new Discovery(api, { clock });
  const log = logInto((line) => {
    if (line.level === 'warn') warnings.push(JSON.stringify(line));
  });
  const around = { api, store, clock, log, metrics, perSecond, burst };
  const enricher = createEnricher({ ...around, discovery, redactor: () => redactor });
  const { signal } = new AbortController();
  return {
    server,
    store,
    clock,
    involved: (change: Change) => enricher.involved(change, signal),
    topOwner: (change: Change) => enricher.topOwner(change, signal),
    namespaceOf: (change: Change) => enricher.namespaceOf(change, signal),
    warnings,
    /** Requests for single objects so far. */
    gets: () => server.requests.filter(({ path }) => /\/(pods|nodes|replicasets|deployments)\/|widgets\//.test(path)),
    counted: (outcome: string) => countOf(metrics, 'lookups_total', { outcome }),
  };
}

function pod(name: string, more: Partial<Manifest['metadata']> = {}) {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', labels: { app: name }, ...more } };
}

/** An Event about the object. */
function about(involvedObject: Partial<ObjectReference>): Change {
  return changeOf({
    after: { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'shop' }, involvedObject },
  });
}

const aboutPod = (name: string, uid?: string) =>
  about({ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name, ...(uid === undefined ? {} : { uid }) });

const owner = ({ apiVersion = '', kind = '', metadata: { name, uid = '' } }: Manifest) => [
  { apiVersion, kind, name, uid, controller: true },
];

/** A pod of a replica set of a deployment. */
function rollout(server: ApiServer): Change {
  const metadata = (name: string) => ({ name, namespace: 'shop' });
  const web = server.create({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: metadata('web') });
  const set = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { ...metadata('web-5'), ownerReferences: owner(web) },
  };
  const made = server.create(pod('web-5-x', { ownerReferences: owner(server.create(set)) }));
  return aboutPod('web-5-x', made.metadata.uid);
}

describe('involved', () => {
  test('of an Event is the object that it names, requested once', async (t) => {
    const { server, involved, gets, counted } = await rig(t);
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
    const { server, involved, clock } = await rig(t);
    server.create(pod('web'));
    await involved(aboutPod('web'));
    server.update(pod('web', { labels: { app: 'other' } }));
    assert.deepEqual((await involved(aboutPod('web')))?.labels, { app: 'web' });
    await clock.advance(60_000);
    assert.deepEqual((await involved(aboutPod('web')))?.labels, { app: 'other' });
  });

  test('is cached without the fields that nobody needs, however large the objects are', async (t) => {
    const { server, involved, gets } = await rig(t);
    const names = Array.from({ length: 20 }, (_, n) => `web-${n}`);
    const large = { args: ['x'.repeat(1024 * 1024)] };
    for (const name of names) server.create({ ...pod(name), spec: { containers: [large] } });
    for (const name of [...names, ...names]) assert.deepEqual((await involved(aboutPod(name)))?.labels, { app: name });
    assert.equal(gets().length, names.length);
  });

  test('comes from the baseline if the object is watched, without a request or a wait for the rate', async (t) => {
    const { server, store, involved, gets } = await rig(t, { perSecond: 0.001 });
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
    const { server, involved } = await rig(t);
    server.create(pod('web'));
    const found = await involved(aboutPod('web', 'uid-of-its-predecessor'));
    assert.deepEqual([found?.labels, found?.deleted, found?.uid], [{}, true, 'uid-of-its-predecessor']);
  });

  test('is deleted, without a request, if its name would lead elsewhere in a URL', async (t) => {
    const { server, involved } = await rig(t);
    server.create(pod('web'));
    const asked = () => server.requests.map(({ path }) => path).filter((path) => path.includes('/namespaces/'));
    for (const name of ['.', '..']) assert.equal((await involved(aboutPod(name)))?.deleted, true, name);
    assert.deepEqual(asked(), []);
  });

  test('is told apart by name if the Event has no uid', async (t) => {
    const { server, involved } = await rig(t);
    for (const name of ['a', 'b']) server.create(pod(name));
    for (const name of ['a', 'b']) assert.deepEqual((await involved(aboutPod(name)))?.labels, { app: name });
  });

  test('finds a node by its name given as uid, and a static pod by its hash', async (t) => {
    const { server, involved } = await rig(t);
    server.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels: { zone: 'a' } } });
    assert.deepEqual((await involved(about({ kind: 'Node', name: 'n1', uid: 'n1' })))?.labels, { zone: 'a' });
    server.create(pod('etcd-n1', { annotations: { 'kubernetes.io/config.hash': 'c0ffee' } }));
    assert.deepEqual((await involved(aboutPod('etcd-n1', 'c0ffee')))?.labels, { app: 'etcd-n1' });
  });

  test('is no error if the object is gone, forbidden or not served; each reason is logged once', async (t) => {
    const { server, involved, warnings } = await rig(t);
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
    const { server, involved } = await rig(t);
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
    const { server, involved } = await rig(t);
    const applied = 'kubectl.kubernetes.io/last-applied-configuration';
    server.create(pod('web', { annotations: { [applied]: '{"password":"s3cr3t"}', team: 'shop' } }));
    const found = await involved(aboutPod('web'));
    assert.match(found?.annotations[applied] ?? '', /^redacted:/);
    assert.equal(found?.annotations['team'], 'shop');
  });

  test('of any other change is the changed object, without a request', async (t) => {
    const { involved, gets } = await rig(t);
    const deleted = await involved(changeOf({ before: pod('web', { uid: 'uid-1' }) }));
    assert.deepEqual([deleted?.name, deleted?.labels, deleted?.deleted], ['web', { app: 'web' }, true]);
    assert.equal(await involved(about({ kind: 'Pod' })), undefined);
    assert.deepEqual(gets(), []);
  });

  test('defers the change while the API server fails or does not answer', async (t) => {
    const { server, involved } = await rig(t);
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
    const { server, involved, clock } = await rig(t);
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

describe('the rate of lookups', () => {
  test('20 objects at 5 a second: 10 at once, then one every 200 ms; none is left out', async (t) => {
    const { server, involved, gets, clock } = await rig(t, { perSecond: 5, burst: 10 });
    const names = Array.from({ length: 20 }, (_, n) => `web-${n}`);
    for (const name of names) server.create(pod(name));
    const ask = async (name: string): Promise<unknown> => {
      try {
        return (await involved(aboutPod(name)))?.labels;
      } catch (thrown) {
        if (!(thrown instanceof WaitError)) throw thrown;
        await clock.sleep(thrown.until - clock.now());
        return ask(name);
      }
    };
    const answers = Promise.all(names.map(ask));
    for (let n = 10; n <= 20; n++) {
      await server.waitUntil(() => gets().length === n, `${n} requests`);
      await clock.advance(200);
    }
    assert.deepEqual(
      await answers,
      names.map((app) => ({ app })),
    );
    assert.equal(gets().length, 20);
  });

  test('a wait of more than a second throws a WaitError instead of holding the slot', async (t) => {
    const { server, involved, clock } = await rig(t, { perSecond: 0.1, burst: 1 });
    for (const name of ['a', 'b']) server.create(pod(name));
    await involved(aboutPod('a'));
    await assert.rejects(involved(aboutPod('b')), (error: WaitError) => {
      assert.equal(error.message, 'Waiting for the rate of [lookup], or of the API server');
      return error.code === 'WAIT' && error.until === clock.now() + 10_000;
    });
  });

  test('a Retry-After of a day is limited to five minutes', async (t) => {
    const { server, involved, clock } = await rig(t, { perSecond: 5, burst: 10 });
    server.create(pod('web'));
    server.fault({ effect: 'status', status: 429, retryAfterSeconds: 86_400, path: `${PODS}web`, times: 1 });
    await assert.rejects(involved(aboutPod('web')), (error: RetryAfterError) => error.retryAfterMs === 300_000);
    await assert.rejects(involved(aboutPod('web')), (error: WaitError) => error.until === clock.now() + 300_000);
    await clock.advance(300_000);
    assert.deepEqual((await involved(aboutPod('web')))?.labels, { app: 'web' });
  });

  test('an expired cache entry is used rather than waiting for the rate', async (t) => {
    const { server, involved, clock } = await rig(t, { perSecond: 0.01, burst: 2 });
    for (const name of ['a', 'b']) server.create(pod(name));
    for (const name of ['a', 'b']) await involved(aboutPod(name));
    await clock.advance(61_000);
    server.delete('Pod', 'a', 'shop');
    assert.deepEqual((await involved(aboutPod('a')))?.labels, { app: 'a' });
  });

  test('using an expired cache entry takes no turn from others', async (t) => {
    const { server, involved, clock } = await rig(t, { perSecond: 0.1, burst: 1 });
    for (const name of ['a', 'b', 'c']) server.create(pod(name));
    await involved(aboutPod('a'));
    await clock.advance(61_000);
    await involved(aboutPod('b'));
    assert.deepEqual((await involved(aboutPod('a')))?.labels, { app: 'a' });
    await assert.rejects(involved(aboutPod('c')), (error: WaitError) => error.until === clock.now() + 10_000);
  });
});

describe('topOwner', () => {
  test('follows the owners from the pod by its replica set to the deployment', async (t) => {
    const { server, topOwner, gets } = await rig(t);
    const change = rollout(server);
    const top = await topOwner(change);
    assert.deepEqual([top?.apiVersion, top?.kind, top?.namespace, top?.name], ['apps/v1', 'Deployment', 'shop', 'web']);
    await topOwner(change);
    assert.equal(gets().length, 3);
  });

  test('starts from a changed pod too, and is the object itself if nobody owns it', async (t) => {
    const { server, topOwner } = await rig(t);
    rollout(server);
    assert.equal((await topOwner(changeOf({ after: server.get('Pod', 'web-5-x', 'shop') ?? {} })))?.name, 'web');
    assert.equal((await topOwner(changeOf({ after: pod('alone') })))?.name, 'alone');
  });

  test('of a static pod is its node, which has no namespace', async (t) => {
    const { server, topOwner } = await rig(t);
    const { metadata } = server.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: metadata.uid ?? '' };
    const top = await topOwner(changeOf({ after: pod('etcd-n1', { ownerReferences: [owner] }) }));
    assert.deepEqual([top?.kind, top?.name, top?.namespace], ['Node', 'n1', undefined]);
  });

  test('ends at the first owner that it may not read', async (t) => {
    const { server, topOwner } = await rig(t);
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
    const { server, namespaceOf } = await rig(t);
    for (const name of ['shop', 'db']) server.create(namespace(name));
    assert.deepEqual((await namespaceOf(changeOf({ after: pod('web') })))?.labels, { team: 'shop' });
    assert.deepEqual((await namespaceOf(aboutPod('web')))?.labels, { team: 'shop' });
    const elsewhere = about({ apiVersion: 'v1', kind: 'Pod', namespace: 'db', name: 'web' });
    assert.deepEqual((await namespaceOf(elsewhere))?.labels, { team: 'db' });
    const asked = server.requests.filter(({ path }) => path.startsWith('/api/v1/namespaces/shop'));
    assert.equal(asked.length, 1, 'requested once');
  });

  test('of a changed namespace is that namespace, even if deleted, and undefined for a cluster-scoped object', async (t) => {
    const { server, namespaceOf } = await rig(t);
    assert.deepEqual((await namespaceOf(changeOf({ before: namespace('gone') })))?.labels, { team: 'gone' });
    server.create(namespace('shop'));
    const aboutIt = about({ apiVersion: 'v1', kind: 'Namespace', name: 'shop' });
    assert.deepEqual((await namespaceOf(aboutIt))?.labels, { team: 'shop' });
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } };
    assert.equal(await namespaceOf(changeOf({ after: node })), undefined);
    assert.equal(await namespaceOf(about({ apiVersion: 'v1', kind: 'Node', name: 'node-1' })), undefined);
  });

  test('that may not be read has no labels, without an error', async (t) => {
    const { server, namespaceOf, warnings } = await rig(t);
    server.create(namespace('shop'));
    server.allow(({ resource }) => resource !== 'namespaces');
    assert.deepEqual((await namespaceOf(aboutPod('web')))?.labels, {});
    assert.match(warnings.join(), /allow \\"get\\" on it","what":"v1\/namespaces"/);
  });
});
