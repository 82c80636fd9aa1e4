import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../store/store.ts';
import { countOf, sink, startTestChain, storeWith } from '../testing/test-chain.ts';

test('a change that was running in three crashes in a row becomes a dead letter before it is tried again', async (t) => {
  const told: string[] = [];
  /** Like the store of a process that died three times with `poison`. */
  const withCrashes = (store: Store): Store =>
    storeWith(store, {
      async claim(request) {
        const claimed = await store.claim(request);
        const crashes = (name: string) => (name === 'poison' ? 3 : 2);
        return {
          ...claimed,
          deliveries: claimed.deliveries.map((one) => ({ ...one, crashes: crashes(one.change.name) })),
        };
      },
    });
  const chain = await startTestChain(t, {
    handlers: [sink('slack', ({ name }) => Promise.resolve(void told.push(name)))],
    wrapStore: withCrashes,
  });
  await chain.accept('shop/poison', 'shop/fine');
  await chain.runner.idle();
  assert.deepEqual(told, ['fine']);
  const [letter] = await chain.store.deadLetters({ limit: 10 });
  assert.deepEqual([letter?.change.name, letter?.handler, letter?.attempts], ['poison', 'default/slack', 0]);
  assert.match(letter?.error ?? '', /^set aside: it was being worked on during 3 crashes in a row$/);
  assert.equal(await countOf(chain.metrics, 'ends_total', { end: 'dead' }), 1);
});
