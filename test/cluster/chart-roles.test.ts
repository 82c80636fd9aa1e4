/** The chart's roles equal those of `watchchain rbac` for the configuration that the chart writes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAllDocuments, stringify } from 'yaml';
import { BUILT_IN_KINDS } from '../../src/source/built-in-kinds.ts';
import type { Rule } from '../../src/rbac/roles.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { SETS } from './chart-sets.ts';
import { CHART, configOf, helm, rendered, statefulSetOf, type Manifest } from './helm.ts';

const handler = [{ name: 'diff' }, { name: 'log' }];
const inNamespaces = (kind: string, ...namespaces: string[]) => ({ kind, namespaces });

const MATRIX: Readonly<Record<string, { readonly values: object; readonly flags?: readonly string[] }>> = {
  'as it comes': { values: {} },
  'without a Lease': { values: { lease: { enabled: false } } },
  'where the release is': {
    values: { config: { resource: [inNamespaces('deployment', 'monitoring', 'shop')], handler } },
  },
  'kinds by plural, short name and group': {
    values: {
      config: {
        resource: [
          { kind: 'deploy' },
          { kind: 'Pods' },
          { kind: 'ingresses.networking.k8s.io' },
          { kind: 'jobs.v1.batch' },
        ],
        handler,
      },
    },
  },
  'namespaces of its own, and of the values': {
    values: {
      namespaces: ['shop', 'web'],
      config: {
        resource: [{ kind: 'deployment' }, inNamespaces('pod', 'billing'), inNamespaces('node', 'shop')],
        handler,
      },
    },
    flags: ['--namespace', 'shop,web'],
  },
  'a kind in all namespaces, and again in one': {
    values: {
      config: { resource: [{ kind: 'pod' }, inNamespaces('pod', 'shop'), inNamespaces('secret', 'shop')], handler },
    },
  },
  chains: {
    values: {
      config: {
        resource: [inNamespaces('deployment', 'shop')],
        handler,
        chain: [
          { name: 'upgrades', resource: [{ kind: 'event' }], handler },
          { name: 'quotas', resource: [inNamespaces('ResourceQuota', 'billing')], handler },
        ],
      },
    },
  },
  'lookups where something is watched': {
    values: {
      lookupKinds: ['pod', 'replicaset', 'node'],
      config: { resource: [inNamespaces('event', 'shop'), inNamespaces('pod', 'web')], handler },
    },
    flags: ['--lookup', 'pod,replicaset,node'],
  },
  'lookups everywhere': {
    values: { lookupKinds: ['rs'], config: { resource: [{ kind: 'event' }, inNamespaces('rs', 'web')], handler } },
    flags: ['--lookup', 'rs'],
  },
  'lookups, and podAlerts, beside a cluster-scoped kind': {
    values: {
      lookupKinds: ['pod', 'namespace'],
      config: {
        resource: [{ kind: 'node' }, inNamespaces('event', 'shop')],
        handler: [{ name: 'podAlerts' }, ...handler],
      },
    },
    flags: ['--lookup', 'pod,namespace'],
  },
  'lookups with nothing but a cluster-scoped kind': {
    values: { lookupKinds: ['pod'], namespaces: ['shop'], config: { resource: [{ kind: 'node' }], handler } },
    flags: ['--lookup', 'pod', '--namespace', 'shop'],
  },
  'podAlerts, in chains and branches': {
    values: {
      config: {
        resource: [inNamespaces('pod', 'shop')],
        handler: [{ name: 'podAlerts', events: 0 }, { name: 'log' }],
        chain: [
          {
            name: 'nodes',
            resource: [inNamespaces('event', 'web')],
            handler: [{ name: 'log' }],
            branch: [{ name: 'alerts', handler: [{ name: 'podAlerts', logLines: 0 }] }],
          },
        ],
      },
    },
  },
  'podAlerts in one chain of several, and in one for dead letters': {
    values: {
      config: {
        resource: [{ kind: 'deployment' }],
        handler,
        deadLetters: 'dead',
        chain: [
          {
            name: 'pods',
            resource: [inNamespaces('pod', 'shop')],
            handler: [{ name: 'podAlerts', events: 0 }, { name: 'log' }],
          },
          { name: 'dead', handler: [{ name: 'podAlerts', logLines: 0 }, { name: 'log' }] },
        ],
      },
    },
  },
  'podAlerts without evidence': {
    values: {
      config: {
        resource: [{ kind: 'pod' }],
        handler: [{ name: 'podAlerts', events: 0, logLines: 0 }, { name: 'log' }],
      },
    },
  },
  'lookups that are off': {
    values: {
      lookupKinds: ['pod'],
      config: {
        lookup: { enabled: false },
        resource: [{ kind: 'event' }],
        handler: [{ name: 'podAlerts' }, ...handler],
      },
    },
    flags: ['--lookup', 'pod'],
  },
  'podAlerts in a branch of a branch': {
    values: {
      config: {
        resource: [inNamespaces('pod', 'shop')],
        handler: [{ name: 'log' }],
        branch: [{ name: 'a', branch: [{ name: 'b', handler: [{ name: 'podAlerts' }] }] }],
      },
    },
  },
  "kubernetes-event-exporter's, with lookups": {
    values: { lookupKinds: ['pod'], config: { ...SETS['event-exporter'].config, namespace: '' } },
    flags: ['--lookup', 'pod'],
  },
  "kubernetes-event-exporter's, without": {
    values: { lookupKinds: ['pod'], config: { ...SETS['event-exporter'].config, omitLookup: true } },
    flags: ['--lookup', 'pod'],
  },
  'text, in another spelling': {
    values: SETS.text,
    flags: ['--namespace', 'billing,web', '--label-selector', 'tier=web'],
  },
  'values of kwatchman': { values: SETS.kwatchman, flags: ['--namespace', 'shop', '--label-selector', 'tier=web'] },
  'values of giantswarm/event-exporter-app': { values: SETS['giant-swarm'] },
  'patterns of namespaces': { values: SETS.patterns, flags: ['--namespace', 'team-*'] },
  'secrets of the user': { values: SETS['own-secrets'] },
  clusterAccess: {
    values: { config: { web: { clusterAccess: true }, resource: [{ kind: 'pod' }], handler } },
  },
};

// Two at once, since each is a process that spends most of its time starting.
describe('the roles of the chart are those of watchchain rbac', { concurrency: 2 }, () => {
  for (const [name, { values, flags = [] }] of Object.entries(MATRIX)) {
    test(name, async () => {
      await using workdir = await Workdir.make();
      const manifests = await rendered(values);
      const { file, env } = await asMounted(manifests, workdir);
      await using program = new Program(
        ['rbac', '-c', file, '--service-account', 'monitoring/prod-watchchain', ...leaseOf(values), ...flags],
        { cwd: workdir.path, env },
      );
      const { code, stdout, stderr } = await program.exited();
      assert.deepEqual([code, stderr], [0, '']);
      const printed = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
      assert.deepEqual(said(manifests), said(printed));
    });
  }
});

test('without roles of the chart, the notes have the command that prints them', async () => {
  await using workdir = await Workdir.make();
  const values = { namespaces: ['shop'], lookupKinds: ['pod'], config: { resource: [{ kind: 'event' }], handler } };
  const install = ['install', 'prod', CHART, '--namespace', 'monitoring', '--dry-run=client'];
  const { stdout: notes } = await helm(install, { ...values, rbac: { create: false } });
  const [, command = ''] = /^ *watchchain (rbac .*)$/m.exec(notes) ?? [];
  const manifests = await rendered(values);
  const { env } = await asMounted(manifests, workdir);
  await using program = new Program(command.replaceAll("'", '').split(' '), { cwd: workdir.path, env });
  const { stdout } = await program.exited();
  const printed = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
  assert.deepEqual(said(manifests), said(printed));
});

test('without cluster rights the roles are the same but for the ClusterRole', async () => {
  const values = {
    namespaces: ['shop', 'monitoring'],
    lookupKinds: ['pod'],
    config: { resource: [{ kind: 'event' }], handler },
  };
  const all = await rendered(values);
  const cluster = /^Cluster/;
  assert.ok(all.some(({ kind }) => cluster.test(kind)));
  assert.deepEqual(
    await rendered({ ...values, rbac: { clusterWide: false } }),
    all.filter(({ kind }) => !cluster.test(kind)),
  );
});

test('a custom kind with the name of a built-in one does not replace it', async () => {
  const services = [{ kind: 'service' }, { kind: 'service', apiVersion: 'serving.knative.dev/v1' }];
  const kinds = { service: { group: 'serving.knative.dev', resource: 'services' } };
  const manifests = await rendered({ kinds, config: { resource: services, handler } });
  const rules = manifests.flatMap(({ kind, rules = [] }) => (kind === 'ClusterRole' ? (rules as readonly Rule[]) : []));
  const groups = rules.filter(({ resources }) => resources.includes('services')).map(({ apiGroups }) => apiGroups);
  assert.deepEqual(groups, [[''], ['serving.knative.dev']]);
});

test('a custom kind is found under its name in any case', async () => {
  const kinds = { Certificate: { group: 'cert-manager.io', resource: 'certificates', short: 'Cert' } };
  const roles = async (kind: string) => said(await rendered({ kinds, config: { resource: [{ kind }], handler } }));
  const expected = await roles('certificates');
  for (const kind of ['Certificate', 'certificate', 'cert', 'certificates.cert-manager.io'])
    assert.deepEqual(await roles(kind), expected);
  assert.match(expected.join(), /cert-manager\.io/);
});

/** The chart's configuration file and variables; those from Secrets that it does not create are set to a URL. */
async function asMounted(
  manifests: readonly Manifest[],
  workdir: Workdir,
): Promise<{ file: string; env: NodeJS.ProcessEnv }> {
  const { name, text } = configOf(manifests);
  const variables = statefulSetOf(manifests).spec.template.spec.containers[0].env ?? [];
  const secretOf = (name: string) =>
    name === 'WEB_TOKEN' ? 'a-token-for-the-page' : 'https://hooks.slack.example/secret';
  const env = Object.fromEntries(variables.map(({ name, value }) => [name, value ?? secretOf(name)]));
  return { file: await workdir.write(name, text), env };
}

