import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../store/store.ts';
import { configMap, startTestSource, WIDGETS } from '../testing/test-source.ts';

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
