/** Whole lists when the list or the store is faulty. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../store/store.ts';
import { configMap, startTestSource, type TestSource } from '../testing/test-source.ts';

const summaries = (changes: readonly { action: string; name: string }[]) =>
  changes.map(({ action, name }) => `${action} ${name}`);

/** The store, except that accepting a whole list fails while the condition holds. */
function refusing(store: Store, isFull: () => boolean): Store {
  return new Proxy(store, {
    get: (target, name: keyof Store) =>
      name === 'accept'
        ? (batch: Parameters<Store['accept']>[0]) =>
            isFull() && batch.basis !== undefined ? Promise.reject(new Error('disk full')) : target.accept(batch)
        : target[name].bind(target),
  });
}

function expire({ server }: TestSource): void {
  server.fault({ effect: 'errorEvent', status: 410, times: 1, watch: true });
}

describe('a list', () => {
  test('that the store refuses has no effect: objects missing from the next list are not reported', async (t) => {
    const rig = await startTestSource(t);
    let isFull = false;
    const names = Array.from({ length: 600 }, (_, i) => `c-${String(i).padStart(3, '0')}`);
    await rig.start({ store: refusing(rig.store, () => isFull) });
    await rig.stop();
    for (const name of names) rig.server.create(configMap(name));
    rig.server.compact();
    isFull = true;
    const source = await rig.start({ store: refusing(rig.store, () => isFull), settle: false });
    await rig.until(() => /disk full/.test(source.health()[0]?.problem ?? ''), 'the refusal');
    for (const name of names.slice(1)) rig.server.delete('ConfigMap', name, 'shop');
    isFull = false;
    await rig.until(() => source.health()[0]?.state === 'watching', 'the recovery');
    assert.deepEqual(summaries(await rig.changesSoFar()), ['added c-000']);
  });

  test('with an item that cannot be read deletes nothing', async (t) => {
    const rig = await startTestSource(t);
    for (const name of ['a', 'b']) rig.server.create(configMap(name));
    await rig.start();
    rig.server.putAll([configMap('b', {}, { uid: '' })]);
    expire(rig);
    await rig.until(() => rig.streamRequests.filter(({ watch }) => !watch).length === 2, 'the second list');
    await rig.until(() => rig.source().health()[0]?.state === 'watching', 'the watch after it');
    assert.deepEqual(summaries(await rig.changesSoFar()), []);
  });
});

describe('stop()', () => {
  test(
    'ends even if the store refuses everything, and the next start reports what was refused',
    { timeout: 20_000 },
    async (t) => {
      const rig = await startTestSource(t);
      let isFull = false;
      const store = new Proxy(rig.store, {
        get: (target, name: keyof Store) =>
          name === 'accept' && isFull ? () => Promise.reject(new Error('disk full')) : target[name].bind(target),
      });
      await rig.start({ store });
      isFull = true;
      rig.server.create(configMap('a'));
      expire(rig);
      await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the refusal');
      await rig.stop();
      await rig.start();
      assert.deepEqual(summaries(await rig.changes(1)), ['added a']);
    },
  );
});
