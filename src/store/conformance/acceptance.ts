import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  accept,
  BASIS,
  claim,
  claimLines,
  CLUSTER,
  firstList,
  gone,
  historyLines,
  NOW,
  openScope,
  seen,
  seenDeep,
  SPEC,
  storeTest,
  utf8,
  type StoreFixture,
} from './fixture.ts';

/** accept() and stage(), and what they turn observations into. */
export function acceptance(fixture: StoreFixture): void {
  describe('accept()', () => {
    storeTest(
      fixture,
      'makes added, updated and deleted changes with the manifests before and after',
      async ({ store }) => {
        const scope = await openScope(store);
        const accepted = await store.accept({ scope, observations: [seen('web', 1), seen('web', 2), gone('web', 3)] });
        assert.deepEqual(accepted, { changes: 3, chains: ['default'] });
        const changes = await store.history({ limit: 10 });
        assert.deepEqual(
          changes.map(({ action, before, after }) => [action, before?.['spec'], after?.['spec']]),
          [
            ['added', undefined, { replicas: 1 }],
            ['updated', { replicas: 1 }, { replicas: 2 }],
            ['deleted', { replicas: 2 }, undefined],
          ],
        );
      },
    );

    storeTest(fixture, 'records the cluster, object, time and flags of a change', async ({ store }) => {
      await accept(store, await openScope(store), seen('web', 1, { flags: { whileAway: true, compacted: true } }));
      const [change] = await store.history({ limit: 1 });
      assert.ok(change);
      const { before: _, after: __, id, ...rest } = change;
      assert.ok(Number.isSafeInteger(id) && id > 0);
      assert.deepEqual(rest, {
        action: 'added',
        cluster: CLUSTER,
        gvk: { group: 'apps', version: 'v1', kind: 'Deployment' },
        gvr: { group: 'apps', version: 'v1', resource: 'deployments' },
        key: 'shop/web',
        namespace: 'shop',
        name: 'web',
        uid: 'uid-web',
        resourceVersion: '1',
        by: [],
        observedAt: NOW,
        flags: { whileAway: true, compacted: true },
        notes: {},
      });
    });

    storeTest(
      fixture,
      'makes no change for the same uid and resourceVersion, or the same uid and digest',
      async ({ store }) => {
        const scope = await openScope(store);
        await accept(store, scope, seen('web', 1));
        assert.equal(await accept(store, scope, seen('web', 1, { digest: 99 })), 0);
        assert.equal(await accept(store, scope, seen('web', 2, { digest: 1 })), 0);
        assert.deepEqual(await historyLines(store), ['added shop/web 1']);
      },
    );

    storeTest(fixture, 'writes nothing but the cursor for an equal digest', async ({ store }) => {
      const scope = await openScope(store);
      await store.accept(firstList(scope, [seen('web', 1)]));
      const accepted = await store.accept({ scope, observations: [seen('web', 2, { digest: 1 })], cursor: '102' });
      assert.deepEqual(accepted, { changes: 0, chains: [] });
      assert.deepEqual(await store.seen(scope, undefined, 10), [
        { key: 'shop/web', uid: 'uid-web', resourceVersion: '1', digest: 1 },
      ]);
      assert.equal((await store.openScope(SPEC)).cursor, '102');
    });

    storeTest(fixture, 'records another uid under the same key as deleted and added', async ({ store }) => {
      const scope = await openScope(store);
      await accept(store, scope, seen('web', 1), seen('web', 5, { uid: 'uid-new' }));
      const changes = await store.history({ afterId: 1, limit: 10 });
      assert.deepEqual(
        changes.map((c) => [c.action, c.uid, c.resourceVersion, c.before?.['spec'], c.after?.['spec'], c.flags]),
        [
          ['deleted', 'uid-web', '1', { replicas: 1 }, undefined, { finalStateUnknown: true }],
          ['added', 'uid-new', '5', undefined, { replicas: 5 }, {}],
        ],
      );
    });

    storeTest(
      fixture,
      'ignores the deletion of an unknown object, or of an older one of the same name',
      async ({ store }) => {
        const scope = await openScope(store);
        await accept(store, scope, seen('web', 5, { uid: 'uid-new' }));
        assert.equal(await accept(store, scope, gone('api', 6), gone('web', 4, { uid: 'uid-old' })), 0);
        assert.equal(await accept(store, scope, gone('web', 7, { uid: 'uid-new' })), 1);
      },
    );

    storeTest(fixture, 'updates the baseline without a change for silent observations', async ({ store }) => {
      const scope = await openScope(store);
      await store.accept(firstList(scope, [seen('web', 1), seen('api', 1)]));
      assert.equal(await accept(store, scope, gone('api', 2, { silent: true })), 0);
      assert.deepEqual(
        (await store.seen(scope, undefined, 10)).map(({ key }) => key),
        ['shop/web'],
      );
      assert.equal(await accept(store, scope, seen('web', 2)), 1);
      assert.deepEqual(await historyLines(store), ['updated shop/web 2']);
    });

    storeTest(fixture, 'replaces the body of an unchanged object for a silent observation', async ({ store }) => {
      const scope = await openScope(store);
      await accept(store, scope, seen('web', 1));
      await accept(
        store,
        scope,
        seen('web', 1, { silent: true, digest: 77, body: utf8('{"metadata":{"name":"web"}}') }),
      );
      await accept(store, scope, gone('web', 2));
      const [added, deleted] = await store.history({ limit: 2 });
      assert.deepEqual(added?.after?.['spec'], { replicas: 1 });
      assert.deepEqual(deleted?.before, { metadata: { name: 'web' } });
    });

    storeTest(fixture, 'opens one delivery per chain of the scope', async ({ store }) => {
      const scope = await openScope(store, { chains: ['a', 'b'] });
      assert.deepEqual((await store.accept({ scope, observations: [seen('web', 1)] })).chains, ['a', 'b']);
      assert.deepEqual(await claimLines(store, { chain: 'a' }), ['added shop/web 1']);
      assert.deepEqual(await claimLines(store, { chain: 'b' }), ['added shop/web 1']);
      assert.deepEqual(await claimLines(store), []);
    });

    storeTest(fixture, 'names who made a change, and not who made earlier ones', async ({ store }) => {
      const entry = (manager: string, time: string) => ({
        manager,
        operation: 'Update',
        time,
        fieldsV1: { 'f:spec': { 'f:replicas': {} } },
      });
      const fields = (...entries: object[]) => utf8(JSON.stringify(entries));
      const helm = entry('helm', '2026-01-01T00:00:00Z');
      const scope = await openScope(store);
      await store.accept(firstList(scope, [seen('web', 1, { managedFields: fields(helm) })]));
      await accept(
        store,
        scope,
        seen('web', 2, { managedFields: fields(helm, entry('kubectl', '2026-01-02T00:00:00Z')) }),
      );
      const [change] = await store.history({ limit: 1 });
      assert.deepEqual(change?.by, [
        { manager: 'kubectl', operation: 'Update', time: '2026-01-02T00:00:00Z', paths: ['spec.replicas'] },
      ]);
    });

    storeTest(
      fixture,
      'names who made a successor, even if its managedFields equal those of the original',
      async ({ store }) => {
        const managedFields = utf8('[{"manager":"helm","operation":"Apply","fieldsV1":{"f:spec":{}}}]');
        const scope = await openScope(store);
        await accept(store, scope, seen('web', 1, { managedFields }), seen('web', 2, { managedFields, uid: 'uid-2' }));
        const [, , successor] = await store.history({ limit: 3 });
        assert.deepEqual(
          successor?.by.map(({ manager }) => manager),
          ['helm'],
        );
      },
    );

    storeTest(fixture, 'does not blame the owner of a field that somebody else removed', async ({ store }) => {
      const entry = (manager: string, second: number, ...owned: string[]) => ({
        manager,
        operation: 'Update',
        time: `2026-01-01T00:00:0${second}Z`,
        fieldsV1: { 'f:data': Object.fromEntries(owned.map((field) => [`f:${field}`, {}])) },
      });
      const fields = (...entries: object[]) => utf8(JSON.stringify(entries));
      const scope = await openScope(store);
      const create = (second: number, ...owned: string[]) => entry('kubectl-create', second, ...owned);
      const label = entry('kubectl-label', 5, 'c');
      await accept(store, scope, seen('web', 1, { managedFields: fields(create(1, 'a', 'b'), label) }));
      await accept(store, scope, seen('web', 2, { managedFields: fields(create(1, 'a'), label) }));
      await accept(store, scope, seen('web', 3, { managedFields: fields(create(7, 'a', 'd'), label) }));
      const [, removed, written] = await store.history({ limit: 3 });
      assert.deepEqual(removed?.by, []);
      assert.deepEqual(
        written?.by.map(({ manager }) => manager),
        ['kubectl-create'],
      );
    });

    storeTest(fixture, 'leaves out managers that wrote only noise since the last change', async ({ store }) => {
      const entry = (manager: string, field: string) => ({
        manager,
        operation: 'Update',
        fieldsV1: { [`f:${field}`]: { 'f:a': {} } },
      });
      const fields = (...entries: object[]) => utf8(JSON.stringify(entries));
      const scope = await openScope(store);
      const basis = { version: 'v1', interest: { except: ['status'] }, redaction: '' };
      const managedFields = fields(entry('helm', 'spec'));
      await store.accept({ ...firstList(scope, [seen('web', 1, { managedFields })]), basis });
      const later = fields(entry('helm', 'spec'), entry('kube-controller-manager', 'status'), entry('kubectl', 'spec'));
      await accept(store, scope, seen('web', 9, { managedFields: later }));
      const [change] = await store.history({ limit: 1 });
      assert.deepEqual(
        change?.by.map(({ manager }) => manager),
        ['kubectl'],
      );
    });

    storeTest(fixture, 'accepts a body of 1.5 MB', async ({ store }) => {
      const data = 'x'.repeat(1_500_000);
      await accept(
        store,
        await openScope(store),
        seen('big', 1, { body: utf8(JSON.stringify({ metadata: { name: 'big' }, data })) }),
      );
      assert.equal((await claim(store)).deliveries[0]?.change.after?.['data'], data);
    });

    storeTest(
      fixture,
      'accepts a change of a deeply nested object, made by the owner of the field',
      async ({ store }) => {
        const scope = await openScope(store);
        const managedFields = utf8('[{"manager":"helm","operation":"Update","fieldsV1":{"f:spec":{}}}]');
        for (const version of [1, 2]) await accept(store, scope, seenDeep('web', version, { managedFields }));
        assert.deepEqual((await store.history({ limit: 10 })).at(-1)?.by, [
          { manager: 'helm', operation: 'Update', paths: ['spec'] },
        ]);
      },
    );

    storeTest(fixture, 'treats keys such as __proto__ as data', async ({ store }) => {
      const body = utf8(
        '{"metadata":{"name":"web"},"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
      );
      await accept(store, await openScope(store), seen('__proto__', 1, { body }));
      const [change] = await store.history({ limit: 1 });
      assert.deepEqual(Object.keys(change?.after ?? {}), ['metadata', '__proto__', 'constructor']);
      assert.equal('polluted' in {}, false);
    });

    storeTest(fixture, 'takes effect in call order when calls are not awaited', async ({ store }) => {
      const scope = await openScope(store);
      const versions = Array.from({ length: 50 }, (_, i) => i + 1);
      await Promise.all(versions.map((version) => accept(store, scope, seen('web', version))));
      const history = await store.history({ limit: 100 });
      assert.deepEqual(
        history.map((c) => Number(c.resourceVersion)),
        versions,
      );
      assert.deepEqual(
        history.map((c) => c.before?.['spec']),
        [undefined, ...versions.slice(0, -1).map((replicas) => ({ replicas }))],
      );
    });

    storeTest(fixture, 'rejects an unknown scope, and only that call', async ({ store }) => {
      const scope = await openScope(store);
      const [bad, good] = await Promise.allSettled([
        accept(store, scope + 99, seen('web', 1)),
        accept(store, scope, seen('api', 1)),
      ]);
      assert.equal(bad.status, 'rejected');
      assert.equal(good.status, 'fulfilled');
      assert.deepEqual(await historyLines(store), ['added shop/api 1']);
    });
  });

  describe('stage()', () => {
    storeTest(fixture, 'holds a list back until the accept that completes it', async ({ store }) => {
      const scope = await openScope(store);
      await store.accept(firstList(scope, [seen('web', 1), seen('api', 1), seen('old', 1)]));
      await store.stage(scope, [seen('web', 2), seen('api', 1)]);
      await store.stage(scope, [gone('old', 3, { flags: { finalStateUnknown: true } }), seen('new', 3)]);
      assert.deepEqual(await historyLines(store), []);
      const accepted = await store.accept({ scope, observations: [], staged: true, cursor: '200', basis: BASIS });
      assert.equal(accepted.changes, 3);
      const changes = await store.history({ limit: 10 });
      assert.deepEqual(
        changes.map((c) => [c.action, c.name, c.before?.['spec'], c.after?.['spec'], c.flags]),
        [
          ['updated', 'web', { replicas: 1 }, { replicas: 2 }, {}],
          ['deleted', 'old', { replicas: 1 }, undefined, { finalStateUnknown: true }],
          ['added', 'new', undefined, { replicas: 3 }, {}],
        ],
      );
    });

    storeTest(fixture, 'is undone by discardStaged()', async ({ store }) => {
      const scope = await openScope(store);
      await store.stage(scope, [seen('web', 1)]);
      await store.discardStaged(scope);
      assert.equal((await store.accept({ scope, observations: [], staged: true })).changes, 0);
    });

    storeTest(fixture, 'has its observations accepted only once', async ({ store }) => {
      const scope = await openScope(store);
      await store.stage(scope, [seen('web', 1)]);
      assert.equal((await store.accept({ scope, observations: [seen('web', 2)], staged: true })).changes, 2);
      assert.equal((await store.accept({ scope, observations: [], staged: true })).changes, 0);
      assert.deepEqual(await historyLines(store), ['added shop/web 1', 'updated shop/web 2']);
    });

    storeTest(fixture, 'names who made a staged change', async ({ store }) => {
      const scope = await openScope(store);
      const managedFields = utf8('[{"manager":"helm","operation":"Apply","fieldsV1":{"f:spec":{}}}]');
      await store.stage(scope, [seen('web', 1, { managedFields })]);
      await store.accept({ scope, observations: [], staged: true });
      const [change] = await store.history({ limit: 1 });
      assert.deepEqual(change?.by, [{ manager: 'helm', operation: 'Apply', paths: ['spec'] }]);
    });
  });
}
