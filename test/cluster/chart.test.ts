import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment, TestCluster } from '../e2e/cluster.ts';
import { messages } from '../e2e/main-job.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';

const CHART = path.resolve(import.meta.dirname, '../../chart');
const NAME = 'prod-watchchain';
const USER = `system:serviceaccount:monitoring:${NAME}`;

interface Container {
  readonly args: readonly string[];
  readonly env: readonly {
    readonly name: string;
    readonly valueFrom: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
  }[];
}

interface Pod {
  readonly container: Program;
  /** The file, and who it is there. */
  readonly config: string;
  readonly kubeconfig: string;
}

test('the chart, applied: the process runs as its ServiceAccount, tells Slack, and is refused nothing', async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await using cluster = new TestCluster(await plane.access());
  await installed(plane, {
    slack: { webhookURL: slack.url, clusterName: 'prod-eu' },
    web: { token: 'a-token-for-the-page' },
  });
  const { container, config, kubeconfig } = await asThePod(plane, workdir);
  await using program = container;
  await program.ready();

  await using check = new Program(['rbac', '--check', '--config', config, '--kubeconfig', kubeconfig], {
    cwd: workdir.path,
    env: { SLACK_WEBHOOK_URL: slack.url, WEB_TOKEN: 'a-token-for-the-page' },
  });
  assert.deepEqual((await check.exited()).stdout, 'Exactly what the configuration needs.\n');
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

test('the chart with namespaces, a selector and a chain of its own: roles where they are needed, and no others', async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  for (const name of ['shop', 'billing']) await plane.kubectl('create', 'namespace', name);
  await installed(plane, {
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
  await using program = (await asThePod(plane, workdir)).container;
  await program.ready();
  await using cluster = new TestCluster(await plane.access());
  const web = deployment('web');
  await cluster.create({ ...web, metadata: { ...web.metadata, namespace: 'shop', labels: { tier: 'web' } } });
  await slack.waitFor(1);
  assert.equal((await program.stop()).code, 0);
  await neverRefused(plane);

  const may = (verb: string, what: string, where: string) =>
    plane
      .kubectl('auth', 'can-i', verb, what, '-n', where, `--as=${USER}`)
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

test('the chart: a changed configuration changes the checksum of the pods', async () => {
  await using plane = await startControlPlane();
  const checksum = async (values: object) => {
    const rendered = await plane.renderChart('prod', 'monitoring', CHART, values);
    return /checksum\/config: (\w+)/.exec(rendered)?.[1];
  };
  assert.ok(await checksum({}));
  assert.notEqual(await checksum({}), await checksum({ slack: { existingSecret: 'mine' } }));
  assert.equal(await checksum({}), await checksum({ logLevel: 'debug' }));
});

async function installed(plane: ControlPlane, values: object): Promise<void> {
  await plane.kubectl('create', 'namespace', 'monitoring');
  await plane.apply(await plane.renderChart('prod', 'monitoring', CHART, values));
}

/** The container's command as the StatefulSet has it, with the ConfigMap's file, the Secret's variable and the account's token. */
async function asThePod(plane: ControlPlane, workdir: Workdir): Promise<Pod> {
  const get = (kind: string, name: string, jsonpath: string) =>
    plane.kubectl('get', kind, name, '-n', 'monitoring', '-o', `jsonpath={${jsonpath}}`);
  const { args: given, env: variables } = JSON.parse(
    await get('statefulset', NAME, '.spec.template.spec.containers[0]'),
  ) as Container;
  const config = await workdir.write('config.toml', await get('configmap', NAME, '.data.config\\.toml'));
  const secrets = variables.map(async ({ name, valueFrom: { secretKeyRef } }) => {
    const value = await get('secret', secretKeyRef.name, `.data.${secretKeyRef.key}`);
    return [name, Buffer.from(value, 'base64').toString()];
  });
  const args = given.map((arg) =>
    arg
      .replace('/etc/watchchain/config.toml', config)
      .replace('/var/lib/watchchain', workdir.file('state'))
      .replace('0.0.0.0:8080', '127.0.0.1:0'),
  );
  const token = (await plane.kubectl('create', 'token', NAME, '-n', 'monitoring')).trim();
  const { kubeconfig } = await plane.access('service-account', token);
  const env = Object.fromEntries(await Promise.all(secrets)) as Record<string, string>;
  const container = new Program([...args, '--kubeconfig', kubeconfig], { cwd: workdir.path, env });
  return { container, config, kubeconfig };
}

async function neverRefused(plane: ControlPlane): Promise<void> {
  const requests = await plane.requestsOf(USER);
  assert.ok(requests.length > 0);
  assert.deepEqual(
    requests.filter(({ code }) => code === 401 || code === 403),
    [],
  );
}
