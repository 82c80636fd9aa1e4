/** An enricher on the embedded API server, and objects for it to find: for the tests of src/enrich. */
import type { TestContext } from 'node:test';
import type { Change, Manifest } from '../change.ts';
import { createEnricher } from '../enrich/enricher.ts';
import type { ObjectReference } from '../enrich/involved.ts';
import { createMetrics } from '../metrics.ts';
import { Discovery } from '../source/discovery.ts';
import { createRedactor } from '../source/redact.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { startApiServer, type ApiServer } from './api-server.ts';
import { changeOf } from './change.ts';
import { FakeClock } from './fake-clock.ts';
import { logInto } from './log-into.ts';
import { countOf } from './test-chain.ts';
import { clientOf, REDACTION_KEY } from './test-source.ts';

export const PODS = '/api/v1/namespaces/shop/pods/';

export async function startEnricher(t: TestContext, { perSecond = 0, burst = 1 } = {}) {
  const server = await startApiServer();
  const api = clientOf(server);
  const clock = new FakeClock();
  const store = await openSqliteStore({ path: ':memory:', cluster: { id: 'test', name: 'test' }, clock });
  const metrics = createMetrics();
  const warnings: string[] = [];
  const redactor = createRedactor({ envNames: [], paths: [] }, REDACTION_KEY);
  t.after(async () => {
    await api.close();
    await server.close();
    await store.close();
  });
  const discovery = new Discovery(api, { clock });
  const log = logInto((line) => {
    if (line.level === 'warn') warnings.push(JSON.stringify(line));
  });
  const around = { api, store, clock, log, metrics, perSecond, burst };
  const enricher = createEnricher({ ...around, discovery, redactor: () => redactor });
  const { signal } = new AbortController();
  return {
    server,
    store,
    clock,
    involved: (change: Change) => enricher.involved(change, signal),
    topOwner: (change: Change) => enricher.topOwner(change, signal),
    namespaceOf: (change: Change) => enricher.namespaceOf(change, signal),
    warnings,
    /** Requests for single objects so far. */
    gets: () => server.requests.filter(({ path }) => /\/(pods|nodes|replicasets|deployments)\/|widgets\//.test(path)),
    counted: (outcome: string) => countOf(metrics, 'lookups_total', { outcome }),
  };
}

export function pod(name: string, more: Partial<Manifest['metadata']> = {}) {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', labels: { app: name }, ...more } };
}

/** An Event about the object. */
export function about(involvedObject: Partial<ObjectReference>): Change {
  return changeOf({
    after: { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'shop' }, involvedObject },
  });
}

export const aboutPod = (name: string, uid?: string) =>
  about({ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name, ...(uid === undefined ? {} : { uid }) });

/** As the `ownerReferences` of what the object controls. */
const ownedBy = ({ apiVersion = '', kind = '', metadata: { name, uid = '' } }: Manifest) => [
  { apiVersion, kind, name, uid, controller: true },
];

/** A pod of a replica set of a deployment. */
export function rollout(server: ApiServer): Change {
  const metadata = (name: string) => ({ name, namespace: 'shop' });
  const web = server.create({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: metadata('web') });
  const set = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { ...metadata('web-5'), ownerReferences: ownedBy(web) },
  };
  const made = server.create(pod('web-5-x', { ownerReferences: ownedBy(server.create(set)) }));
  return aboutPod('web-5-x', made.metadata.uid);
}
