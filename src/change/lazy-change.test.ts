import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change, Manifest } from '../change.ts';
import { withNote, withParts } from './lazy-change.ts';
import { LazyChange } from './lazy-change.ts';

const PARTS = {
  id: 1,
  action: 'updated',
  cluster: { id: 'c', name: 'shop' },
  gvk: { group: 'apps', version: 'v1', kind: 'Deployment' },
  gvr: { group: 'apps', version: 'v1', resource: 'deployments' },
  key: 'shop/web',
  namespace: 'shop',
  name: 'web',
  uid: 'u',
  resourceVersion: '2',
  observedAt: 0,
  flags: {},
  notes: {},
} as const;

function counted() {
  const asked: string[] = [];
  const part = <T>(name: string, value: T) => {
    return () => {
      asked.push(name);
      return value;
    };
  };
  const manifest = (image: string): Manifest => ({ metadata: { name: 'web' }, spec: { image } });
  const before = part('before', manifest('1'));
  const change = new LazyChange(PARTS, { before, after: part('after', manifest('2')), by: part('by', []) });
  return { asked, change };
}

test('LazyChange: a copy with other parts reads no manifest, and keeps the parts that were not replaced', () => {
  const { asked, change } = counted();
  const copy = withNote(withParts(change, { name: 'other', before: undefined }), 'deadLetter', {} as never);
  assert.deepEqual(asked, []);
  assert.deepEqual([copy.name, copy.before, copy.after?.['spec']], ['other', undefined, { image: '2' }]);
  assert.deepEqual(asked, ['after']);
});

test('LazyChange: a spread copy is complete', () => {
  const change: Change = counted().change;
  const { before, after, by, ...parts } = { ...change };
  assert.deepEqual([before?.['spec'], after?.['spec'], by], [{ image: '1' }, { image: '2' }, []]);
  assert.deepEqual(parts, PARTS);
});

test('LazyChange: an inheriting copy is complete', () => {
  const { change } = counted();
  const copy = Object.create(change, { notes: { value: { own: true } } }) as LazyChange;
  assert.deepEqual([copy.before?.['spec'], copy.after?.['spec'], copy.by], [{ image: '1' }, { image: '2' }, []]);
  assert.deepEqual([copy.name, copy.notes], [PARTS.name, { own: true }]);
});
