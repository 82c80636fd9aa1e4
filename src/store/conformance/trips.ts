import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { DeliveryTrip } from '../looking-back.ts';
import type { Store } from '../store.ts';
import { accept, claim, claimOne, COMPLETED, NOW, seen, storeTest, withPending, type StoreFixture } from './fixture.ts';

/** The trips of the store's first change, by chain. */
async function tripsByChain(store: Store): Promise<ReadonlyMap<string, DeliveryTrip>> {
  const [change] = await store.history({ limit: 1 });
  const trip = await store.trip(change?.id ?? 0);
  return new Map(trip?.deliveries.map((delivery) => [delivery.chain, delivery]));
}

const outcomes = ({ failures }: DeliveryTrip) =>
  failures.map(({ outcome, attempt, error, times }) => `${outcome} ${attempt}: ${error} x${times}`);

export function trips(fixture: StoreFixture): void {
  describe('trip()', () => {
    storeTest(fixture, 'returns the state of a change in each chain, and which handler ended it', async ({ store }) => {
      await withPending(store, ['web'], { chains: ['done', 'halted', 'dead', 'waiting', 'parked'] });
      const one = async (chain: string) => (await claimOne(store, { chain })).id;
      await store.complete(await one('done'), COMPLETED);
      await store.complete(await one('halted'), { kind: 'halted', by: 'halted/diff', reason: 'no difference' });
      const dying = await one('dead');
      await store.checkpoint(dying, 'dead/log');
      await store.deadLetter(dying, { handler: 'dead/slack', error: 'HTTP 404', attempts: 1 });
      await store.park(await one('parked'), { until: NOW + 5, attempts: 0, deferredSince: undefined, reason: 'rate' });
      const [change] = await store.history({ limit: 1 });
      const trip = await store.trip(change?.id ?? 0);
      assert.equal(trip?.change.key, 'shop/web');
      assert.deepEqual(
        trip.deliveries.map(({ chain, state, handler, reason, endedAt, dueAt, delivered }) => {
          return { chain, state, handler, reason, endedAt, dueAt, delivered };
        }),
        [
          ['done', 'completed', undefined, undefined, NOW, undefined, []],
          ['halted', 'halted', 'halted/diff', 'no difference', NOW, undefined, []],
          ['dead', 'dead', 'dead/slack', 'HTTP 404', NOW, undefined, ['dead/log']],
          ['waiting', 'ready', undefined, undefined, undefined, undefined, []],
          ['parked', 'parked', undefined, 'rate', undefined, NOW + 5, []],
        ].map(([chain, state, handler, reason, endedAt, dueAt, delivered]) => {
          return { chain, state, handler, reason, endedAt, dueAt, delivered };
        }),
      );
      assert.equal(await store.trip((change?.id ?? 0) + 1), undefined);
    });

    storeTest(fixture, 'says until when a change waits for others, but not after its end', async ({ store }) => {
      await withPending(store, ['web']);
      const wait = { until: NOW, attempts: 0, deferredSince: undefined, reason: 'waits' };
      await store.park((await claimOne(store)).id, { ...wait, gather: { handler: 'default/slack' } });
      assert.equal((await tripsByChain(store)).get('default')?.dueAt, NOW);
      const { batch } = await claim(store, { batch: true });
      await store.complete(batch?.deliveries[0]?.id ?? 0, COMPLETED);
      assert.equal((await tripsByChain(store)).get('default')?.dueAt, undefined);
    });

    storeTest(
      fixture,
      'lists each failed attempt, and equal deferrals in a row as one with a count',
      async ({ store }) => {
        await withPending(store, ['web']);
        const park = async (
          attempts: number,
          error: string,
          outcome: 'failed' | 'deferred' | undefined,
          handler = 'default/slack',
        ) => {
          const { id } = await claimOne(store);
          const failure = outcome === undefined ? undefined : { handler, outcome };
          await store.park(id, { until: NOW, attempts, deferredSince: undefined, reason: error, failure });
        };
        await park(1, 'HTTP 500', 'failed');
        await park(1, 'refused', 'deferred');
        await park(1, 'refused', 'deferred');
        await park(1, 'refused', 'deferred', 'default/teams');
        await park(1, 'our own rate', undefined);
        await park(2, 'HTTP 500', 'failed');
        await store.deadLetter((await claimOne(store)).id, {
          handler: 'default/slack',
          error: 'HTTP 404',
          attempts: 3,
        });
        const trip = (await tripsByChain(store)).get('default');
        assert.ok(trip);
        assert.deepEqual(outcomes(trip), [
          'failed 1: HTTP 500 x1',
          'deferred 2: refused x2',
          'deferred 2: refused x1',
          'failed 2: HTTP 500 x1',
          'dead 3: HTTP 404 x1',
        ]);
        assert.ok(trip.failures.every(({ at, lastAt }) => at === NOW && lastAt === NOW));
      },
    );

    storeTest(fixture, 'keeps earlier failures after a replay and a discard', async ({ store }) => {
      await withPending(store, ['web']);
      const death = { handler: 'default/slack', error: 'HTTP 404', attempts: 1 };
      const { id } = await claimOne(store);
      await store.deadLetter(id, death);
      await store.replay([id]);
      const replayed = (await tripsByChain(store)).get('default');
      assert.deepEqual([replayed?.state, replayed?.replayed, replayed?.reason], ['ready', true, undefined]);
      await store.deadLetter((await claimOne(store)).id, death);
      await store.discard([id]);
      const trip = (await tripsByChain(store)).get('default');
      assert.equal(trip?.state, 'discarded');
      assert.deepEqual(outcomes(trip), ['dead 1: HTTP 404 x1', 'dead 1: HTTP 404 x1']);
    });

    storeTest(fixture, 'shows which changes were merged, and into which one', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      await accept(store, scope, seen('web', 2), seen('web', 3));
      const { deliveries } = await claim(store, { now: NOW + 10_000, coalesce: true });
      await store.complete(deliveries[0]?.id ?? 0, COMPLETED);
      const [first, second, third] = await store.history({ limit: 3 });
      const tripOf = async (id: number | undefined) => (await store.trip(id ?? 0))?.deliveries[0];
      const told = await tripOf(first?.id);
      assert.deepEqual([told?.state, told?.mergedUpTo], ['completed', third?.id]);
      const merged = await tripOf(second?.id);
      assert.deepEqual([merged?.state, merged?.reason], ['superseded', `merged into change ${first?.id}`]);
    });

    storeTest(
      fixture,
      'shows a delivery blocked by an earlier change, and is pruned with the change',
      async ({ store }) => {
        const scope = await withPending(store, ['web']);
        await accept(store, scope, seen('web', 2));
        const [, second] = await store.history({ limit: 2 });
        assert.equal((await store.trip(second?.id ?? 0))?.deliveries[0]?.state, 'blocked');
        for (let n = 0; n < 2; n++)
          for (const { id } of (await claim(store)).deliveries) await store.complete(id, COMPLETED);
        assert.equal(await store.prune({ maxAgeMs: 0, maxBytes: 0 }, NOW + 1), 2);
        assert.equal(await store.trip(second?.id ?? 0), undefined);
      },
    );
  });
}
