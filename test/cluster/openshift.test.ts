import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { messages, startProgram } from '../e2e/main-job.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { buildConfig, CRDS, deploymentConfig, project, route } from './openshift-objects.ts';

const config = (webhookURL: string) => `
[[resource]]
kind = "route"
[[resource]]
kind = "dc"
[[resource]]
kind = "BuildConfig"
[[resource]]
kind = "projects"
[[handler]]
name = "diff"
[[handler]]
name = "slack"
webhookURL = "${webhookURL}"
messagesPerSecond = 0
`;

test("OpenShift's kinds are watched by kind, plural or short name, those without a namespace too", async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await plane.apply(CRDS);
  const names = CRDS.map(({ metadata }) => `crd/${metadata.name}`);
  await plane.kubectl('wait', '--for=condition=established', '--timeout=30s', ...names);
  await plane.apply([route('a.apps.example'), deploymentConfig(1), buildConfig('main'), project('one')]);
  await workdir.write('config.toml', config(slack.url));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  await plane.apply([route('b.apps.example'), deploymentConfig(3), buildConfig('release'), project('two')]);
  await slack.waitFor(4);
  assert.deepEqual(
    messages(slack)
      .map(({ title, text }) => `${title}: ${/\S+: .* -> [^`]*/.exec(text)?.[0]}`)
      .toSorted(),
    [
      'UPDATE buildconfig\ndefault/nodejs-ex: spec.source.git.ref: main -> release',
      'UPDATE deploymentconfig\ndefault/nodejs-ex: spec.replicas: 1 -> 3',
      'UPDATE project\ndemo: metadata.annotations["openshift.io/description"]: one -> two',
      'UPDATE route\ndefault/nodejs-ex: spec.host: a.apps.example -> b.apps.example',
    ],
  );
  assert.equal((await program.stop()).code, 0);

  const check = new Program([
    'check',
    '--cluster',
    '-c',
    workdir.file('config.toml'),
    '-k',
    (await plane.access()).kubeconfig,
  ]);
  assert.equal((await check.exited()).code, 0);
});
