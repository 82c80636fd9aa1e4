import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { withParts } from '../../change/lazy-change.ts';
import { editsOf } from '../../change/edits.ts';
import type { ParkRequest } from '../delivery.ts';
import {
  accept,
  assertBalanced,
  claim,
  claimLines,
  claimOne,
  COMPLETED,
  gone,
  NOW,
  openScope,
  seen,
  storeTest,
  utf8,
  withPending,
  type StoreFixture,
} from './fixture.ts';

const PARK = { attempts: 1, deferredSince: undefined, reason: 'HTTP 500' };

/** claim(), and the ways in which a delivery continues or ends. */
export function deliveries(fixture: StoreFixture): void {
  describe('claim()', () => {
    storeTest(fixture, 'hands out each delivery once, in accept order, up to the limit', async ({ store }) => {
      await withPending(store, ['c', 'a', 'b']);
      assert.deepEqual(await claimLines(store, { limit: 2 }), ['added shop/c 1', 'added shop/a 1']);
      assert.deepEqual(await claimLines(store, { limit: 2 }), ['added shop/b 1']);
      assert.deepEqual(await claimLines(store), []);
    });

    storeTest(fixture, 'hands out each delivery once when called twice at the same time', async ({ store }) => {
      await withPending(store, ['a', 'b', 'c']);
      const lines = await Promise.all([claimLines(store, { limit: 2 }), claimLines(store, { limit: 2 })]);
      assert.deepEqual(lines.flat(), ['added shop/a 1', 'added shop/b 1', 'added shop/c 1']);
    });

    storeTest(
      fixture,
      'holds back the successors of a key, through update, deletion and a new uid',
      async ({ store }) => {
        const scope = await openScope(store);
        await accept(store, scope, seen('web', 1), seen('web', 2), gone('web', 3), seen('web', 4, { uid: 'uid-2' }));
        const lines: string[] = [];
        for (let i = 0; i < 4; i++) {
          const { id, change } = await claimOne(store);
          assert.deepEqual(await claimLines(store), []);
          lines.push(change.action);
          await store.complete(id, COMPLETED);
        }
        assert.deepEqual(lines, ['added', 'updated', 'deleted', 'added']);
      },
    );

    storeTest(fixture, 'keeps objects of the same name but different resources apart', async ({ store }) => {
      await withPending(store, ['web']);
      await withPending(store, ['web'], { group: '', resource: 'services', kind: 'Service' });
      assert.equal((await claim(store)).deliveries.length, 2);
    });

    storeTest(fixture, 'returns when the next delivery is due', async ({ store }) => {
      assert.equal((await claim(store)).nextDueAt, undefined);
      await withPending(store, ['a', 'b']);
      const {
        deliveries: [a],
        nextDueAt,
      } = await claim(store, { limit: 1 });
      assert.ok(a !== undefined && nextDueAt !== undefined && nextDueAt <= NOW);
      await store.park(a.id, { ...PARK, until: NOW + 5000 });
      const {
        deliveries: [b],
        nextDueAt: afterB,
      } = await claim(store);
      assert.equal(b?.change.name, 'b');
      assert.equal(afterB, NOW + 5000);
    });

    storeTest(
      fixture,
      'hands out fewer deliveries with large manifests, but at least one, and says that more are due',
      async ({ store }) => {
        const scope = await openScope(store);
        const ofSize = (name: string, mib: number) =>
          seen(name, 1, { body: utf8(JSON.stringify({ metadata: { name }, data: 'x'.repeat(mib * 1024 ** 2) })) });
        await accept(store, scope, ofSize('a', 5), ofSize('b', 1), ofSize('c', 2), ofSize('d', 2));
        const rounds: string[] = [];
        for (let round = 0; round < 3; round++) {
          const { deliveries: taken, nextDueAt } = await claim(store);
          rounds.push(`${taken.map(({ change }) => change.name).join(' ')} ${nextDueAt}`);
        }
        assert.deepEqual(rounds, [`a ${NOW}`, `b c ${NOW}`, 'd undefined']);
      },
    );

    storeTest(fixture, 'returns no due time when every delivery is claimed or blocked', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      await accept(store, scope, seen('web', 2));
      assert.equal((await claim(store)).nextDueAt, undefined);
    });
  });

  describe('park()', () => {
    storeTest(fixture, 'holds a delivery until its time, and keeps its attempts and deferral', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      await accept(store, scope, seen('web', 2));
      const { id } = await claimOne(store);
      await store.park(id, { until: NOW + 1000, attempts: 2, deferredSince: NOW - 50, reason: 'HTTP 503' });
      const early = await claim(store, { now: NOW + 999 });
      assert.deepEqual([early.deliveries, early.nextDueAt], [[], NOW + 1000]);
      const due = await claimOne(store, { now: NOW + 1000 });
      assert.deepEqual([due.id, due.attempts, due.deferredSince, due.change.action], [id, 2, NOW - 50, 'added']);
    });

    storeTest(fixture, 'puts a due delivery back in its place in accept order', async ({ store }) => {
      await withPending(store, ['a', 'b', 'c']);
      const {
        deliveries: [a],
      } = await claim(store, { limit: 1 });
      await store.park(a?.id ?? 0, { ...PARK, until: NOW + 10 });
      assert.deepEqual(await claimLines(store, { now: NOW + 10 }), [
        'added shop/a 1',
        'added shop/b 1',
        'added shop/c 1',
      ]);
    });

    storeTest(fixture, 'accepts a time in the past', async ({ store }) => {
      await withPending(store, ['a']);
      await store.park((await claimOne(store)).id, { ...PARK, until: NOW - 1 });
      assert.deepEqual(await claimLines(store), ['added shop/a 1']);
    });
  });

  describe('release()', () => {
    storeTest(fixture, 'hands a delivery back as it was', async ({ store }) => {
      await withPending(store, ['a', 'b']);
      const first = await claim(store, { limit: 1 });
      await store.release(first.deliveries[0]?.id ?? 0);
      const again = await claim(store, { limit: 1 });
      assert.deepEqual(again.deliveries[0]?.id, first.deliveries[0]?.id);
      assert.equal(again.deliveries[0]?.attempts, 0);
    });
  });

  describe('checkpoint()', () => {
    storeTest(fixture, 'is returned with the delivery, in the order of delivering', async ({ store }) => {
      await withPending(store, ['web']);
      const { id, delivered } = await claimOne(store);
      assert.deepEqual(delivered, []);
      await store.checkpoint(id, 'default/slack');
      await store.checkpoint(id, 'default/a "quoted" one');
      await store.park(id, { ...PARK, until: NOW });
      assert.deepEqual((await claimOne(store)).delivered, ['default/slack', 'default/a "quoted" one']);
    });
  });

  describe('complete()', () => {
    storeTest(fixture, 'ends a delivery once: a second end is refused', async ({ store }) => {
      await withPending(store, ['web']);
      const { id } = await claimOne(store);
      await store.complete(id, COMPLETED);
      for (const again of [
        () => store.complete(id, COMPLETED),
        () => store.park(id, { ...PARK, until: NOW }),
        () => store.release(id),
        () => store.checkpoint(id, 'default/slack'),
        () => store.deadLetter(id, { handler: 'h', error: 'e', attempts: 1 }),
      ]) {
        await assert.rejects(again, /not claimed/);
      }
      assert.deepEqual(await claimLines(store), []);
    });

    storeTest(fixture, 'counts how deliveries ended, and the counters balance', async ({ store }) => {
      await withPending(store, ['a', 'b', 'c', 'd', 'e']);
      const {
        deliveries: [a, b, c],
      } = await claim(store, { limit: 3 });
      await store.complete(a?.id ?? 0, COMPLETED);
      await store.complete(b?.id ?? 0, { kind: 'halted', by: 'default/diff', reason: 'no difference' });
      await store.deadLetter(c?.id ?? 0, { handler: 'default/slack', error: 'HTTP 404', attempts: 1 });
      const zero = { replayed: 0, superseded: 0, discarded: 0 };
      assert.deepEqual(await assertBalanced(store), [
        { chain: 'default', accepted: 5, completed: 1, halted: 1, dead: 1, pending: 2, dueSince: NOW, ...zero },
      ]);
      for (const { id } of (await claim(store)).deliveries) await store.complete(id, COMPLETED);
      assert.equal((await store.balances())[0]?.dueSince, undefined);
    });

    storeTest(
      fixture,
      'does not count as due what is held on purpose, nor what comes after it in its queue or in a branch',
      async ({ store }) => {
        const scope = await withPending(store, ['web']);
        const dueSince = async () => (await store.balances()).map((balance) => balance.dueSince);
        const until = NOW + 1000;
        await store.park((await claimOne(store)).id, { ...PARK, until });
        assert.deepEqual(await dueSince(), [NOW], 'a failure is no hold');
        await store.park((await claimOne(store, { now: until })).id, { ...PARK, until, isHold: true });
        assert.deepEqual(await dueSince(), [undefined]);
        await accept(store, scope, seen('web', 2));
        assert.deepEqual(await dueSince(), [undefined], 'its next change is behind it');

        const held = await claimOne(store, { now: until });
        await store.complete(held.id, COMPLETED, { forks: { chains: ['default/a'] } });
        assert.deepEqual(await dueSince(), [undefined, undefined], 'the next change, and the branch');
        const next = await claimOne(store);
        await store.complete(next.id, COMPLETED);
        const branch = await claimOne(store, { chain: 'default/a' });
        await store.deadLetter(branch.id, { handler: 'default/a/slack', error: 'e', attempts: 1 });
        await store.replay([branch.id]);
        assert.deepEqual(await dueSince(), [undefined, NOW], 'a replay is due from then on');
        await accept(store, scope, seen('api', 1));
        assert.deepEqual(await dueSince(), [NOW, NOW]);
      },
    );

    storeTest(
      fixture,
      'endWaits() makes what waits in a chain without a failure due, and nothing else',
      async ({ store }) => {
        await withPending(store, ['held', 'paced', 'failed', 'deferred', 'gathered']);
        const ids = (await claim(store)).deliveries.map(({ id }) => id);
        const until = NOW + 1000;
        const paced = { until, attempts: 0, deferredSince: undefined, reason: 'the rate limit' };
        const parks: readonly ParkRequest[] = [
          { ...PARK, until, isHold: true },
          paced,
          { ...paced, attempts: 1 },
          { ...paced, deferredSince: NOW },
          { ...paced, isHold: true, gather: { handler: 'default/slack' } },
        ];
        for (const [n, park] of parks.entries()) await store.park(ids[n] ?? 0, park);
        await store.endWaits('default/a');
        assert.deepEqual(await claimLines(store), []);
        await store.endWaits('default');
        assert.deepEqual(await claimLines(store), ['added shop/held 1', 'added shop/paced 1']);
      },
    );

    storeTest(
      fixture,
      'hands the edited change to a fork, and further edits to the forks of that fork',
      async ({ store }) => {
        await withPending(store, ['web']);
        const { id, change, edited } = await claimOne(store);
        assert.deepEqual(edited, []);
        const noted = withParts(change, { notes: { seen: [1, 2] } as object });
        const forks = { chains: ['default/a', 'default/b'], edits: editsOf(change, noted, []) };
        await store.complete(id, COMPLETED, { forks });

        const a = await claimOne(store, { chain: 'default/a' });
        assert.deepEqual([a.change.notes, a.edited, a.change.after], [{ seen: [1, 2] }, ['notes'], change.after]);
        const renamed = withParts(a.change, { name: 'other', before: undefined });
        const edits = editsOf(a.change, renamed, a.edited);
        await store.complete(a.id, COMPLETED, { forks: { chains: ['default/a/x'], edits } });
        const x = await claimOne(store, { chain: 'default/a/x' });
        assert.deepEqual([x.change.name, x.change.before, x.change.notes], ['other', undefined, { seen: [1, 2] }]);

        const b = await claimOne(store, { chain: 'default/b' });
        await store.deadLetter(b.id, { handler: 'default/b/slack', error: 'e', attempts: 1 });
        assert.deepEqual((await store.deadLetterOf(b.id))?.change.notes, { seen: [1, 2] });
        await store.replay([b.id]);
        const { id: replayed, change: sentAgain } = await claimOne(store, { chain: 'default/b' });
        assert.deepEqual([sentAgain.notes, sentAgain.flags], [{ seen: [1, 2] }, { replayed: true }]);
        await store.complete(replayed, COMPLETED, { forks: { chains: ['default/b/y'] } });
        assert.deepEqual((await claimOne(store, { chain: 'default/b/y' })).change.notes, { seen: [1, 2] });
      },
    );

    storeTest(
      fixture,
      'stores edits once for all forks, until the last one ends; replaceEdits() rewrites them',
      async ({ store }) => {
        await withPending(store, ['web', 'api']);
        for (const { id, change } of (await claim(store)).deliveries) {
          const edits = editsOf(change, withParts(change, { notes: { of: change.name } as object }), []);
          await store.complete(id, COMPLETED, { forks: { chains: ['default/a', 'default/b'], edits } });
        }
        const [first, second, ...others] = await store.edits(0, 10);
        assert.ok(first && second);
        assert.deepEqual(others, [], 'once for all forks');
        assert.deepEqual(first.kind, { group: 'apps', version: 'v1', kind: 'Deployment', resource: 'deployments' });
        assert.deepEqual([first.text, first.manifests.length], ['{"notes":{"of":"web"}}', 1]);
        assert.match(Buffer.from(first.manifests[0] ?? []).toString(), /"name":"web"/);
        assert.deepEqual(
          (await store.edits(first.id, 10)).map(({ id }) => id),
          [second.id],
        );
        await store.replaceEdits([{ id: second.id, text: '{"notes":{"of":"nobody"}}' }]);
        for (const chain of ['default/a', 'default/b']) {
          const { deliveries: forked } = await claim(store, { chain });
          assert.deepEqual(
            forked.map(({ change }) => change.notes),
            [{ of: 'web' }, { of: 'nobody' }],
          );
          for (const { id } of forked) await store.complete(id, COMPLETED);
        }
        assert.deepEqual(await store.edits(0, 10), []);
      },
    );

    storeTest(fixture, 'opens a delivery per fork, each with its own order', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      await accept(store, scope, seen('web', 2));
      const forks = ['default/ops', 'default/audit'];
      for (let i = 0; i < 2; i++)
        await store.complete((await claimOne(store)).id, COMPLETED, { forks: { chains: forks } });
      const ops = await claimOne(store, { chain: 'default/ops' });
      assert.deepEqual([ops.chain, ops.change.action, ops.delivered, ops.attempts], ['default/ops', 'added', [], 0]);
      await store.complete(ops.id, COMPLETED);
      assert.deepEqual(await claimLines(store, { chain: 'default/ops' }), ['updated shop/web 2']);
      assert.deepEqual(await claimLines(store, { chain: 'default/audit' }), ['added shop/web 1']);
      assert.deepEqual(
        (await assertBalanced(store)).map(({ chain, accepted, pending }) => [chain, accepted, pending]),
        [
          ['default', 2, 0],
          ['default/audit', 2, 2],
          ['default/ops', 2, 1],
        ],
      );
    });
  });
}
