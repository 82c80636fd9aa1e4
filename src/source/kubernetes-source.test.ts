import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EVERYTHING } from '../interest.ts';
import type { Metrics } from '../metrics.ts';
import { configMap, REDACTION_KEY, startTestSource } from '../testing/test-source.ts';
import type { ClusterSource } from './kubernetes-source.ts';
import { createRedactor } from './redact.ts';
import type { Store } from '../store/store.ts';

const WIDGETS = { group: 'example.com', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true };
const widget = (name: string) => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name, namespace: 'shop' },
});

const PLAN = { whileAway: 'each', existing: 'silent' } as const;

/** The store, whose disk may be full. */
function refusing(store: Store, isFull: () => boolean): Store {
  return new Proxy(store, {
    get: (target, name: keyof Store) =>
      name === 'accept' && isFull() ? () => Promise.reject(new Error('disk full')) : target[name].bind(target),
  });
}

describe('createSource()', () => {
  test('start() names all kinds that the cluster does not serve, in one error', async (t) => {
    const rig = await startTestSource(t);
    const requests = [{ kind: 'deploymnet', at: 'config.toml:3' }, {}, { kind: 'gizmo', at: 'config.toml:9' }];
    await assert.rejects(rig.start({ requests }), (error: { code: string; problems: readonly string[] }) => {
      assert.equal(error.code, 'CONFIG');
      assert.equal(error.problems.length, 2);
      assert.match(
        error.problems[0] ?? '',
        /^config\.toml:3: kind "deploymnet" is not served by the cluster; it serves .*deployment/,
      );
      return true;
    });
  });

  test('start() names a kind that is served without watch', async (t) => {
    const rig = await startTestSource(t, { resources: [{ ...WIDGETS, verbs: ['get', 'list'] }] });
    await assert.rejects(rig.start({ requests: [{ kind: 'widget' }] }), {
      message: /cannot be watched: the cluster serves widgets of example\.com\/v1 without watch/,
    });
  });

  test('requests for the same scope by different names share one list and watch; each chain gets each change', async (t) => {
    const rig = await startTestSource(t);
    const kicked = new Set<string>();
    await rig.start({
      requests: [
        { kind: 'cm', chains: ['one'] },
        { kind: 'ConfigMap', apiVersion: 'v1', chains: ['two', 'one'] },
      ],
      onAccepted: (chains) => chains.forEach((chain) => kicked.add(chain)),
    });
    assert.equal(rig.streamRequests.length, 2);
    rig.server.create(configMap('a'));
    await rig.changes(1);
    assert.deepEqual([...kicked], ['one', 'two']);
    const balances = await rig.store.balances();
    assert.deepEqual(
      balances.map(({ chain, accepted }) => [chain, accepted]),
      [
        ['one', 1],
        ['two', 1],
      ],
    );
  });

  test('a field that any chain of the scope reads is not noise', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('a'));
    await rig.start({
      requests: [{ interest: { except: ['metadata.labels', 'data'] } }, { kind: 'cm', interest: { except: ['data'] } }],
    });
    rig.server.update(configMap('a', {}, { labels: { a: 'b' } }));
    assert.equal((await rig.changes(1))[0]?.action, 'updated');
  });

  test('one request per namespace needs nothing beyond that namespace', async (t) => {
    const rig = await startTestSource(t);
    rig.server.allow(({ namespace }) => namespace === 'shop');
    await rig.start({ requests: [{ namespace: 'shop' }] });
    assert.equal(rig.source().health()[0]?.state, 'watching');
    assert.deepEqual(
      new Set(rig.streamRequests.map(({ path }) => path)),
      new Set(['/api/v1/namespaces/shop/configmaps']),
    );
  });

  test('namespace patterns share one list and watch of all namespaces, and objects that do not match are ignored', async (t) => {
    const rig = await startTestSource(t);
    const inside = (namespace: string, name: string, data = {}) => configMap(name, data, { namespace });
    rig.server.create(inside('team-a', 'here'));
    rig.server.create(inside('shop', 'there'));
    await rig.start({ requests: [{ namespace: '*-b,team-*' }] });
    assert.deepEqual(new Set(rig.streamRequests.map(({ path }) => path)), new Set(['/api/v1/configmaps']));
    assert.equal(rig.source().health()[0]?.objects, 1);
    const unreadable = { type: 'ADDED', object: { ...inside('shop', 'odd'), kind: 'Other' } };
    rig.server.fault({ effect: 'line', line: JSON.stringify(unreadable), watch: true, times: 1 });
    rig.server.update(inside('shop', 'there', { changed: 'yes' }));
    rig.server.delete('ConfigMap', 'there', 'shop');
    rig.server.create(inside('shop', 'new'));
    rig.server.update(inside('team-a', 'here', { changed: 'yes' }));
    rig.server.create(inside('team-b', 'in-both'));
    rig.server.delete('ConfigMap', 'here', 'team-a');
    const told = (await rig.changes(3)).map(({ action, namespace, name }) => `${action} ${namespace}/${name}`);
    assert.deepEqual(told, ['updated team-a/here', 'added team-b/in-both', 'deleted team-a/here']);
    assert.deepEqual((await rig.metrics.malformed.get()).values.at(0)?.value ?? 0, 0);
  });

  test('a kind whose apiVersion is not served yet is watched once it is installed', async (t) => {
    const rig = await startTestSource(t);
    await rig.start({ requests: [{}, { kind: 'widget', apiVersion: 'example.com/v1' }] });
    const [, waiting] = rig.source().health();
    assert.equal(waiting?.state, 'degraded');
    assert.match(waiting?.problem ?? '', /not served/);
    rig.server.addResource(WIDGETS);
    await rig.until(() => rig.source().health()[1]?.state === 'watching', 'the widgets');
    rig.server.create(widget('w'));
    assert.deepEqual(
      (await rig.changes(1)).map(({ action, gvk }) => [action, gvk.kind]),
      [['added', 'Widget']],
    );
  });

  test('a kind removed while it is watched degrades alone, and is found again in another version', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    rig.server.create(widget('w'));
    await rig.start({ requests: [{ kind: 'widget', apiVersion: 'example.com' }, {}] });
    rig.server.removeResource(WIDGETS);
    await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the removal');
    assert.equal(rig.source().health()[1]?.state, 'watching');
    rig.server.addResource({ ...WIDGETS, version: 'v2' });
    await rig.until(() => rig.source().health()[0]?.state === 'watching', 'the return');
    assert.equal(rig.source().health()[0]?.resource, 'example.com/v2/widgets');
    assert.deepEqual(await rig.changesSoFar(), []);
  });

  test('another kind installed under the same plural is found, and its objects are reported', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    rig.server.create(widget('w'));
    await rig.start({ requests: [{ kind: 'widgets', apiVersion: 'example.com' }, {}] });
    const gadget = { ...widget('g'), kind: 'Gadget' };
    rig.server.delete('Widget', 'w', 'shop');
    await rig.changes(1);
    rig.server.removeResource(WIDGETS);
    rig.server.addResource({ ...WIDGETS, kind: 'Gadget' });
    rig.server.create(gadget);
    rig.server.bookmark();
    const told = (await rig.changes(2)).map(({ action, gvk, name }) => `${action} ${gvk.kind} ${name}`);
    assert.deepEqual(told, ['deleted Widget w', 'added Gadget g']);
  });

  test('another kind under the same plural is found by the next process if this one stops first', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    const requests = [{ kind: 'widgets', apiVersion: 'example.com' }];
    await rig.start({ requests });
    rig.server.removeResource(WIDGETS);
    rig.server.addResource({ ...WIDGETS, kind: 'Gadget' });
    const unanswered = rig.server.fault({ effect: 'status', status: 503, path: '/apis' });
    const cursor = async () => (await rig.store.scopes())[0]?.cursor;
    const before = await cursor();
    rig.server.create({ ...widget('g'), kind: 'Gadget' });
    await rig.until(
      () => rig.logged.some(({ message }) => message.startsWith('Skipped an object')),
      'what is left out',
    );
    rig.server.bookmark();
    await rig.until(async () => (await cursor()) !== before, 'the cursor behind it');
    await rig.stop();
    unanswered.remove();
    await rig.start({ requests });
    const told = (await rig.changes(1)).map(({ action, gvk, name }) => `${action} ${gvk.kind} ${name}`);
    assert.deepEqual(told, ['added Gadget g']);
  });

  test('another kind under the same plural is found even if discovery fails at first', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    await rig.start({ requests: [{ kind: 'widgets', apiVersion: 'example.com' }] });
    rig.server.removeResource(WIDGETS);
    rig.server.addResource({ ...WIDGETS, kind: 'Gadget' });
    const unanswered = rig.server.fault({ effect: 'status', status: 503, path: '/apis', times: 2 });
    rig.server.create({ ...widget('g'), kind: 'Gadget' });
    const [told] = await rig.changes(1);
    assert.deepEqual([unanswered.hits, told?.gvk.kind, told?.name], [2, 'Gadget', 'g']);
  });

  test('a stray object of another kind does not restart the watch', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    const metadata = { name: 'p', namespace: 'shop', uid: 'u', resourceVersion: '1' };
    const object = { apiVersion: 'v1', kind: 'Pod', metadata };
    rig.server.fault({ effect: 'line', line: JSON.stringify({ type: 'ADDED', object }), watch: true, times: 1 });
    const looks = () => rig.server.requests.filter(({ path }) => path === '/apis').length;
    const before = looks();
    rig.server.create(configMap('a'));
    await rig.until(() => looks() > before, 'the look at the cluster');
    rig.server.create(configMap('b'));
    await rig.changes(2);
    assert.equal(rig.streamRequests.length, 2);
  });

  test('a kind that two chains name by different versions is found again by either name', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    await rig.start({
      requests: [
        { kind: 'widget', apiVersion: 'example.com/v1', chains: ['old'] },
        { kind: 'widget', apiVersion: 'example.com', chains: ['any'] },
      ],
    });
    rig.server.removeResource(WIDGETS);
    await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the removal');
    rig.server.addResource({ ...WIDGETS, version: 'v2' });
    await rig.until(() => rig.source().health()[0]?.state === 'watching', 'the return');
    rig.server.create({ ...widget('w'), apiVersion: 'example.com/v2' });
    assert.equal((await rig.changes(1))[0]?.after?.apiVersion, 'example.com/v2');
  });

  test('an unreachable cluster degrades a scope with a one-line problem, and the scope recovers without a relist', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    await rig.server.restart(async () => {
      await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the failure');
      const problem = rig.source().health()[0]?.problem ?? '';
      assert.match(problem, /^Cannot watch v1\/configmaps in all namespaces on 127\.0\.0\.1:\d+: .*refused/);
      assert.ok(!problem.includes('\n'));
    });
    await rig.until(() => rig.source().health()[0]?.state === 'watching', 'recovery');
    assert.equal(rig.streamRequests.filter(({ watch }) => !watch).length, 1);
  });

  test('metrics show when a scope was last heard from, and drop a scope that is gone', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    rig.server.create(widget('w'));
    await rig.start({ requests: [{ kind: 'widget', apiVersion: 'example.com' }] });
    const heard = async () =>
      (await rig.metrics.scopeHeard.get()).values.map(({ labels, value }) => [labels.resource, value]);
    const [[resource, first] = []] = await heard();
    assert.equal(resource, 'example.com/v1/widgets');
    await rig.clock.advance(60_000);
    rig.server.create(widget('x'));
    await rig.changes(1);
    const [[, second] = []] = await heard();
    assert.ok(Number(second) >= Number(first) + 60, `${first} ${second}`);
    rig.server.removeResource(WIDGETS);
    await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the removal');
    rig.server.addResource({ ...WIDGETS, version: 'v2' });
    await rig.until(() => rig.source().health()[0]?.state === 'watching', 'the return');
    assert.deepEqual(
      (await heard()).map(([name]) => name),
      ['example.com/v2/widgets'],
    );
  });

  test('metrics count the objects of a scope that resumes from its cursor, and of one that is relisted', async (t) => {
    const rig = await startTestSource(t);
    const objects = async () => (await rig.metrics.scopeObjects.get()).values.map(({ value }) => value);
    await rig.start();
    assert.deepEqual(await objects(), [0]);
    for (const name of ['a', 'b', 'c']) rig.server.create(configMap(name));
    await rig.changes(3);
    await rig.stop();
    await rig.start();
    assert.deepEqual(await objects(), [3]);
    await rig.stop();
    rig.server.delete('ConfigMap', 'a', 'shop');
    rig.server.compact();
    await rig.start();
    await rig.until(() => rig.source().health()[0]?.objects === 2, 'the list');
    assert.deepEqual(await objects(), [2]);
  });

  test('cluster-scoped kinds are watched, measured and forgotten as a whole, whatever namespaces are configured', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } });
    const plan = { ...PLAN, redactor: createRedactor({ envNames: [], paths: [] }, REDACTION_KEY) };
    await rig.start({ ...plan, requests: [{ kind: 'node', namespace: 'team-*' }] });
    assert.equal(rig.source().health()[0]?.namespace, '');
    const gauges = [rig.metrics.scopeSynced, rig.metrics.scopeHeard, rig.metrics.scopeObjects];
    const shown = async () => {
      const values = (await Promise.all(gauges.map((gauge) => gauge.get()))).flatMap((metric) => metric.values);
      return values.map(({ labels: { resource, namespace } }) => `${resource} in "${namespace}"`);
    };
    assert.deepEqual(await shown(), Array(3).fill('v1/nodes in ""'));
    const source = rig.source() as ClusterSource;
    await source.applyPlan(await source.prepare({ ...plan, requests: [] }));
    assert.deepEqual(await shown(), []);
  });

  test('metrics show a degraded scope even if another one differs only by its selectors', async (t) => {
    const rig = await startTestSource(t);
    const plan = { ...PLAN, redactor: createRedactor({ envNames: [], paths: [] }, REDACTION_KEY) };
    const synced = async () => (await rig.metrics.scopeSynced.get()).values.map(({ value }) => value);
    await rig.start({ ...plan, requests: [{ fieldSelector: 'spec.nope=1' }, {}] });
    assert.deepEqual(await synced(), [0]);
    const source = rig.source() as ClusterSource;
    const common = { kind: 'configmap', apiVersion: undefined, namespace: '', labelSelector: '', at: 'config.toml:1' };
    const healthy = { ...common, fieldSelector: '', chains: ['default'], interest: EVERYTHING };
    await source.applyPlan(await source.prepare({ ...plan, requests: [healthy] }));
    assert.deepEqual(await synced(), [1]);
  });

  test('metrics sum the objects of scopes that differ only by selectors, and show the longest silence', async (t) => {
    const rig = await startTestSource(t);
    const create = (name: string, app: string) => rig.server.create(configMap(name, {}, { labels: { app } }));
    const { scopeObjects, scopeHeard } = rig.metrics;
    const valuesOf = async (gauge: Metrics['scopeObjects']) => (await gauge.get()).values.map(({ value }) => value);
    for (const [name, app] of Object.entries({ one: 'a', two: 'b', three: 'b' })) create(name, app);
    await rig.start({ requests: [{ labelSelector: 'app=a' }, { labelSelector: 'app=b' }] });
    const heard = await valuesOf(scopeHeard);
    assert.equal(heard.length, 1);
    await rig.clock.advance(60_000);
    create('four', 'a');
    await rig.changes(1);
    assert.deepEqual(await valuesOf(scopeObjects), [4]);
    assert.deepEqual(await valuesOf(scopeHeard), heard);
  });

  test('at most four lists run at once', async (t) => {
    const rig = await startTestSource(t);
    const lists = rig.server.fault({ effect: 'hang', path: /\/api\/v1\/namespaces\/n\d\/configmaps/, watch: false });
    await rig.start({ requests: Array.from({ length: 8 }, (_, i) => ({ namespace: `n${i}` })), settle: false });
    await rig.until(() => lists.hits === 4, 'four lists');
    assert.equal(rig.streamRequests.length, 4);
    await rig.stop();
    assert.equal(lists.hits, 4);
  });

  for (const effect of ['hang', 'hangAfterHeaders'] as const)
    test(`an unanswered list (${effect}) frees its slot for other kinds after 2 s`, async (t) => {
      const rig = await startTestSource(t);
      const lists = rig.server.fault({ effect, path: /\/api\/v1\/namespaces\/n\d\/configmaps/, watch: false });
      const hanging = Array.from({ length: 8 }, (_, i) => ({ namespace: `n${i}` }));
      await rig.start({ requests: [...hanging, { kind: 'secret' }], settle: false });
      for (const hits of [4, 8]) {
        await rig.until(() => lists.hits === hits, `${hits} lists`);
        await rig.clock.advance(2_000);
      }
      await rig.server.waitForWatches(1, '/api/v1/secrets');
      const failed = rig.logged.filter(({ level }) => level === 'warn');
      assert.deepEqual(failed, [], 'the unanswered lists have not failed yet');
    });

  test('more than 100 watches cause one warning', async (t) => {
    const rig = await startTestSource(t);
    await rig.start({ requests: Array.from({ length: 101 }, (_, i) => ({ namespace: `n${i}` })), settle: false });
    const warnings = rig.logged.filter(({ message }) => message.includes('many watches'));
    assert.deepEqual(
      warnings.map(({ level, watches }) => [level, watches]),
      [['warn', 101]],
    );
  });

  test('a scope removed from the configuration is forgotten, and silent when it comes back', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('a'));
    await rig.start({ requests: [{}, { kind: 'secret' }] });
    await rig.stop();
    await rig.start({ requests: [{ kind: 'secret' }] });
    await rig.stop();
    rig.server.update(configMap('a', { changed: 'meanwhile' }));
    await rig.start({ requests: [{}, { kind: 'secret' }] });
    assert.deepEqual(await rig.changesSoFar(), []);
  });

  test('a failing store degrades the health, and nothing is lost', async (t) => {
    const rig = await startTestSource(t);
    let isFull = false;
    await rig.start({ store: refusing(rig.store, () => isFull) });
    isFull = true;
    rig.server.create(configMap('a'));
    await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the refusal');
    assert.match(rig.source().health()[0]?.problem ?? '', /Cannot write to the store: disk full/);
    isFull = false;
    assert.equal((await rig.changes(1))[0]?.name, 'a');
    await rig.until(() => rig.source().health()[0]?.state === 'watching', 'the recovery');
  });

  test('while the store refuses, a watch that breaks is not opened again to read yet more', async (t) => {
    const rig = await startTestSource(t);
    let isFull = false;
    await rig.start({ store: refusing(rig.store, () => isFull) });
    isFull = true;
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) rig.server.create(configMap(name, { text: 'x'.repeat(1024 * 1024) }));
    await rig.until(() => rig.source().health()[0]?.objects === 4, 'the limit of what waits');
    const opened = rig.streamRequests.length;
    for (const name of ['e', 'f', 'g']) {
      await rig.server.restart();
      await rig.clock.advance(60_000);
      rig.server.create(configMap(name));
      await rig.clock.advance(60_000);
    }
    assert.equal(rig.streamRequests.length, opened);
    isFull = false;
    assert.deepEqual(
      (await rig.changes(7)).map(({ name }) => name),
      [...names, 'e', 'f', 'g'],
    );
  });
});
