import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startTestSource } from '../testing/test-source.ts';

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
});
