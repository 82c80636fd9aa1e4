/** A workload whose containers fail on the real control plane, as kwok's kubelet reports it, and its recovery. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AlertNote } from '../../handlers/podAlerts/alert.ts';
import type { Manifest } from '../../src/change.ts';
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { startProgram } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';

const config = (url: string, kinds: readonly string[], options = 'holdDown = "10s"') => `
${kinds.map((kind) => `[[resource]]\nkind = "${kind}"\n`).join('')}
[[handler]]
name = "podAlerts"
${options}
[[handler]]
name = "webhook"
url = "${url}"
`;

/** kwok makes the containers of such a pod fail a second after they start. */
const FAILS = 'pod-container-running-failed.stage.kwok.x-k8s.io';

const told = ({ requests }: CapturedReceiver) =>
  requests.map(({ body }) => (JSON.parse(body) as { readonly alert: AlertNote }).alert);

const deployment = (isFailing: boolean) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web', [FAILS]: String(isFailing) } },
      spec: { containers: [{ name: 'web', image: 'nginx:1.9.1' }] },
    },
  },
});

test('failing containers raise one alert, with the last change and its manager, and their recovery resolves it', async () => {
  await using plane = await startControlPlane({ pods: 'kwok' });
  await using workdir = await Workdir.make();
  await using receiver = await startReceiver();
  const apply = (isFailing: boolean, by: string) =>
    plane.apply([deployment(isFailing)], `--field-manager=${by}`, '--force-conflicts');
  // By another manager: managedFields do not distinguish two writes of one manager within a second.
  await apply(false, 'setup');
  await plane.kubectl('rollout', 'status', 'deployment', 'web', '--timeout=60s');
  await workdir.write('config.toml', config(receiver.url, ['pod', 'event', 'node', 'deployment']));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  await apply(true, 'ci-pipeline');
  await receiver.waitFor(1, 60_000);
  const [firing] = told(receiver);
  assert.deepEqual(
    [firing?.status, firing?.owner.kind, firing?.owner.name, firing?.container, firing?.node, firing?.exitCode],
    ['firing', 'Deployment', 'web', 'web', 'node-1', 1],
  );
  assert.equal(firing?.reason, 'containerFailed');
  assert.equal(firing?.image, 'nginx:1.9.1');
  const changed = firing?.lastChanges.find(({ by }) => by.includes('ci-pipeline'));
  assert.match(changed?.headline ?? '', /^deployment default\/web updated: /);
  // The scheduler's own Event for this pod.
  assert.ok(firing?.events.some(({ reason }) => reason === 'Scheduled'));

  await apply(false, 'ci-pipeline');
  await receiver.waitFor(2, 60_000);
  const [, resolved, ...more] = told(receiver);
  assert.deepEqual([resolved?.status, resolved?.fingerprint], ['resolved', firing?.fingerprint]);
  assert.ok((resolved?.durationMs ?? 0) > 0);
  assert.deepEqual(more, [], 'its pods that failed meanwhile belong to the first alert');
  assert.equal((await program.stop()).code, 0);
});

/** Writes what a kubelet would after its readiness probe: kwok has none, and leaves a pod that runs as it is. */
async function setReady(plane: ControlPlane, isReady: boolean): Promise<void> {
  const [pod] = (JSON.parse(await plane.kubectl('get', 'pods', '-l', 'app=web', '-o', 'json')) as PodList).items;
  assert.ok(pod);
  const lastTransitionTime = new Date().toISOString();
  const reason = isReady ? {} : { reason: 'ContainersNotReady', message: 'containers with unready status: [web]' };
  const status = {
    containerStatuses: pod.status.containerStatuses.map((container) => ({ ...container, ready: isReady })),
    conditions: ['ContainersReady', 'Ready'].map((type) => {
      return { type, status: isReady ? 'True' : 'False', lastTransitionTime, ...reason };
    }),
  };
  await plane.kubectl('patch', 'pod', pod.metadata.name, '--subresource=status', '-p', JSON.stringify({ status }));
}

interface PodList {
  readonly items: readonly (Manifest & { readonly status: { readonly containerStatuses: readonly object[] } })[];
}

test('a pod that runs without being ready is a warning after notReadyFor, until it is ready', async () => {
  await using plane = await startControlPlane({ pods: 'kwok' });
  await using workdir = await Workdir.make();
  await using receiver = await startReceiver();
  await plane.apply([deployment(false)]);
  await plane.kubectl('rollout', 'status', 'deployment', 'web', '--timeout=60s');
  await workdir.write('config.toml', config(receiver.url, ['pod', 'event'], 'notReadyFor = "2s"\nholdDown = "1s"'));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  await setReady(plane, false);
  await receiver.waitFor(1);
  const [firing] = told(receiver);
  assert.deepEqual(
    [firing?.level, firing?.reason, firing?.owner.name, firing?.container, firing?.message],
    ['Warning', 'NotReady', 'web', 'web', 'containers with unready status: [web]'],
  );
  assert.ok((firing?.durationMs ?? 0) >= 2_000);

  await setReady(plane, true);
  await receiver.waitFor(2);
  const [, resolved] = told(receiver);
  assert.deepEqual([resolved?.status, resolved?.fingerprint], ['resolved', firing?.fingerprint]);
  assert.equal((await program.stop()).code, 0);
});

const job = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'import', namespace: 'default' },
  spec: {
    activeDeadlineSeconds: 2,
    template: {
      metadata: { labels: { app: 'import' } },
      // No node matches, so that it does not run: kwok's jobs complete within a second.
      spec: {
        restartPolicy: 'OnFailure',
        nodeSelector: { 'shop.example/disk': 'fast' },
        containers: [{ name: 'import', image: 'importer:1' }],
      },
    },
  },
};

test('a job that exceeds its deadline raises an alert, and its deletion resolves it', async () => {
  await using plane = await startControlPlane({ pods: 'kwok' });
  await using workdir = await Workdir.make();
  await using receiver = await startReceiver();
  await workdir.write('config.toml', config(receiver.url, ['pod', 'job']));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  await plane.apply([job]);
  await receiver.waitFor(1);
  const [firing] = told(receiver);
  assert.equal(firing?.headline, 'DeadlineExceeded: job default/import');
  assert.match(firing?.message ?? '', /longer than specified deadline/);
  assert.ok(
    firing?.events.some(({ reason }) => reason === 'SuccessfulCreate'),
    "the job controller's own Events",
  );

  await plane.kubectl('delete', 'job', 'import');
  await receiver.waitFor(2);
  assert.equal(told(receiver)[1]?.status, 'resolved');
  assert.equal((await program.stop()).code, 0);
});
