/** The Events of a rollout by real controllers and a real scheduler, on their way to a receiver. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { startProgram } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { until } from '../until.ts';

const config = (url: string) => `
[[resource]]
kind = "event"
namespaces = ["default"]
repeats = "every"
[[handler]]
name = "match"
involvedKind = "^(Deployment|ReplicaSet|Pod)$"
[[handler]]
name = "webhook"
url = "${url}"
[handler.layout]
uid = "{{ change.uid }}"
reason = "{{ event.reason }}"
involved = "{{ involved.kind }}"
app = "{{ involved.labels.app }}"
owner = "{{ involved.topOwner.kind }}/{{ involved.topOwner.name }}"
message = "{{ event.message }}"
`;

interface Told {
  readonly uid: string;
  readonly reason: string;
  readonly involved: string;
  readonly app?: string;
  readonly owner: string;
}

const told = ({ requests }: CapturedReceiver) => requests.map(({ body }) => JSON.parse(body) as Told);

test('each Event of a rollout arrives once, with the labels and the top owner of its involved object', async () => {
  await using plane = await startControlPlane({ pods: 'kwok' });
  await using workdir = await Workdir.make();
  await using receiver = await startReceiver();
  await plane.kubectl('create', 'deployment', 'before', '--image=nginx', '--replicas=1');
  await plane.kubectl('rollout', 'status', 'deployment', 'before', '--timeout=60s');
  await workdir.write('config.toml', config(receiver.url));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  await plane.kubectl('create', 'deployment', 'web', '--image=nginx:1.7.9', '--replicas=3');
  await plane.kubectl('rollout', 'status', 'deployment', 'web', '--timeout=60s');
  await plane.kubectl('scale', 'deployment/web', '--replicas=1');
  await plane.kubectl('rollout', 'status', 'deployment', 'web', '--timeout=60s');
  const inCluster = async () => {
    const { items } = JSON.parse(await plane.kubectl('get', 'events', '-o', 'json')) as EventList;
    const ofWeb = items.filter(({ involvedObject }) => /^web(-|$)/.test(involvedObject.name));
    return ofWeb.map(({ metadata }) => metadata.uid);
  };
  await until('every Event of the rollout was told', async () => {
    const uids = new Set(told(receiver).map(({ uid }) => uid));
    const wanted = await inCluster();
    return wanted.length >= 8 && wanted.every((uid) => uids.has(uid));
  });
  assert.equal((await program.stop()).code, 0);

  const all = told(receiver);
  assert.equal(new Set(receiver.requests.map(({ body }) => body)).size, all.length, 'none is reported twice');
  const kinds = new Map(all.map(({ reason, involved }) => [reason, involved]));
  assert.equal(kinds.get('ScalingReplicaSet'), 'Deployment');
  assert.equal(kinds.get('SuccessfulCreate'), 'ReplicaSet');
  assert.equal(kinds.get('SuccessfulDelete'), 'ReplicaSet');
  // The scheduler writes events.k8s.io/v1.
  assert.equal(kinds.get('Scheduled'), 'Pod');
  const scheduled = all.filter(({ reason }) => reason === 'Scheduled');
  assert.equal(scheduled.length, 3);
  for (const { reason, app, owner } of all.filter(({ reason }) => reason !== 'Killing')) {
    assert.deepEqual([reason, app, owner], [reason, 'web', 'Deployment/web']);
  }
  // Only the metadata was requested, once for each object.
  const gets = (await plane.requestsOf('admin')).filter(
    ({ verb, uri }) => verb === 'get' && /\/(pods|replicasets)\/web-/.test(uri),
  );
  assert.ok(gets.length >= 4, 'three pods and their replica set');
});

interface EventList {
  readonly items: readonly {
    readonly metadata: { readonly uid: string };
    readonly involvedObject: { readonly name: string };
  }[];
}
