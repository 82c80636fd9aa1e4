import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { editsOf } from '../../change/edits.ts';
import { withNote } from '../../change/lazy-change.ts';
import {
  accept,
  assertBalanced,
  claim,
  claimOne,
  COMPLETED,
  gone,
  historyLines,
  NOW,
  openScope,
  seen,
  storeTest,
  withPending,
  type StoreFixture,
} from './fixture.ts';

const DEATH = { handler: 'default/slack', error: 'HTTP 404 of hooks.example', attempts: 4 };

export function forgetting(fixture: StoreFixture): void {
  describe('forget()', () => {
    storeTest(fixture, 'removes ended changes, and none that a delivery or dead letter needs', async ({ store }) => {
      await withPending(store, ['dead', 'parked', 'done', 'halted', 'claimed']);
      const [dead, parked, done, halted] = (await claim(store)).deliveries.map(({ id }) => id) as [
        number,
        number,
        number,
        number,
      ];
      await store.deadLetter(dead, DEATH);
      await store.park(parked, { until: NOW + 1e9, attempts: 1, deferredSince: undefined, reason: 'r' });
      await store.complete(done, COMPLETED);
      await store.complete(halted, { kind: 'halted', by: 'default/match', reason: 'none' });
      const before = await store.balances();
      const all = (await store.history({ limit: 10 })).map(({ id }) => id);
      const ended = all.slice(2, 4);
      assert.deepEqual(await store.ended({}), ended);
      assert.deepEqual(await store.forget(all), ended);
      assert.deepEqual(await historyLines(store), ['added shop/dead 1', 'added shop/parked 1', 'added shop/claimed 1']);
      assert.equal(await store.trip(ended[0] ?? 0), undefined);
      assert.deepEqual(await store.forget(ended), [], 'once');
      assert.deepEqual(await store.balances(), before);
    });

    storeTest(fixture, 'leaves the baseline, and the bytes that it shares', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      await store.complete((await claimOne(store)).id, COMPLETED);
      await store.forget(await store.ended({}));
      await accept(store, scope, gone('web', 2));
      const { id, change } = await claimOne(store);
      assert.deepEqual(change.before?.['spec'], { replicas: 1 });
      await store.complete(id, COMPLETED);
      await store.forget(await store.ended({}));
      assert.deepEqual(await store.manifests(0, 10), [], 'unreferenced manifests are removed');
    });

    storeTest(fixture, 'no longer counts forgotten changes towards the retention size', async ({ store }) => {
      await withPending(store, ['a', 'b']);
      for (const { id } of (await claim(store)).deliveries) await store.complete(id, COMPLETED);
      const [first] = await store.ended({});
      await store.forget([first ?? 0]);
      const left = { maxAgeMs: 1e9, maxBytes: 1_000 };
      assert.equal(await store.prune(left, NOW), 0, 'one of the two is within 1,000 bytes');
      assert.equal(await store.prune({ ...left, maxBytes: 0 }, NOW), 1);
    });
  });

  describe('ended()', () => {
    storeTest(fixture, 'filters by age, resource, namespace and name', async ({ store }) => {
      const scope = await openScope(store);
      await accept(store, scope, seen('web', 1), seen('web-2', 1), seen('x', 1, { key: 'other/x' }));
      await withPending(store, ['web'], { group: '', resource: 'services', kind: 'Service' });
      for (const { id } of (await claim(store)).deliveries) await store.complete(id, COMPLETED);
      const count = async (query: Parameters<typeof store.ended>[0]) => (await store.ended(query)).length;
      assert.equal(await count({ observedBefore: NOW }), 0);
      assert.equal(await count({ observedBefore: NOW + 1 }), 4);
      assert.equal(await count({ group: '', resource: 'services' }), 1);
      assert.equal(await count({ namespace: 'shop' }), 3);
      assert.equal(await count({ name: 'web*', group: 'apps' }), 2);
    });
  });

  describe('discard() with withChanges', () => {
    storeTest(
      fixture,
      'removes changes that no other delivery needs, and keeps the counters balanced',
      async ({ store }) => {
        await withPending(store, ['alone', 'shared'], { chains: ['default', 'slow'] });
        for (const { id } of (await claim(store)).deliveries) await store.deadLetter(id, DEATH);
        const [alone] = (await claim(store, { chain: 'slow' })).deliveries;
        await store.complete(alone?.id ?? 0, COMPLETED);
        const ids = (await store.deadLetters({ limit: 10 })).map(({ id }) => id);
        assert.deepEqual(await store.discard([...ids, 777], { withChanges: true }), ids);
        assert.deepEqual(await historyLines(store), ['added shop/shared 1']);
        const [{ dead, discarded, pending } = {}] = await assertBalanced(store);
        assert.deepEqual([dead, discarded, pending], [0, 2, 0]);
      },
    );

    storeTest(fixture, 'leaves the baseline, and the bytes that it shares', async ({ store }) => {
      const scope = await withPending(store, ['web'], { chains: ['default', 'slow'] });
      for (const chain of ['default', 'slow']) await store.deadLetter((await claimOne(store, { chain })).id, DEATH);
      const ids = (await store.deadLetters({ limit: 10 })).map(({ id }) => id);
      await store.discard(ids, { withChanges: true });
      assert.deepEqual(await historyLines(store), []);
      await accept(store, scope, gone('web', 2));
      assert.deepEqual((await claimOne(store)).change.before?.['spec'], { replicas: 1 });
    });

    storeTest(fixture, 'no longer counts discarded changes towards the retention size', async ({ store }) => {
      await withPending(store, ['dead', 'done']);
      const [dead, done] = (await claim(store)).deliveries;
      await store.deadLetter(dead?.id ?? 0, DEATH);
      await store.complete(done?.id ?? 0, COMPLETED);
      await store.discard([dead?.id ?? 0], { withChanges: true });
      assert.equal(await store.prune({ maxAgeMs: 1e9, maxBytes: 0 }, NOW), 1);
    });

    storeTest(
      fixture,
      'removes the changes that a merged dead letter reports and its edits, but not superseded ones',
      async ({ store }) => {
        const scope = await withPending(store, ['web']);
        await accept(store, scope, seen('web', 2), seen('web', 3));
        const { id, change, edited } = await claimOne(store, { coalesce: true, now: NOW + 60_000 });
        assert.equal(change.flags.compacted, true);
        const told = withNote(change, 'deadLetter', { ...DEATH, id, chain: 'default' });
        await store.deadLetter(id, DEATH, { chains: ['ops'], edits: editsOf(change, told, edited) });
        await store.complete((await claimOne(store, { chain: 'ops' })).id, COMPLETED);
        await store.discard([id], { withChanges: true });
        assert.deepEqual(await historyLines(store), ['updated shop/web 2'], 'a superseded change stays in the history');
        assert.deepEqual(await store.edits(0, 10), []);
        await assertBalanced(store);
      },
    );
  });

  describe('deadLetters() with filters', () => {
    storeTest(fixture, 'filters by namespace and name', async ({ store }) => {
      const scope = await openScope(store);
      await accept(store, scope, seen('web', 1), seen('x', 1, { key: 'other/x' }));
      for (const { id } of (await claim(store)).deliveries) await store.deadLetter(id, DEATH);
      const keys = async (query: Omit<Parameters<typeof store.deadLetters>[0], 'limit'>) =>
        (await store.deadLetters({ limit: 10, ...query })).map(({ change }) => change.key).join(' ');
      assert.equal(await keys({ namespace: 'sh*', diedBefore: NOW + 1 }), 'shop/web');
      assert.equal(await keys({ name: 'x', handler: DEATH.handler, group: 'apps' }), 'other/x');
      assert.equal(await keys({ name: 'x', diedBefore: NOW }), '');
    });
  });
}
