import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { EVERYTHING } from '../interest.ts';
import { createLogger } from '../log.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import { addressId } from './cluster-identity.ts';
import { recogniseCluster } from './recognise-cluster.ts';

const ADDRESS = 'ca@api.example:6443';
const log = createLogger({ level: 'error', format: 'json', color: false, stream: new PassThrough() });
const byUid = (id: string) => ({ identity: { id, by: 'kube-system' }, address: ADDRESS, clusterName: id }) as const;
/** A connection without the right to read `kube-system`. */
const byAddress = {
  identity: { id: addressId(ADDRESS), by: 'address' },
  address: ADDRESS,
  clusterName: 'prod',
} as const;
const bytes = Buffer.from('{"metadata":{"name":"web"}}');

/** A store with a baseline and a pending change. */
async function used(t: TestContext): Promise<Store> {
  const store = await openSqliteStore({ path: ':memory:' });
  t.after(() => store.close());
  await recogniseCluster(store, byUid('first'), log);
  const kind = { group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment' };
  const { id: scope } = await store.openScope({
    ...kind,
    namespace: '',
    labelSelector: '',
    fieldSelector: '',
    chains: ['default'],
  });
  const seen = { type: 'seen', key: 'shop/web', uid: 'u', resourceVersion: '1', digest: 1, body: bytes } as const;
  const basis = { version: 'v1', interest: EVERYTHING, redaction: '' };
  await store.accept({ scope, observations: [seen], cursor: '1', basis });
  return store;
}

/** How many objects are known before the cluster is asked. */
async function baselines(store: Store): Promise<number> {
  const all = { group: 'apps', resource: 'deployments', namespace: 'shop', afterKey: '', limit: 10 };
  return (await store.held(all)).length;
}

test('recogniseCluster() starts a new baseline for another cluster, and earlier changes keep their cluster', async (t) => {
  const store = await used(t);
  await recogniseCluster(store, byUid('second'), log);
  assert.equal(await baselines(store), 0);
  const [change] = await store.history({ limit: 1 });
  assert.deepEqual(change?.cluster, { id: 'first', name: 'first' });
});

test('recogniseCluster() keeps the baseline when access to kube-system is lost and regained', async (t) => {
  const store = await used(t);
  await recogniseCluster(store, byAddress, log);
  await recogniseCluster(store, byUid('first'), log);
  assert.equal(await baselines(store), 1);
});

test('recogniseCluster() keeps the baseline when access to kube-system is granted later', async (t) => {
  const store = await used(t);
  await store.setFact('cluster', addressId(ADDRESS));
  await recogniseCluster(store, byUid('first'), log);
  assert.equal(await baselines(store), 1);
});
