import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Json } from '../../json.ts';
import type { Delivery } from '../delivery.ts';
import type { Store } from '../store.ts';
import {
  accept,
  assertBalanced,
  claim,
  claimLines,
  claimOne,
  COMPLETED,
  historyLines,
  NOW,
  openScope,
  seen,
  storeTest,
  utf8,
  withPending,
  type StoreFixture,
} from './fixture.ts';

const HANDLER = 'default/crashes';
const STATEFUL = { stateful: [HANDLER] };

function states(value: Json) {
  return { states: new Map([[HANDLER, value]]) };
}

const join = (store: Store, { id }: Delivery, group = 'shop/web') => store.join(id, group, [HANDLER]);

/** States and wake-ups of stateful handlers. */
export function memory(fixture: StoreFixture): void {
  describe('states', () => {
    storeTest(
      fixture,
      'are committed with the end of a change, and returned with the next one of its key',
      async ({ store }) => {
        const scope = await withPending(store, ['web', 'api']);
        const {
          deliveries: [web, api],
        } = await claim(store, STATEFUL);
        assert.deepEqual(web?.states, new Map());
        await store.complete(web?.id ?? 0, COMPLETED, { writes: states({ count: 1 }) });
        await store.complete(
          api?.id ?? 0,
          { kind: 'halted', by: HANDLER, reason: 'first' },
          { writes: states(['other']) },
        );
        await accept(store, scope, seen('web', 2));
        assert.deepEqual((await claimOne(store, STATEFUL)).states, new Map([[HANDLER, { count: 1 }]]));
      },
    );

    storeTest(
      fixture,
      'are replaced by replaceStates(), except those that a handler has written since',
      async ({ store }) => {
        const scope = await withPending(store, ['web', 'api']);
        const { deliveries } = await claim(store, STATEFUL);
        for (const { id, change } of deliveries) await store.complete(id, COMPLETED, { writes: states(change.name) });
        const [api, ...rest] = await store.states(undefined, 1);
        const [web, ...more] = await store.states(api, 10);
        assert.ok(api !== undefined && web !== undefined);
        assert.deepEqual([rest, more, api.text, web.text], [[], [], '"api"', '"web"']);
        await accept(store, scope, seen('web', 2));
        await store.complete((await claimOne(store, STATEFUL)).id, COMPLETED, { writes: states('since') });
        await store.replaceStates([
          { ...api, by: '"hidden"' },
          { ...web, by: '"hidden"' },
        ]);
        assert.deepEqual(new Set(await store.statesOf(HANDLER)), new Set(['hidden', 'since']));
      },
    );

    storeTest(fixture, 'are all returned by statesOf(), each as last committed', async ({ store }) => {
      const scope = await withPending(store, ['web', 'api']);
      assert.deepEqual(await store.statesOf(HANDLER), []);
      const { deliveries } = await claim(store, STATEFUL);
      for (const { id, change } of deliveries) await store.complete(id, COMPLETED, { writes: states(change.name) });
      await accept(store, scope, seen('web', 2));
      await store.complete((await claimOne(store, STATEFUL)).id, COMPLETED, { writes: states('again') });
      assert.deepEqual(new Set(await store.statesOf(HANDLER)), new Set(['again', 'api']));
      assert.deepEqual(await store.statesOf('another'), []);
    });

    storeTest(
      fixture,
      'are returned only for the handlers named in claim(), and removed by null',
      async ({ store }) => {
        const scope = await withPending(store, ['web']);
        await store.complete((await claimOne(store)).id, COMPLETED, { writes: states(7) });
        await accept(store, scope, seen('web', 2), seen('web', 3), seen('web', 4));
        const unnamed = await claimOne(store);
        assert.deepEqual(unnamed.states, new Map());
        await store.complete(unnamed.id, COMPLETED);
        const named = await claimOne(store, STATEFUL);
        assert.deepEqual(named.states, new Map([[HANDLER, 7]]));
        await store.complete(named.id, COMPLETED, { writes: states(null) });
        assert.deepEqual((await claimOne(store, STATEFUL)).states, new Map());
      },
    );

    storeTest(fixture, 'are not written when the end is refused', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      const { id } = await claimOne(store);
      await store.release(id);
      await assert.rejects(store.complete(id, COMPLETED, { writes: states(1) }));
      await store.complete((await claimOne(store)).id, COMPLETED);
      await accept(store, scope, seen('web', 2));
      assert.deepEqual((await claimOne(store, STATEFUL)).states, new Map());
    });
  });

  describe('wake-ups', () => {
    const wake = (at: number | null, key = 'shop/web') => ({ wakeUps: [{ handler: HANDLER, key, at }] });

    storeTest(fixture, 'come back as a timer when due, for their chain and handler only', async ({ store }) => {
      await withPending(store, ['web'], { chains: ['default', 'other'] });
      await store.complete((await claimOne(store)).id, COMPLETED, { writes: wake(NOW + 100) });
      assert.equal((await claim(store)).nextDueAt, NOW + 100);
      const timer = await claimOne(store, { now: NOW + 100 });
      assert.equal(timer.timerOf, HANDLER);
      const { action, key, uid, before, after, gvk } = timer.change;
      assert.deepEqual(
        { action, key, uid, before, after, kind: gvk.kind },
        { action: 'timer', key: 'shop/web', uid: 'uid-web', before: undefined, after: undefined, kind: 'Deployment' },
      );
      await store.complete(timer.id, COMPLETED);
      const { deliveries, nextDueAt } = await claim(store, { now: NOW + 1e6 });
      assert.deepEqual([deliveries, nextDueAt], [[], undefined]);
      await assertBalanced(store);
      assert.deepEqual(await claimLines(store, { chain: 'other', now: NOW + 1e6 }), ['added shop/web 1']);
    });

    storeTest(fixture, 'wait for earlier changes of their key', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      await store.complete((await claimOne(store)).id, COMPLETED, { writes: wake(NOW + 100) });
      await accept(store, scope, seen('web', 2));
      const update = await claimOne(store, { now: NOW + 200 });
      assert.equal(update.change.action, 'updated');
      await store.complete(update.id, COMPLETED);
      assert.equal((await claimOne(store, { now: NOW + 200 })).change.action, 'timer');
    });

    storeTest(fixture, 'are replaced by a later one and cancelled by null', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      await accept(store, scope, seen('web', 2), seen('web', 3));
      await store.complete((await claimOne(store)).id, COMPLETED, { writes: wake(NOW + 100) });
      await store.complete((await claimOne(store)).id, COMPLETED, { writes: wake(NOW + 500) });
      const third = await claimOne(store, { now: NOW + 100 });
      assert.equal(third.change.action, 'updated');
      assert.equal((await claim(store, { now: NOW + 100 })).nextDueAt, NOW + 500);
      await store.complete(third.id, COMPLETED, { writes: wake(null) });
      assert.equal((await claim(store, { now: NOW + 1000 })).nextDueAt, undefined);
    });

    storeTest(fixture, 'may be set for another key, and wait for its earlier changes', async ({ store }) => {
      await withPending(store, ['web', 'other']);
      const [web, other] = (await claim(store)).deliveries;
      await store.complete(web?.id ?? 0, COMPLETED, { writes: wake(NOW, 'shop/other') });
      assert.deepEqual(await claimLines(store), []);
      await store.complete(other?.id ?? 0, COMPLETED);
      assert.equal((await claimOne(store)).change.key, 'shop/other');
    });

    storeTest(fixture, 'differ in resourceVersion, so that their idempotency keys do', async ({ store }) => {
      await withPending(store, ['web']);
      await store.complete((await claimOne(store)).id, COMPLETED, { writes: wake(NOW + 1) });
      const first = await claimOne(store, { now: NOW + 1 });
      await store.complete(first.id, COMPLETED, { writes: wake(NOW + 2) });
      const second = await claimOne(store, { now: NOW + 2 });
      assert.notEqual(first.change.resourceVersion, second.change.resourceVersion);
    });

    storeTest(fixture, 'do not appear in history()', async ({ store }) => {
      await withPending(store, ['web']);
      await store.complete((await claimOne(store)).id, COMPLETED, { writes: wake(NOW) });
      await claimOne(store);
      assert.deepEqual(await historyLines(store), ['added shop/web 1']);
    });
  });

  describe('groups', () => {
    storeTest(fixture, 'share one state, and run one change at a time', async ({ store }) => {
      await withPending(store, ['web-1', 'web-2', 'api']);
      const [first, second, other] = (await claim(store, STATEFUL)).deliveries as [Delivery, Delivery, Delivery];
      assert.deepEqual(await join(store, first), { states: new Map(), freed: false });
      assert.deepEqual(await join(store, second), { states: undefined, freed: false });
      assert.deepEqual((await join(store, other, 'shop/api')).states, new Map());
      assert.deepEqual(await claimLines(store), [], 'the second waits for the first');
      assert.equal(await store.complete(first.id, COMPLETED, { writes: states({ count: 1 }) }), true);
      const next = await claimOne(store, STATEFUL);
      assert.deepEqual(
        [next.change.key, next.group, next.states],
        ['shop/web-2', 'shop/web', new Map([[HANDLER, { count: 1 }]])],
      );
      await store.complete(next.id, COMPLETED, { writes: states({ count: 2 }) });
      await store.complete(other.id, COMPLETED);
      await assertBalanced(store);
    });

    storeTest(fixture, 'hold back their members while one of them waits for a retry', async ({ store }) => {
      await withPending(store, ['web-1', 'web-2']);
      const [first, second] = (await claim(store, STATEFUL)).deliveries as [Delivery, Delivery];
      await join(store, first);
      await store.park(first.id, { until: NOW + 1_000, attempts: 1, deferredSince: undefined, reason: 'boom' });
      assert.equal((await join(store, second)).states, undefined);
      assert.deepEqual(await claimLines(store), []);
      const again = await claimOne(store, { ...STATEFUL, now: NOW + 1_000 });
      assert.deepEqual([again.change.key, again.group], ['shop/web-1', 'shop/web']);
    });

    storeTest(
      fixture,
      'free the next change of an object when the first one joins, and keep their order',
      async ({ store }) => {
        const scope = await withPending(store, ['web-1']);
        await accept(store, scope, seen('web-1', 2));
        const first = await claimOne(store);
        assert.equal((await join(store, first)).freed, true);
        const second = await claimOne(store);
        assert.equal((await join(store, second)).states, undefined);
        await store.complete(first.id, COMPLETED);
        assert.equal((await claimOne(store)).change.resourceVersion, '2');
      },
    );

    storeTest(fixture, 'share one wake-up, which is claimed with their state', async ({ store }) => {
      await withPending(store, ['web-1', 'web-2']);
      const [first, second] = (await claim(store)).deliveries as [Delivery, Delivery];
      const wake = (key: string, at: number) => ({
        ...states({ of: key }),
        wakeUps: [{ handler: HANDLER, key: `shop/${key}`, at }],
      });
      await join(store, first);
      await store.complete(first.id, COMPLETED, { writes: wake('web-1', NOW + 100) });
      await join(store, second);
      await store.complete(second.id, COMPLETED, { writes: wake('web-2', NOW + 200) });
      assert.equal((await claim(store, { now: NOW + 100 })).nextDueAt, NOW + 200);
      const timer = await claimOne(store, { ...STATEFUL, now: NOW + 200 });
      assert.deepEqual(
        [timer.change.key, timer.group, timer.states],
        ['shop/web-2', 'shop/web', new Map([[HANDLER, { of: 'web-2' }]])],
      );
    });

    storeTest(
      fixture,
      'include a replayed dead letter in its turn, and do not extend into branches',
      async ({ store }) => {
        await withPending(store, ['web-1', 'web-2']);
        const [first, second] = (await claim(store)).deliveries as [Delivery, Delivery];
        await join(store, first);
        await join(store, second);
        await store.deadLetter(first.id, { handler: HANDLER, error: 'boom', attempts: 4 });
        const next = await claimOne(store);
        await store.replay([first.id]);
        assert.deepEqual(await claimLines(store), [], 'replayed, it waits for its turn');
        await store.complete(next.id, COMPLETED, { forks: { chains: ['default/branch'] } });
        assert.equal((await claimOne(store)).group, 'shop/web');
        assert.equal((await claimOne(store, { chain: 'default/branch' })).group, undefined);
      },
    );

    /** Three of four deliveries, handed out together. */
    async function threeOfOneGroup(store: Store): Promise<readonly Delivery[]> {
      await withPending(store, ['web-1', 'web-2', 'web-3', 'web-4']);
      const { deliveries } = await claim(store);
      for (const delivery of deliveries) await join(store, delivery);
      await store.release(deliveries[0]?.id ?? 0);
      return (await claim(store, { ...STATEFUL, limit: 1, behind: 2 })).deliveries;
    }

    storeTest(fixture, 'are handed out in order, as many as requested, and completed together', async ({ store }) => {
      const deliveries = await threeOfOneGroup(store);
      assert.deepEqual(
        deliveries.map(({ change, isBehind }) => [change.key, isBehind]),
        [
          ['shop/web-1', false],
          ['shop/web-2', true],
          ['shop/web-3', true],
        ],
      );
      assert.deepEqual(await claimLines(store), [], 'they are under way');
      const [first, second, third] = deliveries.map(({ id }) => id) as [number, number, number];
      const halted = { kind: 'halted', by: HANDLER, reason: 'known' } as const;
      const ends = [first, second].map((delivery) => ({ delivery, end: halted }));
      await store.completeAll(ends, states({ count: 2 }), third);
      await store.release(third);
      const next = await claimOne(store, STATEFUL);
      assert.deepEqual([next.id, next.states], [third, new Map([[HANDLER, { count: 2 }]])]);
      await store.completeAll([{ delivery: third, end: COMPLETED }], states({ count: 3 }), undefined);
      assert.equal((await claimOne(store, STATEFUL)).change.key, 'shop/web-4');
      await assertBalanced(store);
    });

    storeTest(fixture, 'are handed out in smaller numbers when their manifests are large', async ({ store }) => {
      const body = utf8(JSON.stringify({ data: 'x'.repeat(1.5 * 1024 ** 2) }));
      await accept(store, await openScope(store), ...['a', 'b', 'c'].map((name) => seen(name, 1, { body })));
      const [first] = (await claim(store, { limit: 1 })).deliveries as [Delivery];
      await join(store, first);
      for (const delivery of (await claim(store)).deliveries) await join(store, delivery);
      await store.release(first.id);
      const { deliveries } = await claim(store, { behind: 2 });
      assert.deepEqual(
        deliveries.map(({ change }) => change.name),
        ['a', 'b'],
      );
    });

    storeTest(fixture, 'make released members wait again for the one before them', async ({ store }) => {
      const [first, ...behind] = (await threeOfOneGroup(store)) as [Delivery, ...Delivery[]];
      for (const { id } of behind) await store.release(id);
      assert.deepEqual(await claimLines(store), []);
      await store.complete(first.id, COMPLETED);
      assert.equal((await claimOne(store)).change.key, 'shop/web-2');
    });

    storeTest(fixture, 'are completed together or not at all', async ({ store }) => {
      const [first, second, third] = (await threeOfOneGroup(store)) as [Delivery, Delivery, Delivery];
      await store.release(second.id);
      const ends = [first, second].map(({ id }) => ({ delivery: id, end: COMPLETED }));
      await assert.rejects(store.completeAll(ends, states({ count: 2 }), third.id), /not claimed/);
      await store.release(third.id);
      await store.release(first.id);
      const again = await claimOne(store, STATEFUL);
      assert.deepEqual([again.id, again.states], [first.id, new Map()]);
    });

    storeTest(fixture, 'accept only claimed deliveries', async ({ store }) => {
      await withPending(store, ['web']);
      const delivery = await claimOne(store);
      await store.release(delivery.id);
      await assert.rejects(join(store, delivery), /not claimed/);
    });
  });
}
