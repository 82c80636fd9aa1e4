/** The changes that a reflector reports, each test under its number in the list of what it must do (`10.x`), through the source's public interface. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { actions, configMap, startTestSource, watches } from '../testing/test-source.ts';

describe('reported changes', () => {
  test('10.11 the changes of one object come in the order of the cluster', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    rig.server.create(configMap('a', { n: '0' }));
    for (let n = 1; n < 50; n++) rig.server.update(configMap('a', { n: String(n) }));
    const changes = await rig.changes(50);
    assert.deepEqual(
      changes.map(({ after }) => after?.['data']),
      Array.from({ length: 50 }, (_, n) => ({ n: String(n) })),
    );
  });

  test('10.12 a listener is also told of what a list found; changes are counted by action', async (t) => {
    const rig = await startTestSource(t);
    const told: (readonly string[])[] = [];
    for (const name of ['kept', 'again']) rig.server.create(configMap(name));
    await rig.start({ onAccepted: (chains) => told.push(chains) });
    await rig.server.restart(() => {
      rig.server.update(configMap('kept', { a: '1' }));
      rig.server.delete('ConfigMap', 'again', 'shop');
      rig.server.create(configMap('again'));
      rig.server.compact();
    });
    await rig.changes(3);
    await rig.until(() => told.length > 0, 'the listener');
    assert.deepEqual(told, [['default']]);
    rig.server.create(configMap('new'));
    rig.server.update(configMap('new', { a: '1' }));
    rig.server.delete('ConfigMap', 'new', 'shop');
    await rig.changes(6);
    const { values } = await rig.metrics.changes.get();
    const counts = Object.fromEntries(values.map(({ labels, value }) => [labels.action, value]));
    assert.deepEqual(counts, { added: 2, updated: 2, deleted: 2 });
  });

  test('10.12 a listener that throws stops neither the watch nor what comes after', async (t) => {
    const rig = await startTestSource(t);
    await rig.start({
      onAccepted: () => {
        throw new Error('not today');
      },
    });
    rig.server.create(configMap('a'));
    await rig.changes(1);
    rig.server.create(configMap('b'));
    assert.deepEqual(actions(await rig.changes(2)), ['added a', 'added b']);
    assert.equal(watches(rig).length, 1);
  });

  test('10.14 managedFields are cut before the store, and name who made the change', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    rig.server.create(configMap('a', { key: 'value' }), { manager: 'kubectl-create' });
    const [change] = await rig.changes(1);
    assert.equal(change?.after?.metadata['managedFields'], undefined);
    assert.equal(change?.by[0]?.manager, 'kubectl-create');
  });

  test('10.14 an update of fields that no chain reads is noise: counted, not stored', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('a'));
    await rig.start({ requests: [{ interest: { except: ['metadata.labels'] } }] });
    rig.server.update(configMap('a', {}, { labels: { noise: 'yes' } }));
    assert.deepEqual(await rig.changesSoFar(), []);
    assert.equal((await rig.metrics.noise.get()).values[0]?.value, 1);
  });

  test('10.16 stop() ends a wait, an unanswered request and a watch alike, is idempotent, and nothing follows', async (t) => {
    const rig = await startTestSource(t);
    const stopped = async () => {
      const before = rig.streamRequests.length;
      await Promise.all([rig.source().stop(), rig.source().stop()]);
      await rig.clock.advance(600_000);
      assert.equal(rig.streamRequests.length, before);
      assert.equal(rig.source().health()[0]?.state, 'stopped');
    };
    await rig.start();
    await stopped();
    const hangs = rig.server.fault({ effect: 'hang', watch: true });
    await rig.start({ settle: false });
    await rig.until(() => hangs.hits === 1, 'the request');
    await stopped();
    hangs.remove();
    const fails = rig.server.fault({ effect: 'status', status: 500, watch: true });
    await rig.start({ settle: false });
    await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the second failure');
    await stopped();
    assert.ok(fails.hits >= 2);
    assert.deepEqual(await rig.store.history({ limit: 1 }), []);
  });
});
