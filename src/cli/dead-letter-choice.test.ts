import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claim, withPending } from '../store/conformance/fixture.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import { chosen, select } from './dead-letter-choice.ts';

test('select() reads all dead letters, at most 20 at a time, and chosen() keeps no manifest', async (t) => {
  const store = await openSqliteStore({ path: ':memory:' });
  t.after(() => store.close());
  await withPending(
    store,
    Array.from({ length: 100 }, (_, n) => `web-${n}`),
  );
  for (const { id } of (await claim(store, { now: Date.now() })).deliveries)
    await store.deadLetter(id, { handler: 'default/slack', error: 'e', attempts: 1 });
  const sizes: number[] = [];
  const deadLetters: Store['deadLetters'] = async (query) => {
    const page = await store.deadLetters(query);
    sizes.push(page.length);
    return page;
  };
  const names: string[] = [];
  for await (const { change } of select({ ...store, deadLetters }, {})) names.push(change.name);
  assert.equal(new Set(names).size, 100);
  assert.ok(Math.max(...sizes) <= 20, String(sizes));
  for (const ids of [[], [1, 2]])
    for (const letter of await chosen('replay', store, { all: ids.length === 0 }, ids))
      assert.deepEqual(Object.keys(letter).toSorted(), ['chain', 'handler', 'id'], 'no manifest is kept');
});
