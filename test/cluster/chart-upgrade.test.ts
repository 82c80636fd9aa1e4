/** `helm install` and `helm upgrade` on a cluster with running pods: which changes make a new pod, without loss or repetition. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment, TestCluster } from '../e2e/cluster.ts';
import { messages } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { CHART, helmOn } from './helm.ts';
import { runAsPod, mountedFiles, neverRefused } from './installation.ts';
import { until } from '../until.ts';

/** The volume for the pod's claim, since there is no provisioner. */
const VOLUME = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'disk-1' },
  spec: { capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/disk-1' } },
};

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'shop', namespace: 'default' },
  spec: { ports: [{ port: 80 }] },
};

test('an upgrade keeps the state: reloadable values make no new pod, and a new pod goes on where the old one was', async () => {
  await using plane = await startControlPlane({ pods: 'kwok' });
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await using cluster = new TestCluster(await plane.access());
  await plane.apply([VOLUME]);
  const values = (kinds: readonly string[], name: string) => ({
    slack: { webhookURL: slack.url },
    config: { cluster: { name }, resource: kinds.map((kind) => ({ kind })), handler: [{ name: 'diff' }] },
  });

  await released(plane, ['install', '--create-namespace'], values(['deployment'], 'eu'));
  const first = await running(plane);
  const pod = await runAsPod(plane, workdir);
  await using old = await pod.start();
  await old.ready();
  await cluster.create(deployment('before'));
  await slack.waitFor(1);

  await released(plane, ['upgrade'], values(['deployment', 'service'], 'eu'));
  await pod.volume.update(await mountedFiles(plane));
  await old.until('the reload', ({ stderr }) => stderr.includes('"Configuration reloaded"'));
  await old.ready();
  await cluster.create(SERVICE);
  await slack.waitFor(2);
  assert.deepEqual(await running(plane), first);

  // As by the controller: the old pod is gone before the new one exists.
  await released(plane, ['upgrade'], values(['deployment', 'service'], 'us'));
  await until('there is another pod', async () => (await running(plane)).pod !== first.pod);
  assert.equal((await old.stop()).code, 0);
  await cluster.create(deployment('meanwhile'));
  await pod.volume.update(await mountedFiles(plane));
  await using young = await pod.start();
  await young.ready();
  await cluster.create(deployment('after'));
  await slack.waitFor(4);
  assert.equal((await young.stop()).code, 0);

  assert.deepEqual(
    messages(slack).map(({ title }) => title.replace('\n', ' ')),
    [
      'ADD deployment default/before',
      'ADD service default/shop',
      'ADD deployment default/meanwhile',
      'ADD deployment default/after',
    ],
  );
  assert.equal((await running(plane)).claim, first.claim);
  await neverRefused(plane);
});

test('an upgrade replaces a pod that is not ready', async () => {
  await using plane = await startControlPlane({ pods: 'elsewhere' });
  const values = (disk: string) => ({ persistence: { enabled: false }, nodeSelector: { disk } });
  const waitsFor = (disk: string) =>
    until(`the pod waits for a node with ${disk}`, async () => {
      const pod = ['get', 'pod', 'prod-watchchain-0', '-n', 'monitoring', '--ignore-not-found'];
      return (await plane.kubectl(...pod, '-o', 'jsonpath={.spec.nodeSelector.disk}')) === disk;
    });
  await released(plane, ['install', '--create-namespace'], values('mistyped'));
  await waitsFor('mistyped');
  await released(plane, ['upgrade'], values('ssd'));
  await waitsFor('ssd');
});

async function released(
  plane: ControlPlane,
  [command = '', ...flags]: readonly string[],
  values: object,
): Promise<void> {
  await helmOn(plane, [command, 'prod', CHART, '--namespace', 'monitoring', ...flags], values);
}

/** The uids of the pod and of its claim, once the pod runs. */
async function running(plane: ControlPlane): Promise<{ readonly pod: string; readonly claim: string }> {
  const uid = (kind: string, name: string) =>
    plane.kubectl('get', kind, name, '-n', 'monitoring', '-o', 'jsonpath={.metadata.uid}');
  const rollout = ['rollout', 'status', 'statefulset/prod-watchchain', '-n', 'monitoring', '--timeout=120s'];
  await plane.kubectl(...rollout);
  return { pod: await uid('pod', 'prod-watchchain-0'), claim: await uid('pvc', 'state-prod-watchchain-0') };
}
