import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openSqliteStore } from '../../store/sqlite.ts';
import type { Store } from '../../store/store.ts';
import { Acknowledged } from './acknowledged.ts';

async function openStore(t: TestContext): Promise<Store> {
  const store = await openSqliteStore({ path: ':memory:', cluster: { id: 'c', name: 'test' } });
  t.after(() => store.close());
  return store;
}

const ALL: ReadonlySet<string> = new Set(['a', 'b']);

test('Acknowledged.add() keeps concurrent additions', async (t) => {
  const store = await openStore(t);
  const acknowledged = new Acknowledged(store);
  await Promise.all([acknowledged.add(['a'], 1, ALL), acknowledged.add(['b'], 2, ALL)]);
  assert.deepEqual(
    [...(await acknowledged.times())],
    [
      ['a', 1],
      ['b', 2],
    ],
  );
  assert.deepEqual(
    [...(await new Acknowledged(store).times())],
    [
      ['a', 1],
      ['b', 2],
    ],
  );
});

test('Acknowledged.times() asks the store again after a failure', async (t) => {
  const store = await openStore(t);
  t.mock.method(store, 'recall', () => Promise.reject(new Error('busy')), { times: 1 });
  const acknowledged = new Acknowledged(store);
  await assert.rejects(acknowledged.times(), /busy/);
  assert.deepEqual([...(await acknowledged.times())], []);
});

test('Acknowledged.add() adds nothing if the store refuses', async (t) => {
  const store = await openStore(t);
  t.mock.method(store, 'remember', () => Promise.reject(new Error('full')), { times: 1 });
  const acknowledged = new Acknowledged(store);
  await assert.rejects(acknowledged.add(['a'], 1, ALL), /full/);
  assert.deepEqual([...(await acknowledged.times())], []);
});
