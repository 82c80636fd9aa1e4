import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { Workdir } from '../../test/e2e/program.ts';
import { runCommand, type CommandOutput } from '../../test/run-command.ts';
import { BUILT_IN_KINDS } from '../source/built-in-kinds.ts';
import type { Rule } from '../rbac/roles.ts';
import { startApiServer } from '../testing/api-server.ts';
import type { AccessRule } from '../testing/api-server/access.ts';

const resource = (kind: string, more = '') => `[[resource]]\nkind = "${kind}"\n${more}\n`;
const LOG = '[[handler]]\nname = "log"\n';

async function rbac(toml: string, ...args: string[]): Promise<CommandOutput> {
  await using workdir = await Workdir.make();
  const config = await workdir.write('config.toml', toml);
  const said = await runCommand(['rbac', '-c', config, ...args]);
  return { ...said, stderr: said.stderr.replaceAll(config, 'config.toml') };
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly name: string };
}

/** `ClusterRole watchchain-watchchain: get namespaces kube-system`, a line for each rule or binding. */
async function lines(toml: string, ...args: string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await rbac(toml, ...args);
  assert.deepEqual([code, stderr], [0, '']);
  return parseAllDocuments(stdout).flatMap((document) => {
    const { kind, metadata, rules, roleRef } = document.toJS() as Manifest;
    const who = `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
    if (roleRef !== undefined) return [`${who} -> ${roleRef.name}`];
    return (rules ?? []).map(({ apiGroups, resources, resourceNames = [], verbs }) =>
      `${who}: ${verbs.join('+')} ${resources.join()}.${apiGroups.join()} ${resourceNames.join()}`.trimEnd(),
    );
  });
}

/** Exactly what is needed to log the deployments in `shop`. */
const SHOP: AccessRule = ({ verb, group, resource: what, namespace, name }) =>
  (verb === 'get' && what === 'namespaces' && name === 'kube-system') ||
  (group === 'apps' && what === 'deployments' && namespace === 'shop' && ['list', 'watch'].includes(verb));

async function checked(allow: AccessRule, toml: string) {
  await using server = await startApiServer();
  await using workdir = await Workdir.make();
  server.allow(allow);
  return await rbac(toml, '--check', '-k', await server.writeKubeconfig(workdir.file('kubeconfig')));
}

describe('rbac', () => {
  test('prints a ClusterRole for all namespaces, by plural, short name and group', async () => {
    const config = ['deploy', 'pods', 'ingresses.networking.k8s.io', 'ns'].map((kind) => resource(kind)).join('');
    assert.deepEqual(await lines(config + LOG, '--service-account', 'monitoring/teller'), [
      'ClusterRole teller-monitoring: get namespaces. kube-system',
      'ClusterRole teller-monitoring: list+watch deployments.apps',
      'ClusterRole teller-monitoring: list+watch pods.',
      'ClusterRole teller-monitoring: list+watch ingresses.networking.k8s.io',
      'ClusterRole teller-monitoring: list+watch namespaces.',
      'ClusterRoleBinding teller-monitoring -> teller-monitoring',
    ]);
  });

  test('prints one Role for each named namespace, and nothing that a ClusterRole already covers', async () => {
    const config =
      resource('deployment', 'namespaces = ["shop", "web"]') +
      resource('deployment', 'namespaces = ["shop"]\nlabelSelector = "a=b"') +
      resource('node', 'namespaces = ["shop"]') +
      resource('secret') +
      resource('secret', 'namespaces = ["web"]');
    assert.deepEqual(await lines(config + LOG), [
      'ClusterRole watchchain-watchchain: get namespaces. kube-system',
      'ClusterRole watchchain-watchchain: list+watch nodes.',
      'ClusterRole watchchain-watchchain: list+watch secrets.',
      'ClusterRoleBinding watchchain-watchchain -> watchchain-watchchain',
      'Role shop/watchchain-watchchain: list+watch deployments.apps',
      'RoleBinding shop/watchchain-watchchain -> watchchain-watchchain',
      'Role web/watchchain-watchchain: list+watch deployments.apps',
      'RoleBinding web/watchchain-watchchain -> watchchain-watchchain',
    ]);
  });

  test('prints a ClusterRole for a namespace pattern, and no Role beside it', async () => {
    const config =
      resource('deployment', 'namespaces = ["shop", "team-*"]') +
      resource('configmap', 'namespaces = ["web"]') +
      resource('service', 'namespaces = ["*"]');
    assert.deepEqual(await lines(config + LOG, '--namespace', 'team-*'), [
      'ClusterRole watchchain-watchchain: get namespaces. kube-system',
      'ClusterRole watchchain-watchchain: list+watch deployments.apps',
      'ClusterRole watchchain-watchchain: list+watch services.',
      'ClusterRoleBinding watchchain-watchchain -> watchchain-watchchain',
      'Role web/watchchain-watchchain: list+watch configmaps.',
      'RoleBinding web/watchchain-watchchain -> watchchain-watchchain',
    ]);
  });

  test('adds rules for lookups where something is watched, and for the reviews of clusterAccess', async () => {
    const config = `[web]\nclusterAccess = true\n${resource('event', 'namespaces = ["shop"]')}[[handler]]\nname = "match"\nownerName = "^web$"\n${LOG}`;
    assert.deepEqual(await lines(config, '--lookup', 'pod, replicaset,node,'), [
      'ClusterRole watchchain-watchchain: get namespaces. kube-system',
      'ClusterRole watchchain-watchchain: get nodes.',
      'ClusterRoleBinding watchchain-watchchain -> watchchain-watchchain',
      'ClusterRoleBinding watchchain-watchchain-auth-delegator -> system:auth-delegator',
      'Role shop/watchchain-watchchain: list+watch events.',
      'Role shop/watchchain-watchchain: get pods.',
      'Role shop/watchchain-watchchain: get replicasets.apps',
      'RoleBinding shop/watchchain-watchchain -> watchchain-watchchain',
    ]);
    const { code, stderr } = await rbac(config);
    assert.deepEqual([code, /--lookup pod,replicaset/.test(stderr)], [0, true]);
  });

  test('a cluster-scoped kind that is watched gives no right to look up objects in all namespaces', async () => {
    const config = `${resource('node')}${resource('pod', 'namespaces = ["shop"]')}[[handler]]\nname = "podAlerts"\n${LOG}`;
    assert.deepEqual(await lines(config, '--lookup', 'replicaset'), [
      'ClusterRole watchchain-watchchain: get namespaces. kube-system',
      'ClusterRole watchchain-watchchain: list+watch nodes.',
      'ClusterRoleBinding watchchain-watchchain -> watchchain-watchchain',
      'Role shop/watchchain-watchchain: list+watch pods.',
      'Role shop/watchchain-watchchain: get replicasets.apps',
      'Role shop/watchchain-watchchain: get pods/log.',
      'Role shop/watchchain-watchchain: list events.',
      'RoleBinding shop/watchchain-watchchain -> watchchain-watchchain',
    ]);
  });

  test('a handler may ask only where its own chain watches; one in a chain for dead letters, wherever any does', async () => {
    const chain = (name: string, ...parts: string[]) =>
      `[[chain]]\nname = "${name}"\n${parts.join('').replaceAll('[[', '[[chain.')}`;
    const alerts = '[[handler]]\nname = "podAlerts"\nevents = 0\n';
    const pods = chain('pods', resource('pod', 'namespaces = ["shop"]'), alerts, LOG);
    assert.deepEqual(await lines(resource('deployment') + LOG + pods), [
      'ClusterRole watchchain-watchchain: get namespaces. kube-system',
      'ClusterRole watchchain-watchchain: list+watch deployments.apps',
      'ClusterRoleBinding watchchain-watchchain -> watchchain-watchchain',
      'Role shop/watchchain-watchchain: list+watch pods.',
      'Role shop/watchchain-watchchain: get pods/log.',
      'RoleBinding shop/watchchain-watchchain -> watchchain-watchchain',
    ]);
    const watched = resource('deployment', 'namespaces = ["shop", "web"]');
    const letters = await lines(`deadLetters = "dead"\n${watched}${LOG}${chain('dead', alerts, LOG)}`);
    assert.deepEqual(
      letters.filter((line) => line.includes('pods/log')),
      ['shop', 'web'].map((namespace) => `Role ${namespace}/watchchain-watchchain: get pods/log.`),
    );
  });

  test('mentions --lookup only if a rule needs an object that is not watched', async () => {
    const speaks = async (config: string) => (await rbac(config + LOG)).stderr.includes('--lookup');
    const labels = '[[handler]]\nname = "match"\nlabels = { team = "." }\n';
    assert.equal(await speaks(resource('deployment') + labels), false);
    assert.equal(await speaks(resource('deployment') + resource('ev') + labels), true);
    const quiet = (test: string) => `quiet = [{ ${test}, daily = "22:00-06:00" }]\n${resource('event')}`;
    assert.equal(await speaks(quiet('namespace = "^batch$"')), false);
    assert.equal(await speaks(quiet('ownerName = "^importer$"')), true);
    assert.equal(await speaks(quiet('labels = { team = "." }')), true);
  });

  test('adds rules for the Lease, by its name, in its namespace', async () => {
    const config = `[lease]\nname = "teller"\n${resource('deployment')}${LOG}`;
    const rules = (role: string, lease: string) => [
      `Role ${role}: get+update leases.coordination.k8s.io ${lease}`,
      `Role ${role}: create leases.coordination.k8s.io`,
      `RoleBinding ${role} -> ${role.split('/').at(-1)}`,
    ];
    assert.deepEqual((await lines(config)).slice(-3), rules('watchchain/watchchain', 'teller'));
    assert.deepEqual(
      (await lines(config, '--lease', 'monitoring/other')).slice(-3),
      rules('monitoring/watchchain-watchchain', 'other'),
    );
  });

  test('refuses unknown kinds, each with its line, and an invalid service account', async () => {
    const { code, stderr } = await rbac(resource('deploymint') + resource('widget') + LOG);
    assert.equal(code, 1);
    assert.match(stderr, /config\.toml:\d+: the resource name of "deploymint" is unknown; near names: .*deployment/);
    assert.match(stderr, /the resource name of "widget" is unknown.*; --cluster asks the cluster/);
    const account = await rbac(resource('pod') + LOG, '--service-account', 'teller');
    assert.match(account.stderr, /NAMESPACE\/NAME/);
    assert.equal(account.code, 1);
  });

  test('--cluster resolves custom kinds with the cluster', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    server.addResource({
      group: 'shop.example.com',
      version: 'v1',
      resource: 'widgets',
      kind: 'Widget',
      namespaced: true,
    });
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    assert.ok(
      (await lines(resource('widget') + LOG, '--cluster', '-k', kubeconfig)).includes(
        'ClusterRole watchchain-watchchain: list+watch widgets.shop.example.com',
      ),
    );
  });

  test('--cluster says of an unknown kind that the cluster does not serve it, and does not ask for itself', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    const { stderr } = await rbac(resource('deploymint') + LOG, '--cluster', '-k', kubeconfig);
    assert.match(stderr, /: kind "deploymint" is not served by the cluster; it serves .*deployment.*\n$/);
  });

  test('--cluster says once why the cluster knows no kind, naming all of them', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    await server.close();
    const { stderr } = await rbac(resource('pod') + resource('node') + LOG, '--cluster', '-k', kubeconfig);
    assert.match(stderr, /^watchchain: \S+:\d+: cannot find out what "pod", "node" are: .* connection refused .*\n$/);
  });

  test('--check reports permissions that are exactly enough, missing, or too much', async () => {
    const toml = resource('deployment', 'namespaces = ["shop"]') + LOG;
    assert.deepEqual(await checked(SHOP, toml), {
      code: 0,
      stdout: 'The rights are exactly what the configuration needs.\n',
      stderr: '',
    });
    const everywhere: AccessRule = (wanted) => SHOP({ ...wanted, namespace: 'shop' });
    assert.equal(
      (await checked(everywhere, resource('deployment') + LOG)).stdout,
      'The rights are exactly what the configuration needs.\n',
    );
    assert.deepEqual(await checked(SHOP, resource('secret', 'namespaces = ["shop"]') + toml), {
      code: 1,
      stdout: 'missing   list, watch secrets in namespace shop\n',
      stderr: '',
    });
    const wide: AccessRule = (wanted) =>
      SHOP(wanted) || (wanted.verb === 'list' && wanted.resource === 'secrets') || everywhere(wanted);
    assert.deepEqual(await checked(wide, toml), {
      code: 0,
      stdout: [
        'too much  list secrets in shop, default, kube-system\n',
        'too much  list, watch deployments.apps in default, kube-system\n',
      ].join(''),
      stderr: '',
    });
  });

  test('the chart has the same table of built-in kinds', async () => {
    const file = await readFile(new URL('../../chart/templates/_kinds.tpl', import.meta.url), 'utf8');
    const [, table = ''] = /define "watchchain\.kinds" -\}\}\n(.*?)\{\{- end/s.exec(file) ?? [];
    const ours = BUILT_IN_KINDS.map(({ singular, group, resource: name, namespaced, shortNames }) => [
      singular,
      {
        group,
        resource: name,
        ...(shortNames[0] === undefined ? {} : { short: shortNames[0] }),
        ...(namespaced ? {} : { namespaced: false }),
      },
    ]);
    assert.deepEqual(parse(table), Object.fromEntries(ours));
  });
});
