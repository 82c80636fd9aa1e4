import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startTestSource, type TestSource } from '../testing/test-source.ts';

const WIDGETS = { group: 'example.com', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true };
const widget = (name: string) => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name, namespace: 'shop' },
});
const REQUEST = { apiVersion: 'example.com/v1', at: 'config.toml:1' };

describe('WatchedScope', () => {
  test('is watched once when several requests find it at the same moment, for all their chains', async (t) => {
    const rig = await startTestSource(t);
    const kinds = ['widget', 'widgets', 'Widget'];
    const source = await rig.start({ requests: kinds.map((kind) => ({ ...REQUEST, kind, chains: [kind] })) });
    rig.server.addResource(WIDGETS);
    await rig.until(() => source.health().every(({ state }) => state === 'watching'), 'the widgets');
    rig.server.create(widget('w'));
    await rig.changes(1);
    await rig.until(async () => (await rig.store.balances()).length === 3, 'all chains');
    const synced = (await rig.metrics.scopeSynced.get()).values;
    assert.deepEqual(
      synced.map(({ labels, value }) => [labels['resource'], value]),
      [['example.com/v1/widgets', 1]],
    );
    await rig.stop();
    rig.server.create(widget('after the stop'));
    await rig.start();
    assert.deepEqual(
      (await rig.changesSoFar()).map(({ name }) => name),
      ['w'],
    );
  });

  test('is watched once when a kind returns as cluster-scoped, for the chains of all namespaces', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    const namespaces = ['shop', 'default'];
    const source = await rig.start({
      requests: namespaces.map((namespace) => ({ ...REQUEST, kind: 'widget', namespace, chains: [namespace] })),
    });
    rig.server.removeResource(WIDGETS);
    await rig.until(() => source.health().every(({ problem }) => /not served/.test(problem ?? '')), 'the removal');
    rig.server.addResource({ ...WIDGETS, namespaced: false });
    await rig.until(() => source.health().every(({ state }) => state === 'watching'), 'the return');
    await assertOnceForEach(rig, namespaces);
  });

  test('is watched once when a bare name comes to mean the kind of another chain', async (t) => {
    const rig = await startTestSource(t, { resources: [{ ...WIDGETS, group: 'first.example' }] });
    const source = await rig.start({
      requests: [
        { ...REQUEST, kind: 'widget', apiVersion: undefined, chains: ['bare'] },
        { ...REQUEST, kind: 'widget', chains: ['named'] },
      ],
    });
    rig.server.addResource(WIDGETS);
    await rig.until(() => source.health().every(({ state }) => state === 'watching'), 'both kinds');
    rig.server.removeResource({ ...WIDGETS, group: 'first.example' });
    const isSettled = () =>
      source.health().every(({ state, resource }) => state === 'watching' && resource === 'example.com/v1/widgets');
    await rig.until(isSettled, 'the bare name to mean the other kind');
    await assertOnceForEach(rig, ['bare', 'named']);
  });
});

/** Each change is delivered once to each chain. */
async function assertOnceForEach(rig: TestSource, chains: readonly string[]): Promise<void> {
  for (const name of ['v', 'w']) rig.server.create(widget(name));
  const changes = await rig.changes(2);
  assert.deepEqual(
    changes.map(({ name }) => name),
    ['v', 'w'],
  );
  const balances = await rig.store.balances();
  assert.deepEqual(
    balances.map(({ chain, accepted }) => `${chain} ${accepted}`).toSorted(),
    chains.map((chain) => `${chain} 2`).toSorted(),
  );
}
