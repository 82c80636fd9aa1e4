import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, CLUSTER, openScope, seen } from './conformance/fixture.ts';
import { openSqliteStore } from './sqlite.ts';

test(
  'a call that cannot be sent, such as with a promise as the key, is refused alone',
  { timeout: 10_000 },
  async (t) => {
    const store = await openSqliteStore({ path: ':memory:', cluster: CLUSTER });
    t.after(() => store.close());
    const scope = await openScope(store);
    const forgotAwait = Promise.resolve('thread') as never;
    const [recall, changes, history] = await Promise.allSettled([
      store.recall('default/own', forgotAwait),
      accept(store, scope, seen('web', 1)),
      store.history({ since: forgotAwait, limit: 1 }),
    ]);
    assert.deepEqual(changes, { status: 'fulfilled', value: 1 });
    for (const refused of [recall, history]) {
      assert.equal(refused.status, 'rejected');
      assert.match(String(refused.reason), /Promise.* could not be cloned/);
    }
  },
);
