import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withPending } from '../store/conformance/fixture.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import { newest } from './history.ts';

test('the newest are told oldest first, and few are in memory at once, for they hold whole manifests', async (t) => {
  const store = await openSqliteStore({ path: ':memory:' });
  t.after(() => store.close());
  const keys = Array.from({ length: 100 }, (_, n) => `web-${n}`);
  await withPending(store, keys);
  const sizes: number[] = [];
  const history: Store['history'] = async (query) => {
    const page = await store.history(query);
    sizes.push(page.length);
    return page;
  };
  const names = async (limit: number, filter = {}) => {
    const found: string[] = [];
    for await (const page of newest({ ...store, history }, filter, limit)) found.push(...page.map(({ name }) => name));
    return found;
  };
  for (const limit of [1, 20, 21, 50, 100, 1_000]) assert.deepEqual(await names(limit), keys.slice(-limit));
  assert.deepEqual(await names(3, { name: 'web-?' }), ['web-7', 'web-8', 'web-9']);
  assert.deepEqual(await names(3, { name: 'none' }), []);
  assert.ok(Math.max(...sizes) <= 20, String(sizes));
});
