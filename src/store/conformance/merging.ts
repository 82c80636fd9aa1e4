import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { editsOf } from '../../change/edits.ts';
import { withParts } from '../../change/lazy-change.ts';
import type { Observation } from '../scope.ts';
import type { Store } from '../store.ts';
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
  seenDeep,
  storeTest,
  utf8,
  withPending,
  type StoreFixture,
} from './fixture.ts';

const LATER = NOW + 10_000;

/** `updated 1 -> 3`: action and the replicas before and after. */
async function merged(store: Store, now = LATER): Promise<string[]> {
  const { deliveries } = await claim(store, { now, coalesce: true });
  return deliveries.map(({ change: { action, before, after } }) => {
    const replicas = (manifest: typeof before) => (manifest?.['spec'] as { replicas: number } | undefined)?.replicas;
    return `${action} ${replicas(before)} -> ${replicas(after)}`;
  });
}

/** An object whose creation has already been delivered. */
async function known(store: Store): Promise<number> {
  const scope = await withPending(store, ['web']);
  await store.complete((await claimOne(store)).id, COMPLETED);
  return scope;
}

const managed = (manager: string, path: string) =>
  utf8(JSON.stringify([{ manager, operation: 'Update', fieldsV1: { 'f:spec': { [`f:${path}`]: {} } } }]));

