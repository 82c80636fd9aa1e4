/** An API server accepts every set of values, with strict field validation and the restricted Pod Security Standard. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { SETS } from './chart-sets.ts';
import { startControlPlane } from './control-plane.ts';
import { CHART, helm, helmOn, rendered, statefulSetOf, type PodSpec } from './helm.ts';
import { kubeconform } from './kubeconform.ts';
import { PROMETHEUS_OPERATOR } from './prometheus-operator.ts';

test('every set of values is accepted, its pods by the restricted Pod Security Standard', async () => {
  await using plane = await startControlPlane();
  await plane.apply(['monitoring', 'shop', 'billing', 'web'].map(restricted));
  await plane.apply(PROMETHEUS_OPERATOR);
  await plane.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
  for (const [name, values] of Object.entries(SETS)) {
    const manifests = await rendered(values);
    assert.deepEqual(await kubeconform(plane, manifests), []);
    await plane.apply(manifests, '--validate=strict');
    await plane.apply([pod(name, statefulSetOf(manifests).spec.template.spec)], '--validate=strict');
    // A StatefulSet's volume claims cannot be changed, nor can most of a pod.
    await plane.kubectl('delete', 'statefulset,pod', '--all', '-n', 'monitoring', '--now');
  }
  const { spec } = statefulSetOf(await rendered({})).spec.template;
  await assert.rejects(plane.apply([pod('careless', { ...spec, securityContext: {} })]), /violates PodSecurity/);
  const misspelt = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, date: {}, data: { a: 1 } };
  assert.match((await kubeconform(plane, [misspelt])).join(), /ConfigMap\/x: .*(got number, want string|'date')/);
  await assert.rejects(plane.apply([{ ...restricted('other'), spce: {} }], '--validate=strict'), /spce/);
});

test('names that YAML takes for numbers or booleans are accepted, and a release with dots in its name', async () => {
  await using plane = await startControlPlane();
  await plane.kubectl('create', 'namespace', '12345');
  const values = {
    serviceAccount: { name: '7' },
    slack: { existingSecret: '8', key: '9' },
    config: { resource: [{ kind: 'pod', namespaces: ['12345'] }], handler: [{ name: 'log' }] },
  };
  for (const release of ['no', '1e3', 'my.release']) {
    const { code, stdout, stderr } = await helm(['template', release, CHART, '--namespace', '12345'], values);
    assert.equal(code, 0, stderr);
    await plane.apply(stdout, '--validate=strict', '--dry-run=server');
  }
});

test('the Ingress of docs/page.md is accepted, and leads to the Service of a release `watchchain`', async () => {
  const page = await readFile(new URL('../../docs/page.md', import.meta.url), 'utf8');
  const ingress = /```yaml\n([^`]*kind: Ingress[^`]*)```/.exec(page)?.[1] ?? '';
  await using plane = await startControlPlane();
  await plane.kubectl('create', 'namespace', 'monitoring');
  await plane.apply(ingress, '--validate=strict');
  await helmOn(plane, ['install', 'watchchain', CHART, '--namespace', 'monitoring']);
  const found = await plane.kubectl('describe', 'ingress', 'watchchain', '-n', 'monitoring');
  assert.match(found, /watchchain\.example\s+\/\s+watchchain:http \(/);
  assert.doesNotMatch(found, /not found/);
});

function restricted(name: string): object {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** As made by the controller, except for the volume of the claim. */
function pod(name: string, spec: PodSpec): object {
  const { volumes = [] } = spec;
  const state = volumes.some((volume) => volume.name === 'state') ? [] : [{ name: 'state', emptyDir: {} }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'monitoring' },
    spec: { ...spec, volumes: [...volumes, ...state] },
  };
}
