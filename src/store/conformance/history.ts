import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Change } from '../../change.ts';
import { DEFAULT_RETENTION, type Retention } from '../looking-back.ts';
import type { Store } from '../store.ts';
import {
  accept,
  assertBalanced,
  claim,
  claimLines,
  COMPLETED,
  firstList,
  gone,
  historyLines,
  NOW,
  openScope,
  seen,
  storeTest,
  utf8,
  withPending,
  type StoreFixture,
} from './fixture.ts';

const ALL = { maxAgeMs: 0, maxBytes: 0 };

async function completeAll(store: Store): Promise<void> {
  for (;;) {
    const { deliveries } = await claim(store);
    if (deliveries.length === 0) return;
    await Promise.all(deliveries.map(({ id }) => store.complete(id, COMPLETED)));
  }
}

async function pruneAll(store: Store, retention: Retention): Promise<number> {
  let pruned = 0;
  for (let more = -1; more !== 0; pruned += more) more = await store.prune(retention, NOW + 1);
  return pruned;
}

export function history(fixture: StoreFixture): void {
  describe('history()', () => {
    storeTest(
      fixture,
      'keeps the cluster of changes made before leaveCluster(): recorded, pending and dead',
      async ({ store }) => {
        const first = { id: 'uid-1', name: 'first' };
        const scope = await withPending(store, ['a', 'b']);
        const [dying] = (await claim(store, { limit: 1 })).deliveries;
        assert.ok(dying);
        await store.deadLetter(dying.id, { handler: 'default/slack', error: 'no', attempts: 1 });
        await store.leaveCluster(first);
        await accept(store, scope, seen('c', 1));
        await store.leaveCluster({ id: 'uid-2', name: 'second' });
        const clusters = (changes: readonly Change[]) => changes.map(({ name, cluster }) => `${name} ${cluster.name}`);
        assert.deepEqual(clusters(await store.history({ limit: 10 })), ['a first', 'b first', 'c second']);
        const { deliveries } = await claim(store);
        assert.deepEqual(clusters(deliveries.map(({ change }) => change)), ['b first', 'c second']);
        const [letter] = await store.deadLetters({ limit: 10 });
        assert.deepEqual(letter?.change.cluster, first);
      },
    );

    storeTest(fixture, 'returns changes in either order, filtered and paged', async ({ store }) => {
      await withPending(store, ['a', 'b']);
      await withPending(store, ['a'], { group: '', resource: 'services', kind: 'Service' });
      const lines = async (query: Parameters<Store['history']>[0]) =>
        (await store.history(query)).map((change) => `${change.gvr.resource} ${change.name}`);
      assert.deepEqual(await lines({ limit: 10 }), ['deployments a', 'deployments b', 'services a']);
      assert.deepEqual(await lines({ limit: 2, newestFirst: true }), ['services a', 'deployments b']);
      assert.deepEqual(await lines({ limit: 10, key: 'shop/a' }), ['deployments a', 'services a']);
      assert.deepEqual(await lines({ limit: 10, group: '', resource: 'services' }), ['services a']);
      assert.deepEqual(await lines({ limit: 10, since: NOW + 1 }), []);
      assert.deepEqual(await lines({ limit: 10, since: NOW }), ['deployments a', 'deployments b', 'services a']);
      const [first] = await store.history({ limit: 1 });
      assert.deepEqual(await lines({ limit: 1, afterId: first?.id ?? 0 }), ['deployments b']);
      const [last] = await store.history({ limit: 1, newestFirst: true });
      assert.deepEqual(await lines({ limit: 1, newestFirst: true, beforeId: last?.id ?? 0 }), ['deployments b']);
    });
  });

  describe('history() with filters', () => {
    storeTest(fixture, 'filters by namespace, name and manager, with * and ? as wildcards', async ({ store }) => {
      const scope = await openScope(store);
      const by = (manager: string) => {
        const entry = { manager, operation: 'Update', fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': {} } };
        return { managedFields: new TextEncoder().encode(JSON.stringify([entry])) };
      };
      await accept(store, scope, seen('web', 1, by('helm')), seen('web-2', 1, by('kubectl-set')));
      await accept(store, scope, seen('x', 1, { ...by('[odd]'), key: 'node-1' }));
      const keys = async (query: Omit<Parameters<Store['history']>[0], 'limit'>) =>
        (await store.history({ limit: 10, ...query })).map(({ key }) => key).join(' ');
      assert.equal(await keys({ namespace: 'shop' }), 'shop/web shop/web-2');
      assert.equal(await keys({ namespace: 's*' }), 'shop/web shop/web-2');
      assert.equal(await keys({ namespace: 'node-1' }), '', 'a name is no namespace');
      assert.equal(await keys({ name: 'web' }), 'shop/web');
      assert.equal(await keys({ name: 'web*' }), 'shop/web shop/web-2');
      assert.equal(await keys({ name: 'node-?' }), 'node-1');
      assert.equal(await keys({ by: 'kubectl*' }), 'shop/web-2');
      assert.equal(await keys({ by: 'kubectl' }), '');
      assert.equal(await keys({ by: '[odd]' }), 'node-1', 'brackets are literal');
    });
  });

  describe('kinds()', () => {
    storeTest(fixture, 'returns each recorded kind once', async ({ store }) => {
      assert.deepEqual(await store.kinds(), []);
      await openScope(store);
      await openScope(store);
      assert.deepEqual(await store.kinds(), [
        { group: 'apps', version: 'v1', kind: 'Deployment', resource: 'deployments' },
      ]);
    });
  });

  describe('prune()', () => {
    storeTest(fixture, 'removes ended changes that are too old', async ({ store }) => {
      await withPending(store, ['a', 'b']);
      await completeAll(store);
      assert.equal(await store.prune(DEFAULT_RETENTION, NOW), 0);
      assert.equal(await store.prune({ ...DEFAULT_RETENTION, maxAgeMs: 1000 }, NOW + 1000), 0);
      assert.equal(await store.prune({ ...DEFAULT_RETENTION, maxAgeMs: 1000 }, NOW + 1001), 2);
      assert.deepEqual(await historyLines(store), []);
    });

    storeTest(fixture, 'removes the oldest changes beyond the size limit', async ({ store }) => {
      const scope = await openScope(store);
      const body = (version: number) =>
        new TextEncoder().encode(JSON.stringify({ metadata: { name: 'web' }, version, pad: 'x'.repeat(100_000) }));
      for (let version = 1; version <= 10; version++)
        await accept(store, scope, seen('web', version, { body: body(version) }));
      await completeAll(store);
      const removed = await store.prune({ ...DEFAULT_RETENTION, maxBytes: 350_000 }, NOW);
      assert.ok(removed >= 6 && removed <= 8, `${removed} of 10 were removed`);
      const [oldest] = await store.history({ limit: 1 });
      assert.equal(oldest?.before?.['version'], removed, 'a pruned change is still the before of the next one');
    });

    storeTest(fixture, 'counts manifests that only a deletion keeps, and counts each once', async ({ store }) => {
      const scope = await openScope(store);
      const names = Array.from({ length: 20 }, (_, n) => `web-${n}`);
      const large = names.map((name) => seen(name, 1, { body: utf8('x'.repeat(100_000)) }));
      const deleted = { ...DEFAULT_RETENTION, maxBytes: 1_050_000 };
      await store.accept(firstList(scope, large));
      await accept(store, scope, ...names.map((name) => gone(name, 2)));
      await completeAll(store);
      assert.equal(await pruneAll(store, deleted), 10);
      await accept(store, scope, ...large);
      await completeAll(store);
      await pruneAll(store, { ...DEFAULT_RETENTION, maxBytes: 0 });
      await accept(store, scope, ...names.map((name) => gone(name, 2)));
      await completeAll(store);
      assert.equal(await pruneAll(store, deleted), 10, 'the changes that added them are pruned already');
      await accept(store, scope, ...large, ...names.map((name) => gone(name, 2)));
      await completeAll(store);
      assert.equal(await pruneAll(store, deleted), 10 + 20 + 10, 'addition and deletion share one manifest');
      await pruneAll(store, ALL);
      assert.deepEqual(await store.manifests(0, 1), []);
      await accept(store, scope, ...large.slice(0, 10));
      await completeAll(store);
      assert.equal(await pruneAll(store, deleted), 0, 'pruned manifests no longer count');
    });

    storeTest(fixture, 'never removes pending changes or dead letters', async ({ store }) => {
      const scope = await withPending(store, ['dead', 'claimed', 'parked', 'done']);
      const {
        deliveries: [dead, , parked, done],
      } = await claim(store);
      await store.deadLetter(dead?.id ?? 0, { handler: 'h', error: 'e', attempts: 1 });
      await store.park(parked?.id ?? 0, { until: NOW + 1e9, attempts: 1, deferredSince: undefined, reason: 'r' });
      await store.complete(done?.id ?? 0, COMPLETED);
      await accept(store, scope, seen('claimed', 2), seen('ready', 1));
      assert.equal(await store.prune(ALL, NOW + 1e9), 1);
      assert.deepEqual(await historyLines(store), [
        'added shop/dead 1',
        'added shop/claimed 1',
        'added shop/parked 1',
        'updated shop/claimed 2',
        'added shop/ready 1',
      ]);
      assert.equal((await store.deadLetters({ limit: 10 })).length, 1);
    });

    storeTest(fixture, 'reaches ended changes behind more than 1,000 that are kept', async ({ store }) => {
      const [kept, done] = [1_100, 2];
      await withPending(
        store,
        Array.from({ length: kept + done }, (_, n) => `web-${n}`),
      );
      const { deliveries } = await claim(store, { limit: kept + done });
      for (const { id } of deliveries.slice(kept)) await store.complete(id, COMPLETED);
      assert.equal(await store.prune(ALL, NOW + 1), done);
      assert.equal(await store.prune(ALL, NOW + 1), 0);
    });

    storeTest(fixture, 'never removes a change that another chain has yet to deliver', async ({ store }) => {
      await withPending(store, ['web'], { chains: ['default', 'slow'] });
      await completeAll(store);
      assert.equal(await store.prune(ALL, NOW + 1), 0);
      const [delivery] = (await claim(store, { chain: 'slow' })).deliveries;
      assert.deepEqual(delivery?.change.after?.['spec'], { replicas: 1 });
    });

    storeTest(fixture, 'leaves baseline, counters and numbering as they were', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      await completeAll(store);
      const [old] = await store.history({ limit: 1 });
      const before = await store.balances();
      assert.equal(await store.prune(ALL, NOW + 1), 1);
      assert.deepEqual(await store.balances(), before);
      await accept(store, scope, gone('web', 2));
      const [deleted] = await store.history({ limit: 1 });
      assert.deepEqual(deleted?.before?.['spec'], { replicas: 1 });
      assert.ok(deleted.id > (old?.id ?? Infinity), 'an accept number is never reused');
      await assertBalanced(store);
    });
  });

  describe('close()', () => {
    storeTest(fixture, 'waits for earlier calls, and rejects later ones', async ({ store }) => {
      const scope = await openScope(store);
      const accepted = accept(store, scope, seen('web', 1));
      const closed = store.close();
      assert.equal(await accepted, 1);
      await closed;
      await assert.rejects(claimLines(store), { code: 'STORE_CLOSED' });
      await store.close();
    });
  });
}