/** The lease flag with which the container is started. */
function leaseOf({ lease }: { readonly lease?: { readonly enabled: boolean } }): readonly string[] {
  return lease?.enabled === false ? [] : ['--lease', 'monitoring/prod-watchchain'];
}

/** Roles and bindings without labels, sorted. */
function said(manifests: readonly Manifest[]): readonly string[] {
  return manifests
    .filter(({ apiVersion }) => apiVersion.startsWith('rbac.'))
    .map(({ kind, metadata: { name, namespace = '' }, rules = [], roleRef, subjects = [] }) => {
      const sorted = (rules as readonly Rule[]).map((rule) => stable({ ...rule, verbs: rule.verbs.toSorted() }));
      return stable({ kind, name, namespace, rules: sorted.toSorted(), roleRef, subjects });
    })
    .toSorted();
}

/** JSON with sorted keys. */
function stable(value: object): string {
  return stringify(value, { sortMapEntries: true, lineWidth: 0 });
}

test('rbac prints the same for every built-in kind with and without --cluster', async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  const resources = BUILT_IN_KINDS.map(({ kind }) => `[[resource]]\nkind = "${kind}"\n`).join('');
  await workdir.write('config.toml', `${resources}[[handler]]\nname = "log"\n`);
  const { kubeconfig } = await plane.access();
  const rbac = async (...args: string[]) => {
    await using program = new Program(['rbac', ...args], { cwd: workdir.path });
    return await program.exited();
  };
  const told = await rbac('--cluster', '-k', kubeconfig);
  assert.deepEqual([told.code, told.stderr], [0, '']);
  assert.equal((await rbac()).stdout, told.stdout);
});
