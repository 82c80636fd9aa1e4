import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withParts } from '../change/lazy-change.ts';
import { changeOf } from '../testing/change.ts';
import { changesQuery, shown } from './changes.ts';

test('shown() bounds the fields that somebody changed: a key of a custom resource may be as long as the object', () => {
  const change = changeOf({ after: { apiVersion: 'x/v1', kind: 'Thing', metadata: { name: 'a' } } });
  const paths = [`spec["\u202e"]`, `spec.${'x'.repeat(600_000)}`];
  const { by } = shown(withParts(change, { by: [{ manager: 'm', operation: 'Update', paths }] }));
  assert.equal(by[0]?.paths[0], String.raw`spec["\u202e"]`);
  assert.equal(by[0]?.paths[1]?.length, 1_001);
});

test('a query has no use for the space that a keyboard puts behind a word, or for nothing at all', () => {
  const { name, namespace } = changesQuery.parse({ name: 'web ', namespace: ' ' });
  assert.deepEqual([name, namespace], ['web', undefined]);
});
