/** Rendering of the values by helm: what is refused and how, and the result of the rest. */
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { parseToml } from '../../src/config/parse-toml.ts';
import { temporaryFolder } from '../../src/testing/test-folder.ts';
import { SETS } from './chart-sets.ts';
import { CHART, configOf, helm, rendered, statefulSetOf, type Manifest, type PodSpec } from './helm.ts';

const resource = [{ kind: 'pod' }];
const exporter = { route: { routes: [] }, receivers: [{ name: 'out', stdout: {} }] };

describe('values are refused with the reason', () => {
  for (const [name, values, message] of [
    ['an unknown value', { slak: {} }, /additional properties 'slak' not allowed/],
    ['an unknown value below another', { slack: { webhookUrl: 'x' } }, /at '\/slack'.*'webhookUrl' not allowed/],
    [
      "an unknown value of kwatchman's chart",
      { kwatchman: { filterBy: {} } },
      /at '\/kwatchman'.*'filterBy' not allowed/,
    ],
    ['a value of another type', { namespaces: 'shop' }, /at '\/namespaces': got string, want array/],
    [
      'several namespaces in one text',
      { namespaces: ['shop,web'] },
      /at '\/namespaces\/0': 'shop,web' does not match pattern/,
    ],
    [
      'an annotation that is a number',
      { podAnnotations: { 'prometheus.io/port': 8080 } },
      /at '\/podAnnotations\/prometheus\.io~1port': got number, want string/,
    ],
    [
      'a variable that is a number',
      { extraEnv: [{ name: 'PORT', value: 8080 }] },
      /at '\/extraEnv\/0\/value': got number, want null or string/,
    ],
    [
      'a URL beside the name of a Secret that holds it',
      { slack: { webhookURL: 'https://hooks.slack.example/x', existingSecret: 'mine' } },
      /slack\.webhookURL and slack\.existingSecret are both set: give only one of them/,
    ],
    [
      'a token beside the name of a Secret that holds it',
      { web: { token: 'a-token-for-the-page', existingSecret: 'mine' } },
      /web\.token and web\.existingSecret are both set: give only one of them/,
    ],
    [
      'a size in other units',
      { persistence: { size: '2GB' } },
      /at '\/persistence\/size': '2GB' does not match pattern/,
    ],
    [
      'a whole object of variables without its kind',
      { extraEnvFrom: [{ name: 'receivers' }] },
      /at '\/extraEnvFrom\/0': additional properties 'name' not allowed/,
    ],
    ['a section set to null', { persistence: null }, /at '': missing property 'persistence'/],
    ['a switch set to null', { persistence: { enabled: null } }, /at '\/persistence': missing property 'enabled'/],
    [
      'a tag in the name of the image',
      { image: { repository: 'registry.example:5000/watchchain:mine' } },
      /at '\/image\/repository': .*watchchain:mine' does not match pattern/,
    ],
    ['a token that is too short', { web: { token: 'short' } }, /at '\/web\/token'/],
    ['two replicas', { replicas: 2 }, /replicas is 2, it must be 1: two processes would each report every change/],
    [
      'a kind that the chart does not know',
      { config: { resource: [{ kind: 'widget' }] } },
      /kind "widget" is not known/,
    ],
    [
      'a kind that the chart does not know, by its plural',
      { config: { resource: [{ kind: 'Certificates.cert-manager.io' }] } },
      /kinds: \{ certificate: \{ group: cert-manager\.io, resource: certificates \} \}/,
    ],
    ['a resource without a kind', { config: '[[resource]]\n' }, /resource \{\}: needs a kind/],
    [
      'a Lease without its role',
      { lease: { enabled: false }, config: { ...exporter, leaderElection: { enabled: true } } },
      /asks for a Lease, and lease\.enabled is off/,
    ],
    ['a handler that is not a table', { config: { resource, handler: ['log'] } }, /handler "log": must be a table/],
    [
      'a handler whose name is a number',
      { config: { resource, handler: [{ name: 5 }] } },
      /handler \{"name":5\}: must be a table with a name/,
    ],
    [
      'a value that TOML cannot express',
      { config: { resource, redact: { paths: [null] } } },
      /config: toml: cannot encode array with nil element/,
    ],
    [
      'one key for two secrets',
      { slack: { webhookURL: 'https://x.example', key: 'it' }, web: { token: 'a-token-for-the-page', key: 'it' } },
      /slack\.key and web\.key are both "it"/,
    ],
    ['an invalid digest', { image: { digest: 'latest' } }, /at '\/image\/digest'/],
    [
      "a label of the chart's own",
      { podLabels: { 'app.kubernetes.io/name': 'x' } },
      /podLabels holds "app\.kubernetes\.io\/name", which is the chart's own/,
    ],
    ['a misspelt section', { config: { resources: resource } }, /the configuration watches nothing/],
    [
      'TOML that does not parse',
      { config: '[[resource]]\nkind = = 1\n' },
      /config is not valid TOML: toml: line 2 .*found '='/,
    ],
    [
      'YAML where TOML is wanted',
      { config: 'resource:\n- kind: pod\nhandler:\n- name: log\n' },
      /config is not valid TOML: toml: line 1.*; give YAML as tables: `config:` without the `\|`/,
    ],
    [
      'no cluster rights, and a kind in all namespaces',
      { rbac: { clusterWide: false }, config: { resource: [{ kind: 'pod', namespaces: ['team-*'] }] } },
      /rbac\.clusterWide is off, but these need rights in all namespaces: pods: name the namespaces/,
    ],
    [
      'no cluster rights, and the lookup of a cluster-scoped kind',
      {
        rbac: { clusterWide: false },
        namespaces: ['shop'],
        lookupKinds: ['namespace', 'pod'],
        config: { resource: [{ kind: 'event' }, { kind: 'storageclass' }] },
      },
      /need rights in all namespaces: namespaces, storageclasses\.storage\.k8s\.io:/,
    ],
    [
      'no cluster rights, and clusterAccess',
      { rbac: { clusterWide: false }, namespaces: ['shop'], config: { web: { clusterAccess: true }, resource } },
      /rbac\.clusterWide is off, but web\.clusterAccess of the configuration needs system:auth-delegator/,
    ],
    [
      'two configurations',
      { config: { resource }, kwatchman: { config: { resource } } },
      /config and kwatchman\.config: each/,
    ],
    [
      'a configuration beside values of an app',
      { config: { resource }, slack: { token: 'x' } },
      /config and watchReasons, slack/,
    ],
    [
      'a channel beside a webhook',
      { slack: { webhookURL: 'https://hooks.slack.example/x', channel: '#ops' } },
      /slack\.channel has no effect with slack\.webhookURL/,
    ],
    [
      'slack.clusterName when the configuration has its own slack handler',
      {
        config: { resource, handler: [{ name: 'slack', webhookURL: '${SLACK_WEBHOOK_URL}' }] },
        slack: { existingSecret: 'mine', clusterName: 'prod-eu' },
      },
      /slack\.clusterName is for the handler that .* add, but none is added: write clusterName into/,
    ],
    ['a token without a channel', { slack: { token: 'x' } }, /slack\.token needs slack\.channel/],
    ['reasons without a receiver', { watchReasons: ['Upgraded'] }, /watchReasons needs a receiver: set slack\.token/],
    [
      "our handler in another tool's file",
      { config: exporter, slack: { webhookURL: 'https://x.example' } },
      /write a receiver/,
    ],
    ["the page in another tool's file", { config: exporter, web: { existingSecret: 'mine' } }, /`watchchain import`/],
    ['a namespace from a variable', { config: { ...exporter, namespace: '${NS}' } }, /namespace "\$\{NS\}"/],
    [
      "another tool's image",
      { image: { repository: 'snebel29/kwatchman' } },
      /the image of another tool: leave it out/,
    ],
  ] as const) {
    test(name, async () => {
      const { code, stderr } = await helm(['template', 'prod', CHART], values);
      assert.notEqual(code, 0);
      assert.match(stderr.replaceAll('\n', ' '), message);
    });
  }
});

