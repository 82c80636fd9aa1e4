import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withParts } from '../change/lazy-change.ts';
import { changeOf, type ChangeRecord } from './change-of.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const record: ChangeRecord = {
  id: 7,
  action: 'updated',
  gvk: { group: 'apps', version: 'v1', kind: 'Deployment' },
  resource: 'deployments',
  key: 'shop/web',
  uid: 'u-1',
  resourceVersion: '12',
  before: bytes('{"metadata":{"name":"web"},"spec":{"replicas":1}}'),
  after: bytes('{"metadata":{"name":"web"},"spec":{"replicas":3}}'),
  actors: '[{"manager":"kubectl","operation":"Update","paths":["spec.replicas"]}]',
  observedAt: 1000,
  flags: { whileAway: true },
  cluster: undefined,
};
const cluster = { id: 'c-1', name: 'prod' };

describe('changeOf()', () => {
  test('returns the whole change', () => {
    const change = changeOf(record, cluster);
    assert.deepEqual(
      { ...change },
      {
        id: 7,
        action: 'updated',
        cluster,
        gvk: { group: 'apps', version: 'v1', kind: 'Deployment' },
        gvr: { group: 'apps', version: 'v1', resource: 'deployments' },
        key: 'shop/web',
        namespace: 'shop',
        name: 'web',
        uid: 'u-1',
        resourceVersion: '12',
        before: { metadata: { name: 'web' }, spec: { replicas: 1 } },
        after: { metadata: { name: 'web' }, spec: { replicas: 3 } },
        by: [{ manager: 'kubectl', operation: 'Update', paths: ['spec.replicas'] }],
        observedAt: 1000,
        flags: { whileAway: true },
        notes: {},
      },
    );
  });

  test('has no namespace for a cluster-scoped object', () => {
    const { namespace, name } = changeOf({ ...record, key: 'node-1' }, cluster);
    assert.deepEqual({ namespace, name }, { namespace: undefined, name: 'node-1' });
  });

  test('parses a manifest once, also for copies of the change', () => {
    const change = changeOf(record, cluster);
    const copy = withParts(change, { observedAt: 2000 });
    assert.equal(copy.after, change.after);
    assert.equal(change.after, change.after);
  });

  test('does not parse a manifest before it is read', () => {
    const broken = changeOf({ ...record, before: bytes('{') }, cluster);
    assert.deepEqual(broken.after?.['spec'], { replicas: 3 });
    assert.throws(() => broken.before, SyntaxError);
  });
});
