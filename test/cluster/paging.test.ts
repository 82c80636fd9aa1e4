import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { TestCluster } from '../e2e/cluster.ts';
import { kwatchmanConfig, messages, startProgram } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';

const OBJECTS = 5000;
const WRITERS = 16;

const configMap = (i: number) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `settings-${i}`, namespace: 'default' },
  data: { step: '1' },
});

test('5,000 objects are listed in pages of 500, silently; a change to the last of them is reported', async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await using cluster = new TestCluster(await plane.access());
  const numbers = Array.from({ length: OBJECTS }, (_, i) => i)[Symbol.iterator]();
  const writer = async () => {
    for (const i of numbers) await cluster.create(configMap(i));
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  await workdir.write('config.toml', kwatchmanConfig(slack.url, ['configmap']));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  await cluster.patch('ConfigMap', `settings-${OBJECTS - 1}`, { data: { step: '2' } });
  await slack.waitFor(1);
  assert.equal((await program.stop()).code, 0);
  assert.deepEqual(
    messages(slack).map(({ title }) => title),
    [`UPDATE configmap\ndefault/settings-${OBJECTS - 1}`],
  );
  const lists = (await plane.requestsOf('admin')).filter(
    ({ verb, uri }) => verb === 'list' && uri.startsWith('/api/v1/configmaps?'),
  );
  assert.ok(lists.length >= OBJECTS / 500, `pages asked for: ${lists.length}`);
  assert.ok(lists.every(({ uri, code }) => uri.includes('limit=500') && code === 200));
});