describe('sets of values', () => {
  for (const [name, values] of Object.entries(SETS)) {
    test(`${name}: helm lint passes`, async () => {
      const { code, stdout, stderr } = await helm(['lint', '--strict', CHART], values);
      assert.equal(code, 0, stdout + stderr);
    });
  }

  for (const [name, secrets] of Object.entries({
    everything: /hooks\.slack\.example|a-token-for/,
    kwatchman: /hooks\.slack\.example/,
    'giant-swarm': /xoxb-a-token/,
  })) {
    test(`${name}: URLs and tokens are in Secrets only`, async () => {
      const manifests = await rendered(SETS[name as keyof typeof SETS]);
      const where = manifests.filter((one) => secrets.test(JSON.stringify(one, decoded)));
      assert.deepEqual(
        where.map(({ kind }) => kind),
        ['Secret'],
      );
    });
  }

  for (const [name, note] of Object.entries({
    kwatchman: /NOTE: kwatchman\.config is used unchanged/,
    'event-exporter': /NOTE: `config` is kubernetes-event-exporter's.*lookupKinds/s,
    'giant-swarm': /NOTE: these are values of giantswarm\/event-exporter-app/,
    ephemeral: /WARNING: persistence is off.*rbac\.create is off/s,
  })) {
    test(`${name}: the notes explain it`, async () => {
      const { stdout } = await helm(['install', 'prod', CHART, '--dry-run=client'], SETS[name as keyof typeof SETS]);
      assert.match(stdout, note);
    });
  }
});

