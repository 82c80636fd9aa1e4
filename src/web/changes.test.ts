import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withParts } from '../change/lazy-change.ts';
import { accept, openScope, seen, utf8 } from '../store/conformance/fixture.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { changeOf } from '../testing/change.ts';
import { changesQuery, newestShown, toShownChange } from './changes.ts';

test('toShownChange() limits the length of changed field paths, and escapes them', () => {
  const change = changeOf({ after: { apiVersion: 'x/v1', kind: 'Thing', metadata: { name: 'a' } } });
  const paths = [`spec["\u202e"]`, `spec.${'x'.repeat(600_000)}`];
  const { by } = toShownChange(withParts(change, { by: [{ manager: 'm', operation: 'Update', paths }] }));
  assert.equal(by[0]?.paths[0], String.raw`spec["\u202e"]`);
  assert.equal(by[0]?.paths[1]?.length, 1_001);
});

test('changesQuery trims values, and ignores empty ones', () => {
  const { name, namespace } = changesQuery.parse({ name: 'web ', namespace: ' ' });
  assert.deepEqual([name, namespace], ['web', undefined]);
});

test('newestShown() does not list a manager that only lost a field to another one', async (t) => {
  const store = await openSqliteStore({ path: ':memory:', cluster: { id: 'c', name: 'test' } });
  t.after(() => store.close());
  const entry = (manager: string, fields: object) => ({ manager, operation: 'Update', fieldsV1: { 'f:spec': fields } });
  const edited = (replicas: number, ...entries: object[]) =>
    seen('web', replicas, {
      body: utf8(JSON.stringify({ metadata: { name: 'web', namespace: 'shop' }, spec: { replicas } })),
      managedFields: utf8(JSON.stringify(entries)),
    });
  const scope = await openScope(store);
  await accept(store, scope, edited(1, entry('helm', { 'f:replicas': {} })));
  for (let replicas = 2; replicas < 25; replicas++) {
    const [loser, writer] = replicas % 2 === 0 ? ['helm', 'kubectl-scale'] : ['kubectl-scale', 'helm'];
    await accept(store, scope, edited(replicas, entry(loser, {}), entry(writer, { 'f:replicas': {} })));
  }
  const found = await newestShown(store, { by: 'kubectl-scal?' }, 12);
  assert.deepEqual(
    found.map(({ what, by }) => `${what} by ${by.map(({ manager }) => manager).join()}`),
    Array.from({ length: 12 }, (_, n) => `replicas ${23 - 2 * n} -> ${24 - 2 * n} by kubectl-scale`),
  );
});
