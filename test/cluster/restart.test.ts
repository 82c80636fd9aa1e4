/** What only a real server does: die in mid-stream, and compact. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { deployment, TestCluster } from '../e2e/cluster.ts';
import { kwatchmanConfig, messages, startProgram } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { until } from '../until.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

test('kube-apiserver is killed and restarted in mid-stream: nothing is lost, nothing is reported twice', async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await using cluster = new TestCluster(await plane.access());
  for (const name of NAMES) await cluster.create(deployment(name, 'nginx:1.7.9', 1));
  await workdir.write('config.toml', kwatchmanConfig(slack.url, ['deployment']));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  let replicas = 1;
  const scaleAll = async () => {
    replicas += 1;
    for (const name of NAMES) await cluster.patch('Deployment', name, { spec: { replicas } });
  };
  for (let round = 0; round < 3; round += 1) {
    await scaleAll();
    await scaleAll();
    await plane.killApiServer();
    await plane.startApiServer();
    // Before and after the watch is back.
    await scaleAll();
  }
  await scaleAll();
  await until('the last state of each is told', () =>
    NAMES.every((name) => stepsOf(slack, name).at(-1)?.to === replicas),
  );
  assert.equal((await program.stop()).code, 0);

  for (const name of NAMES) {
    const steps = stepsOf(slack, name);
    // Each message continues where the previous one ended: no state is sent twice, and no difference is missing.
    assert.deepEqual(
      steps.map(({ from }) => from),
      [1, ...steps.slice(0, -1).map(({ to }) => to)],
    );
  }
  assert.ok(messages(slack).every(({ title }) => title.startsWith('UPDATE')));
});

test('a stored cursor that etcd has compacted away: 410, one list, and the net changes', async () => {
  await using plane = await startControlPlane({ apiServerFlags: { 'watch-cache': false } });
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await using cluster = new TestCluster(await plane.access());
  for (const name of ['kept', 'gone', 'same']) await cluster.create(deployment(name));
  await workdir.write('config.toml', kwatchmanConfig(slack.url, ['deployment']));
  {
    await using first = startProgram(workdir, await plane.access());
    await first.ready();
    assert.equal((await first.stop()).code, 0);
  }
  for (const replicas of [2, 3, 4]) await cluster.patch('Deployment', 'kept', { spec: { replicas } });
  await cluster.delete('Deployment', 'gone');
  await cluster.create(deployment('new'));
  await plane.compact();
  const before = (await deploymentRequests(plane)).length;
  {
    await using second = startProgram(workdir, await plane.access());
    await slack.waitFor(3);
    await second.ready();
    assert.equal((await second.stop()).code, 0);
  }
  const told = messages(slack).map(({ title, text }) => `${title.replace('\n', ' ')} ${text.split('\n')[0]}`);
  assert.equal(told.length, 3);
  assert.match(
    told.toSorted().join('\n'),
    /^ADD deployment default\/new .*\nDELETE deployment default\/gone .*\nUPDATE deployment default\/kept .*replicas 1 -> 4/,
  );

  const since = (await deploymentRequests(plane)).slice(before);
  assert.deepEqual(
    since.map(({ verb }) => verb),
    ['watch', 'list', 'watch'],
    'the watch goes on from the stored version, and only the 410 makes it list',
  );
});

async function deploymentRequests(plane: {
  requestsOf(user: string): Promise<readonly { verb: string; uri: string }[]>;
}) {
  // The test's own requests name a namespace.
  return (await plane.requestsOf('admin')).filter(({ uri }) => uri.startsWith('/apis/apps/v1/deployments?'));
}

function stepsOf(slack: CapturedReceiver, name: string): { readonly from: number; readonly to: number }[] {
  return messages(slack)
    .filter(({ title }) => title.endsWith(`default/${name}`))
    .map(({ text }) => {
      const [, from, to] = /replicas (\d+) -> (\d+)/.exec(text) ?? [];
      return { from: Number(from), to: Number(to) };
    });
}
