import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { ParkRequest } from '../delivery.ts';
import type { Store } from '../store.ts';
import {
  accept,
  assertBalanced,
  claim,
  claimLines,
  claimOne,
  COMPLETED,
  line,
  NOW,
  openScope,
  seen,
  storeTest,
  utf8,
  withPending,
  type StoreFixture,
} from './fixture.ts';

const SLACK = 'default/slack';

function waiting(until: number, more: Partial<ParkRequest> = {}): ParkRequest {
  return { until, attempts: 0, deferredSince: undefined, reason: 'waits', gather: { handler: SLACK }, ...more };
}

/** One `added` per name, all waiting at the sink. */
async function gathered(store: Store, names: readonly string[], until = NOW + 1000): Promise<number> {
  const scope = await withPending(store, names);
  for (const { id } of (await claim(store, { limit: 5000 })).deliveries) await store.park(id, waiting(until));
  return scope;
}

const batchOf = async (store: Store, now = NOW + 1000) => (await claim(store, { now, batch: true })).batch;

/** Deliveries that wait at a sink to be sent together. */
export function batches(fixture: StoreFixture): void {
  describe('batches', () => {
    storeTest(
      fixture,
      'are handed out when their first member is due, and only to claims that ask for one',
      async ({ store }) => {
        const scope = await gathered(store, ['a', 'b']);
        await accept(store, scope, seen('c', 1));
        await store.park((await claimOne(store)).id, waiting(NOW + 9000));
        const early = await claim(store, { now: NOW + 999, batch: true });
        assert.deepEqual([early.batch, early.hasGathered, early.nextDueAt], [undefined, true, NOW + 1000]);
        const other = await claim(store, { now: NOW + 1000 });
        assert.deepEqual([other.deliveries, other.batch, other.nextDueAt], [[], undefined, undefined]);
        const batch = await batchOf(store);
        assert.deepEqual(
          [batch?.handler, batch?.id, batch?.deliveries.map(({ change }) => line(change))],
          [SLACK, undefined, ['added shop/a 1', 'added shop/b 1', 'added shop/c 1']],
        );
        assert.equal(await batchOf(store), undefined);
      },
    );

    storeTest(fixture, 'hold back the successors of their members, and nothing else', async ({ store }) => {
      const scope = await gathered(store, ['a']);
      await accept(store, scope, seen('a', 2), seen('b', 1));
      assert.deepEqual(await claimLines(store), ['added shop/b 1']);
      const [a] = (await batchOf(store))?.deliveries ?? [];
      await store.checkpointAll([a?.id ?? 0], SLACK);
      await store.complete(a?.id ?? 0, COMPLETED);
      assert.deepEqual(await claimLines(store), ['updated shop/a 2']);
      await assertBalanced(store);
    });

    storeTest(fixture, 'keep their members once fixed, apart from deliveries released before', async ({ store }) => {
      const scope = await gathered(store, ['a', 'b', 'c']);
      const [a, b, c] = (await batchOf(store))?.deliveries ?? [];
      assert.ok(a && b && c);
      await store.release(c.id);
      const id = await store.fixBatch([a.id, b.id]);
      await store.park(b.id, waiting(NOW + 5000, { attempts: 1, gather: { handler: SLACK, batch: id } }));
      await store.park(a.id, waiting(NOW + 5000, { attempts: 1, gather: { handler: SLACK, batch: id } }));
      await accept(store, scope, seen('d', 1));
      await store.park((await claimOne(store)).id, waiting(NOW));
      const rest = await batchOf(store);
      assert.deepEqual([rest?.id, rest?.deliveries.map(({ change }) => change.name)], [undefined, ['c', 'd']]);
      const again = await batchOf(store, NOW + 5000);
      assert.deepEqual(
        [again?.id, again?.deliveries.map(({ change, attempts }) => `${change.name} ${attempts}`)],
        [id, ['a 1', 'b 1']],
      );
    });

    storeTest(fixture, 'lose members that are parked to be alone from then on', async ({ store }) => {
      await gathered(store, ['a', 'b']);
      const [a, b] = (await batchOf(store))?.deliveries ?? [];
      assert.ok(a && b);
      await store.fixBatch([a.id, b.id]);
      for (const { id } of [a, b]) await store.park(id, waiting(NOW, { gather: undefined, isAlone: true }));
      const alone = await claim(store, { now: NOW, batch: true });
      const seenAs = alone.deliveries.map(({ change, isAlone }) => [change.name, isAlone]);
      assert.deepEqual(
        [alone.batch, seenAs],
        [
          undefined,
          [
            ['a', true],
            ['b', true],
          ],
        ],
      );
      await store.park(a.id, waiting(NOW, { gather: undefined }));
      assert.equal((await claimOne(store)).isAlone, true, 'also after another wait');
    });

    storeTest(fixture, 'are split when their manifests are large', async ({ store }) => {
      const scope = await openScope(store);
      const body = utf8(JSON.stringify({ data: 'x'.repeat(1024 * 1024) }));
      for (let n = 0; n < 20; n++) {
        await accept(store, scope, seen(`big-${n}`, 1, { body }));
        await store.park((await claimOne(store)).id, waiting(NOW));
      }
      assert.equal((await batchOf(store))?.deliveries.length, 15);
      assert.equal((await batchOf(store))?.deliveries.length, 5);
    });
  });

  if (!fixture.durable) return;
  describe('batches after a restart', () => {
    storeTest(
      fixture,
      'do not include what was interrupted: a receiver may have it by itself',
      async ({ store, reopen }) => {
        await withPending(store, ['a', 'b']);
        const [a] = (await claim(store)).deliveries;
        await store.release(a?.id ?? 0, true);
        const { deliveries } = await claim(await reopen());
        const seenAs = deliveries.map(({ change, isAlone }) => [change.name, isAlone]);
        assert.deepEqual(seenAs, [
          ['a', true],
          ['b', false],
        ]);
      },
    );

    storeTest(fixture, 'keep their members when they were interrupted', async ({ store, reopen }) => {
      await gathered(store, ['a', 'b']);
      const [a, b] = (await batchOf(store))?.deliveries ?? [];
      assert.ok(a && b);
      const id = await store.fixBatch([a.id, b.id]);
      for (const member of [a, b]) await store.release(member.id, true);
      const batch = await batchOf(await reopen());
      assert.deepEqual([batch?.id, batch?.deliveries.length], [id, 2]);
    });

    storeTest(fixture, 'are as they were, fixed or not, with their checkpoints', async ({ store, reopen }) => {
      await gathered(store, ['a', 'b', 'c']);
      const [a, b] = (await batchOf(store))?.deliveries ?? [];
      assert.ok(a && b);
      const id = await store.fixBatch([a.id, b.id]);
      await store.checkpointAll([a.id, b.id], SLACK);
      const again = await reopen();
      const batch = await batchOf(again);
      assert.deepEqual(
        [batch?.id, batch?.deliveries.map(({ change, delivered }) => [change.name, ...delivered])],
        [
          id,
          [
            ['a', SLACK],
            ['b', SLACK],
          ],
        ],
      );
      assert.deepEqual(
        (await batchOf(again))?.deliveries.map(({ change }) => change.name),
        ['c'],
      );
    });
  });
}
