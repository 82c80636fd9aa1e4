/** Real controllers, a real scheduler, running pods: people are told what kubectl does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { kwatchmanConfig, messages, startProgram } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { until } from '../until.ts';

test('a rollout by kubectl is reported once, with its manager, and so is every pod that it creates or deletes', async () => {
  await using plane = await startControlPlane({ pods: 'kwok' });
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await plane.kubectl('create', 'deployment', 'web', '--image=nginx:1.7.9', '--replicas=2');
  await plane.kubectl('rollout', 'status', 'deployment', 'web', '--timeout=60s');
  const oldPods = await podNames(() => plane.kubectl('get', 'pods', '-o', 'name'));
  await workdir.write('config.toml', kwatchmanConfig(slack.url, ['deployment', 'pod']));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  await plane.kubectl('set', 'image', 'deployment/web', 'nginx=nginx:1.9.1');
  await plane.kubectl('rollout', 'status', 'deployment', 'web', '--timeout=60s');
  await plane.kubectl('label', 'deployment/web', 'app-');
  await plane.kubectl('scale', 'deployment/web', '--replicas=3');
  await plane.kubectl('rollout', 'status', 'deployment', 'web', '--timeout=60s');
  const running = async () => podNames(() => plane.kubectl('get', 'pods', '-o', 'name'));
  await until('the old pods are gone', async () => (await running()).every((name) => !oldPods.includes(name)));
  const newPods = await running();
  assert.equal(newPods.length, 3);

  const titles = () => messages(slack).map(({ title }) => title);
  await until('every pod is told of', () => {
    const told = titles();
    const goneTold = oldPods.every((name) => told.includes(`DELETE pod\ndefault/${name}`));
    return goneTold && newPods.every((name) => told.includes(`ADD pod\ndefault/${name}`));
  });
  assert.equal((await program.stop()).code, 0);

  const ofDeployment = messages(slack).filter(({ title }) => title === 'UPDATE deployment\ndefault/web');
  assert.deepEqual(
    ofDeployment.map(({ text }) => text.replace(/^```/, '').split('\n')[0]),
    [
      'image nginx nginx:1.7.9 -> nginx:1.9.1 · by kubectl-set',
      // Nobody is recorded for a removed label: not kubectl-create either, which owned it.
      'labels.app web -> (none)',
      'replicas 2 -> 3 · by kubectl',
    ],
  );
  const once = titles().filter((title) => !title.startsWith('UPDATE'));
  assert.equal(new Set(once).size, once.length, 'a pod comes once and goes once');
});

async function podNames(list: () => Promise<string>): Promise<string[]> {
  return (await list())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace('pod/', ''));
}
