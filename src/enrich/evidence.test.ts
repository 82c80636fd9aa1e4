import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedEvidence } from './evidence.ts';

test('recordedEvidence() hides secrets by the current names', () => {
  const store = { history: () => Promise.resolve([]), baseline: () => Promise.resolve(undefined) };
  let names: readonly string[] = ['PIN'];
  const evidence = recordedEvidence(store, () => names);
  const text = 'exit with PIN=1234 LICENCE=abc for postgres://app:hunter2@db/shop';
  assert.equal(evidence.redacted(text), 'exit with PIN=*** LICENCE=abc for postgres://***@db/shop');
  names = ['PIN', '^LICENCE$'];
  assert.equal(evidence.redacted(text), 'exit with PIN=*** LICENCE=*** for postgres://***@db/shop');
});
