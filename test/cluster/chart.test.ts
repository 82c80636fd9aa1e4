import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment, TestCluster } from '../e2e/cluster.ts';
import { messages } from '../e2e/main-job.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { rendered, type PodSpec } from './helm.ts';
import { ACCOUNT, apply, runAsPod, neverRefused } from './installation.ts';

test('the applied chart runs as its ServiceAccount, reports to Slack, and is refused nothing', async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await using cluster = new TestCluster(await plane.access());
  const manifests = await apply(plane, {
    slack: { webhookURL: slack.url, clusterName: 'prod-eu' },
    web: { token: 'a-token-for-the-page' },
  });
  const pod = await runAsPod(plane, workdir);
  await using program = await pod.start();
  await program.ready();

  const { env } = pod;
  const config = '--config=/etc/watchchain/config.toml';
  await using check = new Program(pod.here(['rbac', '--check', config, '--lease', 'monitoring/prod-watchchain']), {
    cwd: workdir.path,
    env,
  });
  assert.deepEqual((await check.exited()).stdout, 'The rights are exactly what the configuration needs.\n');
  // What `helm test` runs.
  const tested = manifests.find(({ kind }) => kind === 'Pod') as unknown as { spec: PodSpec };
  await using helmTest = new Program(pod.here(tested.spec.containers[0].args), { cwd: workdir.path, env });
  assert.equal((await helmTest.exited()).code, 0);

  await cluster.create(deployment('web'));
  await cluster.patch('Deployment', 'web', { spec: { replicas: 2 } });
  await slack.waitFor(2);
  assert.equal((await program.stop()).code, 0);

  assert.deepEqual(
    messages(slack).map(({ title, footer }) => [title, footer]),
    [
      ['ADD deployment\ndefault/web', 'prod-eu'],
      ['UPDATE deployment\ndefault/web', 'prod-eu'],
    ],
  );
  await neverRefused(plane);
});

test('the chart with namespaces, a selector and a chain of its own has roles where they are needed, and no others', async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  for (const name of ['shop', 'billing']) await plane.kubectl('create', 'namespace', name);
  await apply(plane, {
    namespaces: ['shop'],
    labelSelector: 'tier=web',
    lookupKinds: ['replicaset'],
    slack: { webhookURL: slack.url },
    config: {
      resource: [{ kind: 'deployment' }],
      handler: [{ name: 'diff' }],
      chain: [
        { name: 'quotas', resource: [{ kind: 'ResourceQuota', namespaces: ['billing'] }], handler: [{ name: 'log' }] },
      ],
    },
  });
  await using program = await (await runAsPod(plane, workdir)).start();
  await program.ready();
  await using cluster = new TestCluster(await plane.access());
  const web = deployment('web');
  await cluster.create({ ...web, metadata: { ...web.metadata, namespace: 'shop', labels: { tier: 'web' } } });
  await slack.waitFor(1);
  assert.equal((await program.stop()).code, 0);
  await neverRefused(plane);

  const may = (verb: string, what: string, where: string) =>
    plane
      .kubectl('auth', 'can-i', verb, what, '-n', where, `--as=${ACCOUNT}`)
      .catch((error: { stdout: string }) => error.stdout);
  const answers = await Promise.all([
    may('watch', 'deployments', 'shop'),
    may('watch', 'deployments', 'billing'),
    may('list', 'resourcequotas', 'billing'),
    may('list', 'secrets', 'shop'),
    may('get', 'replicasets', 'shop'),
    may('list', 'replicasets', 'shop'),
    may('update', 'deployments', 'shop'),
  ]);
  assert.deepEqual(
    answers.map((answer) => answer.trim()),
    ['yes', 'no', 'yes', 'no', 'yes', 'no', 'no'],
  );
});

test('without clusterWide, the chart is installed by who has rights in one namespace only, and works there', async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  const metadata = { name: 'tenant', namespace: 'monitoring' };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const apiGroup = 'rbac.authorization.k8s.io';
  await plane.kubectl('create', 'namespace', 'monitoring');
  await plane.apply([
    { apiVersion, kind: 'Role', metadata, rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] },
    {
      apiVersion,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup, kind: 'Role', name: 'tenant' },
      subjects: [{ apiGroup, kind: 'User', name: 'tenant' }],
    },
  ]);
  const values = { namespaces: ['monitoring'], slack: { webhookURL: slack.url } };
  await assert.rejects(plane.apply(await rendered(values), '--as=tenant'), /cannot patch resource "clusterroles"/);
  await plane.apply(await rendered({ ...values, rbac: { clusterWide: false } }), '--as=tenant');

  await using program = await (await runAsPod(plane, workdir)).start();
  await program.ready();
  await using cluster = new TestCluster(await plane.access());
  const web = deployment('web');
  await cluster.create({ ...web, metadata: { ...web.metadata, namespace: 'monitoring' } });
  await slack.waitFor(1);
  assert.equal((await program.stop()).code, 0);
  const refused = (await plane.requestsOf(ACCOUNT)).filter(({ code }) => code === 401 || code === 403);
  assert.deepEqual([...new Set(refused.map(({ uri }) => uri))], ['/api/v1/namespaces/kube-system']);
});

test("the chart with kubernetes-event-exporter's file delivers its Events, with a role for no more than that", async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using receiver = await startReceiver();
  await plane.kubectl('create', 'namespace', 'shop');
  await apply(plane, {
    config: {
      namespace: 'shop',
      route: { routes: [{ match: [{ kind: 'Pod', reason: 'Back.*', receiver: 'hook' }] }] },
      receivers: [
        { name: 'hook', webhook: { endpoint: receiver.url, layout: { text: '{{ .Reason }}: {{ .Message }}' } } },
      ],
    },
  });
  await using program = await (await runAsPod(plane, workdir)).start();
  await program.ready();

  const event = (name: string, reason: string) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: 'shop' },
    reason,
    message: 'restarting web',
    type: 'Warning',
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web-0' },
  });
  await plane.apply([event('a', 'Pulled'), event('b', 'BackOff')]);
  await receiver.waitFor(1);
  assert.equal((await program.stop()).code, 0);
  assert.deepEqual(
    receiver.requests.map(({ body }) => body),
    ['{"text":"BackOff: restarting web"}'],
  );
  await neverRefused(plane);
  const roles = await plane.kubectl('get', 'role', '-n', 'shop', '-o', 'jsonpath={.items[*].rules}');
  assert.deepEqual(JSON.parse(roles), [{ apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] }]);
});