describe('the configuration', () => {
  test('as text is mounted verbatim, and changed only where values add to it', async () => {
    const { config } = SETS.text;
    assert.equal(configOf(await rendered({ config })).text, config);
    const { text } = configOf(await rendered({ config, slack: { existingSecret: 'mine' } }));
    assert.match(text, /\[\[handler\]\]\s+name = "slack"\s+webhookURL = "\$\{SLACK_WEBHOOK_URL\}"/);
  });

  test('as text is mounted verbatim, with any characters', async () => {
    const odd = [
      ' \ttabs\t \r',
      '"\'\\ {{ .Reason }} ${VAR}',
      'é 日本 😀',
      '\u00a0\u200b\u2028x\u2029y',
      '---',
      '... ',
    ];
    for (const text of odd) {
      const config = `[[resource]]\nkind = "pod"\n# ${text}\n[[handler]]\nname = "log"\n`;
      assert.equal(configOf(await rendered({ config })).text, config);
    }
  });

  test('with its own slack handler gets the variable and no second handler; a text keeps its order', async () => {
    const top = `[[resource]]\nkind = "pod"\n`;
    const own = `${top}[[handler]]\nname = "slack"\nwebhookURL = "\${SLACK_WEBHOOK_URL}"\nfields = { B = "1", A = "2" }\n`;
    const slack = { webhookURL: 'https://hooks.slack.example/x' };
    const manifests = await rendered({ config: own, slack });
    assert.equal(configOf(manifests).text, own);
    assert.ok(
      statefulSetOf(manifests).spec.template.spec.containers[0].env?.some((one) => one.name === 'SLACK_WEBHOOK_URL'),
    );
    const { text } = configOf(await rendered({ config: own, web: { token: 'a-token-for-the-page' } }));
    assert.ok(text.startsWith(own), text);
    const chains = `[[chain]]\nname = "a"\n[[chain.resource]]\nkind = "pod"\n[[chain.handler]]\nname = "log"\n`;
    await assert.rejects(rendered({ config: chains, slack }), /which has no resource/);
  });

  test('gets what values add under the keys as it spells them', async () => {
    const values = { slack: { existingSecret: 'mine' }, web: { existingSecret: 'mine' } };
    const handlers = [{ name: 'log' }, { name: 'slack', webhookURL: '${SLACK_WEBHOOK_URL}' }];
    const tables = { Resource: { kind: 'pod' }, Handler: { name: 'log' }, Web: { open: true } };
    const text = '[Resource]\nkind = "pod"\n[[Handler]]\nname = "log"\n[Web]\nopen = true\n';
    for (const config of [tables, text])
      assert.deepEqual(parseToml(configOf(await rendered({ config, ...values })).text), {
        Resource: { kind: 'pod' },
        Handler: handlers,
        Web: { open: true, token: '${WEB_TOKEN}' },
      });
    const chain = '[[Resource]]\nkind = "pod"\n[[Handler]]\nname = "log"\n';
    const { text: behind } = configOf(await rendered({ config: chain, ...values }));
    assert.ok(behind.startsWith(chain));
    assert.deepEqual(parseToml(behind), {
      Resource: [{ kind: 'pod' }],
      Handler: handlers,
      web: { token: '${WEB_TOKEN}' },
    });
  });

  test('a version with build metadata, as from Flux, makes valid labels', async (t) => {
    const folder = await temporaryFolder(t);
    await helm(['package', CHART, '--version', '0.1.0+0cc9a8446c95', '--destination', folder]);
    const { stdout } = await helm(['template', 'prod', join(folder, 'watchchain-0.1.0+0cc9a8446c95.tgz')], {});
    assert.match(stdout, /helm\.sh\/chart: watchchain-0\.1\.0_0cc9a8446c95\n/);
  });

  test('of a subchart is used only if its condition in the parent chart is true', async (t) => {
    const folder = await temporaryFolder(t);
    await cp(CHART, join(folder, 'charts/watchchain'), { recursive: true });
    const dependencies = [{ name: 'watchchain', version: '*', condition: 'watchchain.enabled' }];
    const chart = { apiVersion: 'v2', name: 'umbrella', version: '1.0.0', dependencies };
    await writeFile(join(folder, 'Chart.yaml'), JSON.stringify(chart));
    const kinds = async (enabled: boolean) => {
      const { stdout, stderr } = await helm(['template', 'prod', folder], { watchchain: { enabled } });
      assert.equal(stderr, '');
      return stdout.match(/^kind: StatefulSet$/gm);
    };
    assert.deepEqual([await kinds(true), await kinds(false)], [['kind: StatefulSet'], null]);
  });

  test('of another tool is mounted unchanged', async () => {
    const { name, text } = configOf(await rendered(SETS['event-exporter']));
    assert.deepEqual([name, parse(text)], ['config.yaml', SETS['event-exporter'].config]);
  });

  test('makes a new pod only if the program has to restart', async () => {
    const podOf = async (values: object) => JSON.stringify(statefulSetOf(await rendered(values)).spec.template);
    const handler = [{ name: 'log' }];
    const base = { config: { resource, handler, cluster: { name: 'eu' } } };
    const pod = await podOf(base);
    const others = [{ kind: 'pod' }, { kind: 'service', namespaces: ['shop'] }];
    assert.equal(await podOf({ config: { ...base.config, resource: others, retry: { retries: 1 } } }), pod);
    for (const section of [{ cluster: { name: 'us' } }, { lookup: { enabled: false } }, { web: { open: true } }])
      assert.notEqual(await podOf({ config: { ...base.config, ...section } }), pod, JSON.stringify(section));
    const older = (more: object) => podOf({ config: { ...exporter, ...more } });
    assert.equal(await older({ maxEventAgeSeconds: 5 }), await older({}));
    for (const more of [{ clusterName: 'us' }, { kubeQPS: 1 }, { logLevel: 'debug' }, { metricsNamePrefix: 'ours_' }])
      assert.notEqual(await older(more), await older({}), JSON.stringify(more));
    const [one, other] = await Promise.all(['a', 'b'].map((key) => podOf({ slack: { webhookURL: `https://${key}` } })));
    assert.notEqual(one, other);
  });
});

