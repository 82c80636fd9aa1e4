import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  accept,
  assertBalanced,
  BASIS,
  claim,
  claimOne,
  COMPLETED,
  firstList,
  historyLines,
  NOW,
  openScope,
  seen,
  SPEC,
  storeTest,
  withPending,
  type StoreFixture,
} from './fixture.ts';

/** What survives a restart. */
export function durability(fixture: StoreFixture): void {
  describe('after a restart', () => {
    storeTest(fixture, 'baseline, cursor and basis are kept', async ({ store, reopen }) => {
      const scope = await openScope(store);
      await store.accept(firstList(scope, [seen('web', 1)]));
      await store.accept({ scope, observations: [], cursor: '150' });
      const again = await reopen();
      assert.deepEqual(await again.openScope(SPEC), { id: scope, cursor: '150', basis: BASIS, objects: 1 });
      assert.equal(await accept(again, scope, seen('web', 1)), 0);
      assert.equal(await accept(again, scope, seen('web', 2)), 1);
    });

    storeTest(fixture, 'claimed deliveries are handed out again, with their checkpoints', async ({ store, reopen }) => {
      const scope = await withPending(store, ['web']);
      await accept(store, scope, seen('web', 2));
      const { id } = await claimOne(store);
      await store.checkpoint(id, 'default/slack');
      const again = await reopen();
      const delivery = await claimOne(again);
      assert.deepEqual([delivery.id, delivery.delivered, delivery.attempts], [id, ['default/slack'], 0]);
      assert.equal(delivery.perhapsSent, true);
      await again.complete(id, COMPLETED);
      const successor = await claimOne(again);
      assert.deepEqual([successor.change.resourceVersion, successor.perhapsSent], ['2', false]);
    });

    storeTest(
      fixture,
      'a delivery that may have been sent is not merged with later ones',
      async ({ store, reopen }) => {
        const scope = await withPending(store, ['web']);
        await claimOne(store);
        for (const replicas of [2, 3]) await accept(store, scope, seen('web', replicas));
        const again = await reopen();
        const late = { now: NOW + 10_000, coalesce: true };
        const { id, change } = await claimOne(again, late);
        assert.equal(change.resourceVersion, '1', 'under its own key');
        await again.complete(id, COMPLETED);
        const { change: rest } = await claimOne(again, late);
        assert.deepEqual([rest.before?.['spec'], rest.after?.['spec']], [{ replicas: 1 }, { replicas: 3 }]);
      },
    );

    storeTest(fixture, 'what may have been sent is known as such over any number of restarts', async (opened) => {
      const { store, reopen } = opened;
      await withPending(store, ['interrupted', 'together', 'waiting']);
      const [interrupted, together, waiting] = (await claim(store)).deliveries.map(({ id }) => id);
      const park = { until: NOW + 1000, attempts: 0, deferredSince: undefined, reason: 'r' };
      const gather = { handler: 'default/slack' };
      for (const id of [together, waiting]) await store.park(id ?? 0, { ...park, gather });
      await store.release(interrupted ?? 0, true);
      await store.fixBatch([together ?? 0]);
      const second = await reopen();
      await second.park((await claimOne(second)).id, park);
      const third = await reopen();
      const perhapsSent: string[] = [];
      for (let n = 0; n < 2; n++) {
        const { deliveries, batch } = await claim(third, { now: NOW + 1000, batch: true });
        const claimed = [...deliveries, ...(batch?.deliveries ?? [])];
        perhapsSent.push(...claimed.filter((one) => one.perhapsSent).map(({ change }) => change.name));
      }
      assert.deepEqual(perhapsSent, ['interrupted', 'together']);
    });

    storeTest(fixture, 'parked deliveries keep waiting', async ({ store, reopen }) => {
      await withPending(store, ['web']);
      const park = { until: NOW + 1000, attempts: 2, deferredSince: NOW, reason: 'r' };
      await store.park((await claimOne(store)).id, park);
      const again = await reopen();
      assert.equal((await claim(again)).nextDueAt, NOW + 1000);
      assert.equal((await claimOne(again, { now: NOW + 1000 })).attempts, 2);
    });

    storeTest(
      fixture,
      'states, wake-ups, dead letters, facts, history and counters are kept',
      async ({ store, reopen }) => {
        const scope = await withPending(store, ['web', 'api']);
        const {
          deliveries: [web, api],
        } = await claim(store);
        const writes = { states: new Map([['h', 1]]), wakeUps: [{ handler: 'h', key: 'shop/web', at: NOW + 5 }] };
        await store.complete(web?.id ?? 0, COMPLETED, { writes });
        await store.deadLetter(api?.id ?? 0, { handler: 'h', error: 'e', attempts: 1 });
        await store.setFact('cluster', 'c');
        const balances = await store.balances();
        const again = await reopen();
        assert.deepEqual(await again.balances(), balances);
        assert.deepEqual(await historyLines(again), ['added shop/web 1', 'added shop/api 1']);
        assert.equal((await again.deadLetters({ limit: 10 }))[0]?.id, api?.id);
        assert.equal(await again.getFact('cluster'), 'c');
        const timer = await claimOne(again, { now: NOW + 5, stateful: ['h'] });
        assert.deepEqual([timer.timerOf, timer.states], ['h', new Map([['h', 1]])]);
        assert.equal(await accept(again, scope, seen('api', 2)), 1);
        await assertBalanced(again);
      },
    );
  });
}
