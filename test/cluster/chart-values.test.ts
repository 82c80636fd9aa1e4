/** What helm makes of the values: what is refused and how, and what an API server says to the rest. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startControlPlane } from './control-plane.ts';
import { CHART, helm, rendered, type Manifest } from './helm.ts';

const EVERYTHING = {
  slack: { webhookURL: 'https://hooks.slack.example/x' },
  web: { token: 'a-token-for-the-page' },
  config: { web: { clusterAccess: true }, resource: [{ kind: 'pod' }], handler: [{ name: 'log' }] },
  podDisruptionBudget: { create: true },
  networkPolicy: { create: true, from: [{ namespaceSelector: {} }] },
  extraEnv: [{ name: 'TEAM', value: 'ops' }],
};
const EPHEMERAL = { persistence: { enabled: false } };
const OPENSHIFT = { podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null } };

describe('values', () => {
  for (const [name, values, message] of [
    ['an unknown value', { slak: {} }, /additional properties 'slak' not allowed/],
    ['an unknown value below another', { slack: { webhookUrl: 'x' } }, /at '\/slack'.*'webhookUrl' not allowed/],
    ['a value of another type', { namespaces: 'shop' }, /at '\/namespaces': got string, want array/],
    ['a token that is too short', { web: { token: 'short' } }, /at '\/web\/token'/],
    ['two replicas', { replicas: 2 }, /replicas is 2, it must be 1: two processes would each tell of every change/],
    [
      'a kind that the chart does not know',
      { config: { resource: [{ kind: 'widget' }] } },
      /kind "widget" is not known/,
    ],
  ] as const) {
    test(`refused with the reason: ${name}`, async () => {
      const { code, stderr } = await helm(['template', 'prod', CHART], values);
      assert.notEqual(code, 0);
      assert.match(stderr.replaceAll('\n', ' '), message);
    });
  }

  for (const [name, values] of Object.entries({ 'as they come': {}, EVERYTHING, EPHEMERAL, OPENSHIFT })) {
    test(`helm lint finds nothing: ${name}`, async () => {
      const { code, stdout, stderr } = await helm(['lint', '--strict', CHART], values);
      assert.equal(code, 0, stdout + stderr);
    });
  }

  test('tokens and URLs are in the Secret only, and the pod is told where', async () => {
    const manifests = await rendered(EVERYTHING);
    const where = manifests.filter((one) => /hooks\.slack\.example|a-token-for/.test(JSON.stringify(one)));
    assert.deepEqual(
      where.map(({ kind }) => kind),
      ['Secret'],
    );
    const own = await rendered({ slack: { existingSecret: 'mine' }, web: { existingSecret: 'mine', key: 'page' } });
    assert.equal(
      own.some(({ kind }) => kind === 'Secret'),
      false,
    );
    assert.match(
      JSON.stringify(podOf(own)),
      /"WEB_TOKEN","valueFrom":\{"secretKeyRef":\{"name":"mine","key":"page"\}\}/,
    );
  });

  test('without persistence the state is an emptyDir, and nothing claims a volume', async () => {
    const set = statefulSetOf(await rendered(EPHEMERAL));
    assert.match(JSON.stringify(set.spec.template), /"name":"state","emptyDir"/);
    assert.equal(set.spec.volumeClaimTemplates, undefined);
  });

  test('a ServiceMonitor is made for the port of the Service', async () => {
    const [monitor] = (await rendered({ serviceMonitor: { create: true, labels: { release: 'prometheus' } } })).filter(
      ({ kind }) => kind === 'ServiceMonitor',
    );
    assert.equal(monitor?.metadata.labels?.['release'], 'prometheus');
    assert.deepEqual(monitor?.['spec'], {
      selector: { matchLabels: { 'app.kubernetes.io/name': 'watchchain', 'app.kubernetes.io/instance': 'prod' } },
      endpoints: [{ port: 'http', path: '/metrics', interval: '30s' }],
    });
  });
});

test('the chart on a real API server: every manifest is accepted, its pods by the restricted Pod Security Standard', async () => {
  await using plane = await startControlPlane();
  await plane.apply([
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'monitoring', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
  ]);
  for (const [name, values] of Object.entries({ everything: EVERYTHING, ephemeral: EPHEMERAL, openshift: OPENSHIFT })) {
    const manifests = await rendered(values);
    await plane.apply(manifests);
    await plane.apply([pod(name, podOf(manifests))]);
    // What it claims cannot be changed later.
    await plane.kubectl('delete', 'statefulset', '--all', '-n', 'monitoring');
  }
  const careless = { ...podOf(await rendered({})), securityContext: {} };
  await assert.rejects(plane.apply([pod('careless', careless)]), /violates PodSecurity "restricted/);
});

interface StatefulSet {
  readonly spec: { readonly template: { readonly spec: object }; readonly volumeClaimTemplates?: readonly object[] };
}

function statefulSetOf(manifests: readonly Manifest[]): StatefulSet {
  const set = manifests.find(({ kind }) => kind === 'StatefulSet');
  assert.ok(set);
  return set as unknown as StatefulSet;
}

function podOf(manifests: readonly Manifest[]): object {
  return statefulSetOf(manifests).spec.template.spec;
}

/** As the controller makes it, but for the volume of the claim. */
function pod(name: string, spec: object): object {
  const { volumes = [] } = spec as { readonly volumes?: readonly { readonly name: string }[] };
  const state = volumes.some((volume) => volume.name === 'state') ? [] : [{ name: 'state', emptyDir: {} }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'monitoring' },
    spec: { ...spec, volumes: [...volumes, ...state] },
  };
}