test('no Secret is written as stringData, from which nothing is ever removed', async () => {
  for (const values of Object.values(SETS))
    assert.ok((await rendered(values)).every((manifest) => !Object.hasOwn(manifest, 'stringData')));
});

test('a list, a map of kinds, a URL or a token set to null counts as empty', async () => {
  const filter = { filter_by: { namespace: null, labelSelector: null } };
  const lists = { env: null, extraEnv: null, extraArgs: null, kinds: null, namespaces: null, kwatchman: filter };
  const secrets = { slack: { webhookURL: null }, web: { token: null } };
  assert.deepEqual(await rendered({ ...lists, ...secrets }), await rendered({}));
});

test('a registry path that contains the name of another tool is accepted', async () => {
  const repository = 'registry.example/in-place-of-kwatchman/watchchain';
  const [{ image }] = statefulSetOf(await rendered({ image: { repository } })).spec.template.spec.containers;
  assert.ok(image.startsWith(`${repository}:`), image);
});

test('a release of any name has a Service with a valid RFC 1035 name', async () => {
  const kept = { '1e3': 'w-1e3-watchchain', 'my.release': 'my-release-watchchain', watchchain: 'watchchain' };
  for (const [release, name] of Object.entries(kept)) {
    const { stdout } = await helm(['template', release, CHART, '--show-only', 'templates/service.yaml'], {});
    const service = parse(stdout) as Manifest;
    assert.equal(service.metadata.name, name);
    // https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
    assert.match(name, /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
  }
});

test('on OpenShift, detected or by openshift = true, no user or group is set', async () => {
  const users = /runAsUser|runAsGroup|fsGroup/;
  assert.match(JSON.stringify(statefulSetOf(await rendered({}))), users);
  for (const manifests of [
    await rendered({ openshift: true, securityContext: { runAsUser: 1000 } }),
    await rendered({}, '--api-versions', 'security.openshift.io/v1'),
  ])
    assert.doesNotMatch(JSON.stringify(manifests), users);
});

test('`helm test` checks the rights that the service needs, also those to its Lease', async () => {
  for (const [enabled, lease] of [
    [true, ['--lease=monitoring/prod-watchchain']],
    [false, []],
  ] as const) {
    const manifests = await rendered({ lease: { enabled } });
    const check = manifests.find(({ kind }) => kind === 'Pod')?.['spec'] as PodSpec;
    for (const { containers } of [check, statefulSetOf(manifests).spec.template.spec])
      assert.deepEqual(
        containers[0].args.filter((arg) => arg.startsWith('--lease')),
        lease,
      );
  }
});

test('the pod of `helm test` has the same node placement as the service', async () => {
  const key = 'kubernetes.io/arch';
  const matchExpressions = [{ key, operator: 'In', values: ['amd64'] }];
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } };
  const values = { nodeSelector: { disk: 'ssd' }, tolerations: [{ key: 'own' }], affinity: { nodeAffinity: required } };
  const manifests = await rendered(values);
  const check = manifests.find(({ kind }) => kind === 'Pod')?.['spec'];
  const placed = ({ nodeSelector, tolerations, affinity }: typeof values) => ({ nodeSelector, tolerations, affinity });
  for (const spec of [check, statefulSetOf(manifests).spec.template.spec])
    assert.deepEqual(placed(spec as typeof values), values);
});

