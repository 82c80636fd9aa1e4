import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { messages, startProgram } from '../e2e/main-job.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { CRDS, RECORDED } from './openshift-objects.ts';

const config = (webhookURL: string) => `
[[resource]]
kind = "route"
[[resource]]
kind = "dc"
[[resource]]
kind = "BuildConfig"
[[resource]]
kind = "projects"
[[resource]]
kind = "is"
[[handler]]
name = "diff"
[[handler]]
name = "slack"
webhookURL = "${webhookURL}"
messagesPerSecond = 0
`;

/** Frequent writes by the router, the controllers and the registry, which are not reported. */
const NOISE = [
  ['route/backend', { op: 'replace', path: '/status/ingress/0/conditions/0/status', value: 'False' }],
  ['dc/perl', { op: 'replace', path: '/status/availableReplicas', value: 1 }],
  ['is/os-test-image', { op: 'replace', path: '/status/tags/0/conditions/0/status', value: 'True' }],
] as const;

/** Changes made by people. */
const CHANGES = [
  ['route/backend', { op: 'replace', path: '/spec/host', value: 'shop.apps.example' }],
  ['dc/perl', { op: 'replace', path: '/spec/replicas', value: 3 }],
  ['bc/backend', { op: 'add', path: '/spec/source/git/ref', value: 'release' }],
  ['project/project1', { op: 'replace', path: '/metadata/annotations/openshift.io~1description', value: 'two' }],
  ['is/os-test-image', { op: 'replace', path: '/spec/tags/0/from/name', value: 'other-image' }],
] as const;

test("OpenShift's kinds are watched by kind, plural or short name, cluster-scoped ones too", async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await plane.apply(CRDS);
  const names = CRDS.map(({ metadata }) => `crd/${metadata.name}`);
  await plane.kubectl('wait', '--for=condition=established', '--timeout=30s', ...names);
  await plane.kubectl('apply', '-f', RECORDED);
  await workdir.write('config.toml', config(slack.url));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  for (const [object, change] of [...NOISE, ...CHANGES]) {
    await plane.kubectl('patch', object, '--type=json', '-p', JSON.stringify([change]));
  }
  await slack.waitFor(CHANGES.length);
  assert.deepEqual(
    messages(slack)
      .map(({ title, text }) => `${title}: ${/\S+: .* -> [^`]*/.exec(text)?.[0]}`)
      .toSorted(),
    [
      'UPDATE buildconfig\ndefault/backend: spec.source.git.ref: (none) -> release',
      'UPDATE deploymentconfig\ndefault/perl: spec.replicas: 1 -> 3',
      'UPDATE imagestream\ndefault/os-test-image: spec.tags[latest].from.name: os-test-image -> other-image',
      'UPDATE project\nproject1: metadata.annotations["openshift.io/description"]: "" -> two',
      'UPDATE route\ndefault/backend: spec.host: backend-demo.apps.example -> shop.apps.example',
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
