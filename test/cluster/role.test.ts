import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment, TestCluster } from '../e2e/cluster.ts';
import { messages, startProgram } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { page, watching } from './endpoints.ts';

const ROLE = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'watcher', namespace: 'shop' },
    rules: [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['list', 'watch'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'watcher', namespace: 'shop' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'watcher' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'bob' }],
  },
];

const config = (webhookURL: string) => `
[[resource]]
kind = "deployment"
namespaces = ["shop"]
[[handler]]
name = "diff"
[[handler]]
name = "slack"
webhookURL = "${webhookURL}"
`;

test('a user with a Role in one namespace watches that namespace, and is refused only the uid of the cluster', async () => {
  await using plane = await startControlPlane({ users: ['bob'] });
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await using cluster = new TestCluster(await plane.access());
  await plane.apply(ROLE);
  await workdir.write('config.toml', config(slack.url));
  await using program = startProgram(workdir, await plane.access('bob'));
  await program.ready();

  const web = deployment('web');
  await cluster.create({ ...web, metadata: { ...web.metadata, namespace: 'shop' } });
  await cluster.create(deployment('elsewhere'));
  await cluster.patch('Deployment', 'web', { spec: { replicas: 2 } }, 'kubectl', 'shop');
  await slack.waitFor(2);
  assert.equal((await program.stop()).code, 0);

  assert.deepEqual(
    messages(slack).map(({ title }) => title),
    ['ADD deployment\nshop/web', 'UPDATE deployment\nshop/web'],
  );
  const requests = await plane.requestsOf('bob');
  const refused = requests.filter(({ code }) => code === 403).map(({ verb, uri }) => `${verb} ${uri}`);
  // Without the uid of kube-system the cluster is identified by its address: the uid is requested only once.
  assert.deepEqual(refused, ['get /api/v1/namespaces/kube-system']);
  assert.ok(requests.every(({ uri }) => !/\/deployments/.test(uri) || uri.includes('/namespaces/shop/')));
});

test('a forbidden kind degrades alone, and recovers alone once it is granted', async () => {
  await using plane = await startControlPlane({ users: ['bob'] });
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await using cluster = new TestCluster(await plane.access());
  await plane.apply(ROLE);
  await workdir.write('config.toml', `[[resource]]\nkind = "configmap"\nnamespaces = ["shop"]\n${config(slack.url)}`);
  await using program = startProgram(workdir, await plane.access('bob'));
  await program.ready();
  assert.match(await page(program, '/readyz'), /degraded: v1\/configmaps in shop: .*(forbidden|cannot list)/i);

  await plane.kubectl('create', 'role', 'more', '-n', 'shop', '--verb=list,watch', '--resource=configmaps');
  await plane.kubectl('create', 'rolebinding', 'more', '-n', 'shop', '--role=more', '--user=bob');
  await watching(program, 'v1/configmaps');
  await cluster.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'late', namespace: 'shop' },
    data: { a: '1' },
  });
  await slack.waitFor(1);
  assert.equal(messages(slack)[0]?.title, 'ADD configmap\nshop/late');
  assert.equal((await program.stop()).code, 0);
});
