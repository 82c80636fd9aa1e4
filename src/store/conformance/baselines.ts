import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  accept,
  BASIS,
  claim,
  claimLines,
  firstList,
  gone,
  historyLines,
  NOW,
  openScope,
  seen,
  SPEC,
  storeTest,
  utf8,
  withPending,
  type StoreFixture,
} from './fixture.ts';

/** Scopes, and what was last accepted in them. */
export function baselines(fixture: StoreFixture): void {
  describe('openScope()', () => {
    storeTest(fixture, 'creates a scope without a cursor, and reopens it with its state', async ({ store }) => {
      const fresh = await store.openScope(SPEC);
      assert.deepEqual({ ...fresh, id: 0 }, { id: 0, cursor: undefined, basis: undefined, objects: 0 });
      await store.accept(firstList(fresh.id, [seen('web', 1), seen('api', 1)]));
      assert.deepEqual(await store.openScope(SPEC), { id: fresh.id, cursor: '100', basis: BASIS, objects: 2 });
    });

    storeTest(fixture, 'tells scopes apart by group, namespace and selectors, not by version', async ({ store }) => {
      const id = await openScope(store);
      assert.equal(await openScope(store, { version: 'v2' }), id);
      const others = [
        { namespace: 'shop' },
        { labelSelector: 'a=b' },
        { fieldSelector: 'a=b' },
        { group: 'extensions' },
      ];
      const ids = [];
      for (const other of others) ids.push(await openScope(store, other));
      assert.equal(new Set([id, ...ids]).size, 5);
    });

    storeTest(fixture, 'gives the scope the chains of the last call', async ({ store }) => {
      const scope = await openScope(store, { chains: ['a'] });
      await openScope(store, { chains: ['b'] });
      assert.deepEqual((await store.accept({ scope, observations: [seen('web', 1)] })).chains, ['b']);
    });

    storeTest(fixture, 'discards what an interrupted list has staged', async ({ store }) => {
      const scope = await openScope(store);
      await store.stage(scope, [seen('web', 1)]);
      await openScope(store);
      assert.equal((await store.accept({ scope, observations: [], staged: true })).changes, 0);
    });
  });

  describe('forgetScope()', () => {
    storeTest(
      fixture,
      'removes baseline and cursor without a change, and keeps history and pending deliveries',
      async ({ store }) => {
        const scope = await openScope(store);
        await store.accept(firstList(scope, [seen('web', 1)]));
        await accept(store, scope, seen('web', 2));
        await store.forgetScope(scope);
        const { cursor, basis, objects } = await store.openScope(SPEC);
        assert.deepEqual({ cursor, basis, objects }, { cursor: undefined, basis: undefined, objects: 0 });
        assert.deepEqual(await historyLines(store), ['updated shop/web 2']);
        assert.deepEqual(await claimLines(store), ['updated shop/web 2']);
      },
    );
  });

  describe('scopes()', () => {
    storeTest(fixture, 'names every scope that has a baseline', async ({ store }) => {
      const scope = await openScope(store, { namespace: 'shop' });
      await openScope(store, { namespace: 'empty' });
      await store.accept(firstList(scope, [seen('web', 1)]));
      const { version: _, kind: __, chains: ___, ...key } = SPEC;
      assert.deepEqual(await store.scopes(), [
        { ...key, namespace: 'shop', id: scope, cursor: '100', basis: BASIS, objects: 1 },
      ]);
    });
  });

  describe('seen() and baseline()', () => {
    storeTest(fixture, 'page through the baseline in key order', async ({ store }) => {
      const scope = await openScope(store);
      await store.accept(
        firstList(
          scope,
          ['c', 'a', 'b'].map((name) => seen(name, 1)),
        ),
      );
      const first = await store.seen(scope, undefined, 2);
      assert.deepEqual(
        first.map(({ key }) => key),
        ['shop/a', 'shop/b'],
      );
      assert.deepEqual(
        (await store.seen(scope, 'shop/b', 2)).map(({ key }) => key),
        ['shop/c'],
      );
    });

    storeTest(fixture, 'find one object in whichever scope holds it', async ({ store }) => {
      await openScope(store);
      const scope = await openScope(store, { namespace: 'shop' });
      await store.accept(firstList(scope, [seen('web', 1)]));
      assert.deepEqual(await store.baseline('apps', 'deployments', 'shop/web'), seen('web', 1).body);
      assert.equal(await store.baseline('apps', 'deployments', 'shop/none'), undefined);
      assert.equal(await store.baseline('', 'deployments', 'shop/web'), undefined);
    });
  });

  describe('held()', () => {
    storeTest(fixture, 'pages through the objects of one namespace or of all, each once', async ({ store }) => {
      const scope = await openScope(store);
      const body = utf8('{}');
      const of = (key: string) => seen('x', 1, { key, uid: key, body });
      await accept(store, scope, of('a/1'), of('a/2'), of('ab/1'), of('b/1'), of('gone/1'));
      await accept(store, scope, { ...of('gone/1'), type: 'gone', resourceVersion: '2' });
      await accept(store, await openScope(store, { labelSelector: 'tier=web' }), of('a/1'));
      const keys = async (namespace: string, afterKey = '', limit = 10) => {
        const rows = await store.held({ group: 'apps', resource: 'deployments', namespace, afterKey, limit });
        return rows.map(({ key }) => key);
      };
      assert.deepEqual(await keys('a'), ['a/1', 'a/2']);
      assert.deepEqual(await keys('a', 'a/1'), ['a/2']);
      assert.deepEqual(await keys(''), ['a/1', 'a/2', 'ab/1', 'b/1']);
      assert.deepEqual(await keys('', 'a/2', 1), ['ab/1']);
      assert.deepEqual(await keys('none'), []);
      const [first] = await store.held({
        group: 'apps',
        resource: 'deployments',
        namespace: 'a',
        afterKey: '',
        limit: 1,
      });
      assert.deepEqual(first?.body, body);
    });
  });

  describe('replaceManifests()', () => {
    storeTest(
      fixture,
      'replaces the bytes in the baseline and in every change, without making a change',
      async ({ store }) => {
        const scope = await openScope(store);
        await accept(store, scope, seen('web', 1));
        await accept(store, scope, seen('web', 2));
        const [first, second, ...others] = await store.manifests(0, 10);
        assert.ok(first && second);
        assert.deepEqual(others, []);
        assert.deepEqual(first.kind, { group: 'apps', version: 'v1', kind: 'Deployment', resource: 'deployments' });
        assert.deepEqual(
          (await store.manifests(first.id, 10)).map(({ id }) => id),
          [second.id],
        );
        const body = utf8('{"metadata":{"name":"web"},"redacted":true}');
        await store.replaceManifests([{ id: second.id, body }]);
        await store.compact();
        assert.deepEqual(await store.baseline('apps', 'deployments', 'shop/web'), body);
        await accept(store, scope, gone('web', 3));
        const [added, updated, deleted] = await store.history({ limit: 10 });
        assert.deepEqual(added?.after?.['spec'], { replicas: 1 });
        assert.equal(updated?.after?.['redacted'], true);
        assert.equal(deleted?.before?.['redacted'], true);
        assert.equal((await store.seen(scope, undefined, 10)).length, 0);
      },
    );

    storeTest(
      fixture,
      'clears errors and reasons of changes with the replaced manifest as before or after',
      async ({ store }) => {
        const scope = await withPending(store, ['web', 'api']);
        for (const { id } of (await claim(store)).deliveries) {
          await store.park(id, { until: NOW, attempts: 1, deferredSince: undefined, reason: 'HTTP 500 for hunter2' });
        }
        for (const { id } of (await claim(store, { now: NOW + 1 })).deliveries) {
          await store.deadLetter(id, { handler: 'default/slack', error: 'HTTP 400 for hunter2', attempts: 2 });
        }
        await accept(store, scope, gone('web', 2));
        const [deletion] = (await claim(store)).deliveries;
        await store.deadLetter(deletion?.id ?? 0, {
          handler: 'default/slack',
          error: 'HTTP 400 for hunter2',
          attempts: 1,
        });
        const [web] = await store.manifests(0, 10);
        await store.replaceManifests([{ id: web?.id ?? 0, body: utf8('{"metadata":{"name":"web"}}') }]);
        for (const { id, key } of await store.history({ limit: 10 })) {
          const { deliveries = [] } = (await store.trip(id)) ?? {};
          const said = deliveries.flatMap(({ reason, failures }) => [reason, ...failures.map(({ error }) => error)]);
          assert.ok(said.length >= 2);
          assert.ok(
            said.every((text) => text?.includes('hunter2') === (key === 'shop/api')),
            `${key}: ${said.join(', ')}`,
          );
        }
      },
    );
  });

  describe('getFact()', () => {
    storeTest(fixture, 'returns the value last given to setFact()', async ({ store }) => {
      assert.equal(await store.getFact('cluster'), undefined);
      await store.setFact('cluster', 'a');
      await store.setFact('cluster', 'b');
      assert.equal(await store.getFact('cluster'), 'b');
    });
  });
}