/** Merging several changes of one object into one. */
export function merging(fixture: StoreFixture): void {
  describe('coalesce', () => {
    storeTest(
      fixture,
      'merges waiting changes into one: first before, newest after, and everyone who made them',
      async ({ store }) => {
        const scope = await known(store);
        await accept(store, scope, seen('web', 2, { managedFields: managed('kubectl-scale', 'replicas') }));
        await accept(store, scope, seen('web', 3, { managedFields: managed('helm', 'template') }));
        const { deliveries, superseded } = await claim(store, { now: LATER, coalesce: true });
        const [{ change, id }] = deliveries as [(typeof deliveries)[number]];
        assert.equal(superseded, 1);
        assert.deepEqual(
          [change.action, change.before?.['spec'], change.after?.['spec'], change.resourceVersion, change.flags],
          ['updated', { replicas: 1 }, { replicas: 3 }, '3', { compacted: true }],
        );
        assert.deepEqual(
          change.by.map(({ manager }) => manager),
          ['kubectl-scale', 'helm'],
        );
        await store.complete(id, COMPLETED);
        const [balance] = await assertBalanced(store);
        assert.deepEqual([balance?.completed, balance?.superseded, balance?.pending], [2, 1, 0]);
        assert.deepEqual(await historyLines(store), ['added shop/web 1', 'updated shop/web 2', 'updated shop/web 3']);
        assert.deepEqual(
          (await store.trip(3))?.deliveries.map(({ state, reason }) => [state, reason]),
          [['superseded', 'merged into change 2']],
        );
      },
    );

    storeTest(fixture, 'merges changes near the head of the queue, and later ones in their turn', async ({ store }) => {
      const scope = await withPending(
        store,
        Array.from({ length: 300 }, (_, n) => `web-${n}`),
      );
      await accept(store, scope, seen('web-1', 2), seen('web-299', 2));
      const { deliveries, superseded } = await claim(store, { limit: 64, now: LATER, coalesce: true });
      assert.deepEqual([deliveries.length, superseded], [64, 1]);
      for (const { id } of deliveries) await store.complete(id, COMPLETED);
      for (let told = 64; told < 299; told++) {
        const { deliveries: next, superseded: more } = await claim(store, { limit: 1, now: LATER, coalesce: true });
        await store.complete(next[0]?.id ?? 0, COMPLETED);
        if (more > 0) return;
      }
      assert.fail('the last was not merged in its turn');
    });

    storeTest(fixture, 'adds later changes to an already merged one', async ({ store }) => {
      const scope = await known(store);
      await accept(store, scope, seen('web', 2), seen('web', 3));
      for (const { id } of (await claim(store, { now: LATER, coalesce: true })).deliveries) await store.release(id);
      await accept(store, scope, seen('web', 4));
      assert.deepEqual(await merged(store), ['updated 1 -> 4']);
    });

    storeTest(fixture, 'keeps every manager when changes are merged twice', async ({ store }) => {
      const scope = await known(store);
      const by = (version: number, manager: string) =>
        seen('web', version, { managedFields: managed(manager, `field${version}`) });
      await accept(store, scope, by(2, 'argocd'), by(3, 'kubectl-edit'), by(4, 'helm'));
      const [first] = (await claim(store, { now: LATER, coalesce: true })).deliveries;
      const rate = { attempts: 0, deferredSince: undefined, reason: 'waits for its rate' };
      await store.park(first?.id ?? 0, { until: LATER + 1, ...rate });
      await accept(store, scope, by(5, 'hpa'));
      const { change } = await claimOne(store, { now: LATER + 10_000, coalesce: true });
      assert.deepEqual(
        change.by.map(({ manager }) => manager),
        ['argocd', 'kubectl-edit', 'helm', 'hpa'],
      );
    });

    storeTest(fixture, 'gives a branch the newest state of changes that were merged before it', async ({ store }) => {
      const scope = await known(store);
      const mergedOnItsWay = async (...observations: Observation[]) => {
        await accept(store, scope, ...observations);
        const [first] = (await claim(store, { now: LATER, coalesce: true })).deliveries;
        await store.complete(first?.id ?? 0, COMPLETED, { forks: { chains: ['default/a'] } });
      };
      await mergedOnItsWay(seen('web', 2), seen('web', 3));
      await mergedOnItsWay(seen('web', 4), seen('web', 5));
      const branch = () => claimOne(store, { chain: 'default/a', now: LATER, coalesce: true });
      const { id, change } = await branch();
      assert.deepEqual([change.before?.['spec'], change.after?.['spec']], [{ replicas: 1 }, { replicas: 5 }]);
      await store.release(id);
      await mergedOnItsWay(seen('web', 6), gone('web', 7));
      const gonePair = await branch();
      assert.deepEqual([gonePair.change.action, gonePair.change.before?.['spec']], ['deleted', { replicas: 6 }]);
    });

    storeTest(
      fixture,
      'reports a creation with its newest state, and a deletion with the last one',
      async ({ store }) => {
        const scope = await known(store);
        await accept(store, scope, seen('new', 5), seen('new', 6), seen('web', 7), gone('web', 8));
        assert.deepEqual(await merged(store), ['added undefined -> 6', 'deleted 7 -> undefined']);
      },
    );

    storeTest(
      fixture,
      'supersedes all changes of an object that came and went, or is back to what it was',
      async ({ store }) => {
        const scope = await known(store);
        const metadata = { name: 'web', namespace: 'shop', resourceVersion: '5', generation: 3 };
        const again = { body: utf8(JSON.stringify({ metadata, spec: { replicas: 1 } })) };
        await accept(store, scope, seen('brief', 2), gone('brief', 3), seen('web', 4), seen('web', 5, again));
        assert.deepEqual(await merged(store), []);
        const [balance] = await assertBalanced(store);
        assert.deepEqual([balance?.superseded, balance?.pending], [4, 0]);
        await accept(store, scope, seen('web', 6), seen('brief', 7));
        assert.deepEqual(await merged(store, NOW), ['updated 1 -> 6', 'added undefined -> 7']);
      },
    );

    storeTest(
      fixture,
      'reports an object that left its scope and came back as updated, if it differs',
      async ({ store }) => {
        const scope = await withPending(store, ['web', 'same']);
        for (const { id } of (await claim(store)).deliveries) await store.complete(id, COMPLETED);
        const left = { flags: { leftScope: true } } as const;
        await accept(store, scope, gone('web', 2, left), seen('web', 3), seen('web', 4));
        await accept(store, scope, gone('same', 2, left), seen('same', 3, { body: seen('same', 1).body }));
        assert.deepEqual(await merged(store), ['updated 1 -> 4']);
        const [balance] = await assertBalanced(store);
        assert.deepEqual([balance?.superseded, balance?.pending], [4, 1]);
      },
    );

    storeTest(
      fixture,
      'reports what is nested too deeply to tell whether it is back to what it was',
      async ({ store }) => {
        const scope = await openScope(store);
        await accept(store, scope, seenDeep('web', 1));
        await store.complete((await claimOne(store)).id, COMPLETED);
        await accept(store, scope, seenDeep('web', 2), seenDeep('web', 3));
        const { change } = await claimOne(store, { now: LATER, coalesce: true });
        assert.deepEqual([change.resourceVersion, change.flags], ['3', { compacted: true }]);
      },
    );

    storeTest(fixture, 'reports the successor of an object that came and went', async ({ store }) => {
      await accept(store, await openScope(store), seen('web', 1), gone('web', 2), seen('web', 3, { uid: 'uid-2' }));
      assert.deepEqual(await merged(store), ['added undefined -> 3']);
    });

    storeTest(fixture, 'does not merge a deletion with a successor of the same name', async ({ store }) => {
      const scope = await known(store);
      await accept(store, scope, seen('web', 2), gone('web', 3), seen('web', 4, { uid: 'uid-2' }));
      const { deliveries } = await claim(store, { now: LATER, coalesce: true });
      assert.deepEqual(
        deliveries.map(({ change }) => change.action),
        ['deleted'],
      );
      await store.complete(deliveries[0]?.id ?? 0, COMPLETED);
      assert.deepEqual(await merged(store), ['added undefined -> 4']);
    });

    storeTest(fixture, 'does not merge attempted or recent changes, nor any unless asked to', async ({ store }) => {
      const scope = await openScope(store);
      await accept(store, scope, seen('web', 1), seen('web', 2));
      assert.equal((await claim(store, { now: LATER })).superseded, 0);
      const { id } = (await claim(store, { now: LATER })).deliveries[0] ?? { id: 1 };
      await store.park(id, { until: NOW, attempts: 1, deferredSince: undefined, reason: 'HTTP 500' });
      const { deliveries, superseded } = await claim(store, { now: LATER, coalesce: true });
      assert.deepEqual([deliveries.length, superseded], [1, 0]);
      await store.complete(id, COMPLETED);
      await accept(store, scope, seen('web', 3));
      assert.equal((await claim(store, { now: LATER - 1, coalesce: true })).superseded, 0);
    });

    for (const [what, isTold, deferredSince] of [
      ['a sink has already delivered', true, undefined],
      ['is deferred', false, NOW],
    ] as const) {
      storeTest(fixture, `does not merge a change that ${what}`, async ({ store }) => {
        const scope = await known(store);
        await accept(store, scope, seen('web', 2));
        const { id } = await claimOne(store);
        if (isTold) await store.checkpoint(id, 'default/log');
        await store.park(id, { until: NOW, attempts: 0, deferredSince, reason: 'not now' });
        await accept(store, scope, seen('web', 3));
        assert.deepEqual(await merged(store), ['updated 1 -> 2']);
      });
    }

    storeTest(fixture, 'does not merge changes that carry edits to a branch', async ({ store }) => {
      const scope = await known(store);
      for (const version of [2, 3]) {
        await accept(store, scope, seen('web', version));
        const { id, change } = await claimOne(store);
        const made = version === 2 ? change : withParts(change, { notes: { version } as object });
        const edits = editsOf(change, made, []);
        await store.complete(id, COMPLETED, { forks: { chains: ['default/a'], edits } });
      }
      const { deliveries, superseded } = await claim(store, { chain: 'default/a', now: LATER, coalesce: true });
      assert.deepEqual([deliveries.length, superseded], [1, 0]);
    });

    storeTest(
      fixture,
      'hands the merged change to branches, and keeps its manifests while a delivery needs them',
      async ({ store }) => {
        const scope = await known(store);
        await accept(store, scope, seen('web', 2), seen('web', 3));
        const { deliveries } = await claim(store, { now: LATER, coalesce: true });
        await store.complete(deliveries[0]?.id ?? 0, COMPLETED, { forks: { chains: ['default/a'] } });
        await store.prune({ maxAgeMs: 0, maxBytes: 0 }, LATER);
        const { change, id } = await claimOne(store, { chain: 'default/a' });
        assert.deepEqual([change.before?.['spec'], change.after?.['spec']], [{ replicas: 1 }, { replicas: 3 }]);
        await store.deadLetter(id, { handler: 'default/a/slack', error: 'e', attempts: 1 });
        const letter = await store.deadLetterOf(id);
        assert.deepEqual(
          [letter?.change.before?.['spec'], letter?.change.flags],
          [{ replicas: 1 }, { compacted: true }],
        );
      },
    );
  });
}
