/** The admission policy of docs/recipes.md on the real API server. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readRecipes } from '../../docs/page-recipes.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import { startProgram } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { until } from '../until.ts';

const RECIPE = 'Changes with the user who made them';

test('a message names the user whom the policy of the recipe records, and none for a scaling', async (t) => {
  await using plane = await startControlPlane({ users: ['alice'] });
  const resources = await plane.kubectl('api-resources', '--api-group=admissionregistration.k8s.io');
  if (!/^mutatingadmissionpolicies\s.*\/v1\s/m.test(resources)) return t.skip('needs Kubernetes 1.36');
  const page = await readFile(new URL('../../docs/recipes.md', import.meta.url), 'utf8');
  const section = page.split('\n## ').find((one) => one.startsWith(RECIPE)) ?? '';
  await plane.apply(/```yaml\n([^]*?)```/.exec(section)?.[1] ?? '');
  await plane.kubectl('create', 'clusterrolebinding', 'alice', '--clusterrole=cluster-admin', '--user=alice');
  const { kubeconfig } = await plane.access('alice');
  const annotation = 'jsonpath={.metadata.annotations.example\\.com/changed-by}';
  await until('the policy is in force', async () => {
    await plane.kubectl('delete', 'deployment', 'web', '--ignore-not-found');
    await plane.kubectl('create', 'deployment', 'web', '--image=nginx:1');
    return (await plane.kubectl('get', 'deployment', 'web', '-o', annotation)) === 'admin';
  });

  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  const { toml = '' } = (await readRecipes('recipes.md')).find(({ name }) => name === RECIPE) ?? {};
  await workdir.write('config.toml', toml.replace('"${SLACK_WEBHOOK_URL}"', `"${slack.url}"\nmessagesPerSecond = 0`));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();
  await plane.kubectl('set', 'image', 'deployment/web', 'nginx=nginx:2', `--kubeconfig=${kubeconfig}`);
  await slack.waitFor(1);
  await plane.kubectl('scale', 'deployment/web', '--replicas=2');
  await slack.waitFor(2);
  // Alters no entry of managedFields: those of scaling have no time.
  await plane.kubectl('scale', 'deployment/web', '--replicas=3');
  await slack.waitFor(3);
  assert.equal((await program.stop()).code, 0);

  const lines = slack.requests.map(({ body }) => (JSON.parse(body) as { text: string }).text.split('\n', 2));
  assert.deepEqual(lines, [
    ['deployment default/web updated: image nginx nginx:1 -> nginx:2 · alice', 'by kubectl-set'],
    ['deployment default/web updated: replicas 1 -> 2', 'by kubectl'],
    ['deployment default/web updated: replicas 2 -> 3', 'by kubectl'],
  ]);
});