test('the pod of `helm test` has the labels and annotations that the cluster may ask of a pod', async () => {
  const podLabels = { team: 'ops' };
  const podAnnotations = { 'sidecar.istio.io/inject': 'false' };
  const check = (await rendered({ podLabels, podAnnotations })).find(({ kind }) => kind === 'Pod');
  assert.partialDeepStrictEqual(check?.metadata, { labels: podLabels, annotations: podAnnotations });
});

test('the NetworkPolicy lets the pod of `helm test` reach the API server, too', async () => {
  const manifests = await rendered({ networkPolicy: { create: true } });
  const policy = manifests.find(({ kind }) => kind === 'NetworkPolicy')?.['spec'] as {
    readonly podSelector: {
      readonly matchLabels: Readonly<Record<string, string>>;
      readonly matchExpressions?: readonly { readonly key: string; readonly values: readonly string[] }[];
    };
  };
  const { matchLabels, matchExpressions = [] } = policy.podSelector;
  const check = manifests.find(({ kind }) => kind === 'Pod');
  for (const metadata of [check?.metadata, statefulSetOf(manifests).spec.template.metadata]) {
    assert.partialDeepStrictEqual(metadata?.labels, matchLabels);
    for (const { key, values } of matchExpressions) assert.ok(values.includes(metadata?.labels?.[key] ?? ''));
  }
});

test('the claim names its type, as the API server would: Argo CD takes what is added for a difference', async () => {
  const [claim] = statefulSetOf(await rendered({})).spec.volumeClaimTemplates ?? [];
  const { apiVersion, kind } = claim as Manifest;
  assert.deepEqual([apiVersion, kind], ['v1', 'PersistentVolumeClaim']);
});

test('without persistence the state is an emptyDir, and nothing claims a volume', async () => {
  const { spec } = statefulSetOf(await rendered(SETS.ephemeral));
  assert.match(JSON.stringify(spec.template), /"name":"state","emptyDir"/);
  assert.equal(spec.volumeClaimTemplates, undefined);
});

test('monitoring renders the ServiceMonitor, the rules and the dashboard of the chart files', async () => {
  const manifests = await rendered(SETS.monitoring);
  const of = (kind: string) => manifests.find((one) => one.kind === kind);
  const file = (name: string) => readFile(join(CHART, 'files', name), 'utf8');
  assert.equal(of('ServiceMonitor')?.metadata.labels?.['release'], 'prometheus');
  assert.deepEqual(of('ServiceMonitor')?.['spec'], {
    selector: { matchLabels: { 'app.kubernetes.io/name': 'watchchain', 'app.kubernetes.io/instance': 'prod' } },
    endpoints: [{ port: 'http', path: '/metrics', interval: '30s' }],
  });
  assert.deepEqual(of('PrometheusRule')?.['spec'], parse(await file('alerts.yaml')));
  const dashboard = manifests.find(({ metadata }) => metadata.labels?.['grafana_dashboard'] === '1');
  const data = dashboard?.['data'] as Readonly<Record<string, string>> | undefined;
  assert.deepEqual(JSON.parse(data?.['watchchain.json'] ?? ''), JSON.parse(await file('dashboard.json')));
});

/** Decodes a Secret's texts from base64. */
function decoded(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? `${value} ${Buffer.from(value, 'base64').toString()}` : value;
}
