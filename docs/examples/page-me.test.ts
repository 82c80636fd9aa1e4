import assert from 'node:assert/strict';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { createChainRunner } from '../../src/chain/runner.ts';
import { loadHandler } from '../../src/chain/load.ts';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createReceivers } from '../../src/delivery/receivers.ts';
import { createMetrics } from '../../src/metrics.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { testEnvironment } from '../../src/testing/handler.ts';
import { startReceiver } from '../../src/testing/receiver.ts';

const file = join(import.meta.dirname, 'config.toml');

/** The chain of config.toml beside this file, on a real store; `accept` takes what a watch would bring. */
async function startExample(t: TestContext, pagerURL: string) {
  const config = await loadConfig(file, { env: { PAGER_URL: pagerURL }, loadHandler });
  const [chain] = config.chains;
  assert.ok(chain);
  const { log } = testEnvironment();
  const metrics = createMetrics();
  const clock = systemClock;
  const store = await openSqliteStore({ path: ':memory:', cluster: { id: 'c', name: 'test' } });
  const receivers = createReceivers({ clock, metrics, log, env: {} });
  const stdout = new PassThrough().resume();
  const runner = createChainRunner({ chain, store, clusterName: 'test', receivers, clock, log, metrics, stdout });
  t.after(async () => {
    await runner.stop(0);
    await store.close();
    await receivers.close();
  });
  await runner.start();
  const { id: scope } = await store.openScope({
    group: 'apps',
    version: 'v1',
    resource: 'deployments',
    kind: 'Deployment',
    namespace: '',
    labelSelector: '',
    fieldSelector: '',
    chains: [chain.name],
  });
  let version = 0;
  return async (type: 'seen' | 'gone', replicas: number): Promise<void> => {
    const resourceVersion = String(++version);
    const metadata = { name: 'web', namespace: 'shop', uid: 'u', resourceVersion };
    const body = Buffer.from(
      JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas } }),
    );
    const observation = { type, key: 'shop/web', uid: 'u', resourceVersion, digest: version, body };
    await store.accept({ scope, observations: [observation] });
    runner.kick();
    await runner.idle();
  };
}

test('page-me pages when a workload is scaled to zero or deleted, and for nothing else', async (t) => {
  const pager = await startReceiver();
  t.after(() => pager.close());
  const accept = await startExample(t, `${pager.url}/topic`);
  await accept('seen', 3);
  await accept('seen', 2);
  assert.equal(pager.requests.length, 0);
  await accept('seen', 0);
  await accept('gone', 0);
  assert.deepEqual(
    pager.requests.map(({ path, headers, body }) => [path, headers['priority'], body]),
    [
      ['/topic', '5', 'test: Deployment shop/web was scaled from 2 to nothing'],
      ['/topic', '5', 'test: Deployment shop/web was deleted; it ran 0 pods'],
    ],
  );
});

test('page-me without a URL fails the start', async () => {
  await assert.rejects(loadConfig(file, { env: {}, loadHandler }), /PAGER_URL/);
});
