/** The Event Controller's acceptance list, A5: its configuration. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { ConfigError } from '../../src/errors.ts';
import type { Config } from '../../src/config/config.ts';
import { createCertificates } from '../../src/testing/certificates.ts';
import { startApiServer } from '../../src/testing/api-server.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { command, load, route, ROUTES, start, startCluster } from './controller.ts';

const NEEDED = { K8S_RESOURCE: 'routes', K8S_NAMESPACE: 'demo', K8S_TOKEN: 'abc' };

/** A folder like the one that the kubelet mounts. */
async function pod(workdir: Workdir): Promise<string> {
  const folder = workdir.file('serviceaccount');
  await mkdir(folder);
  await writeFile(`${folder}/token`, 'pod-token\n');
  await writeFile(`${folder}/namespace`, 'pod-namespace\n');
  await writeFile(`${folder}/ca.crt`, '');
  return folder;
}

const optionsOf = ({ chains: [chain] }: Config) => chain?.handlers[0]?.options ?? {};

describe('event controller: configuration', () => {
  test('1: in a pod, with K8S_RESOURCE only, the mounted token, namespace and CA are used', async () => {
    await using workdir = await Workdir.make();
    const folder = await pod(workdir);
    const config = await load({ env: { K8S_RESOURCE: 'routes' }, serviceAccountDir: folder });
    assert.deepEqual(config.cluster.direct, {
      server: 'https://kubernetes.default.svc.cluster.local',
      token: undefined,
      tokenFile: `${folder}/token`,
      caFile: `${folder}/ca.crt`,
      insecure: false,
    });
    assert.deepEqual(config.chains[0]?.resources[0]?.namespaces, ['pod-namespace']);
  });

  const precedence: readonly {
    readonly key: string;
    readonly seen: (config: Config) => unknown;
    readonly env: unknown;
    readonly ini: unknown;
    readonly pod?: unknown;
    readonly fallback: unknown;
    /** What else must be set for it to take effect. */
    readonly with?: NodeJS.ProcessEnv;
    readonly values?: readonly [env: string, ini: string];
  }[] = [
    {
      key: 'K8S_API_ENDPOINT',
      seen: ({ cluster }) => cluster.direct?.server,
      values: ['env.example:8443', 'ini.example'],
      env: 'https://env.example:8443',
      ini: 'https://ini.example',
      fallback: 'https://kubernetes.default.svc.cluster.local',
    },
    {
      key: 'K8S_TOKEN',
      seen: ({ cluster }) => cluster.direct?.token ?? cluster.direct?.tokenFile?.split('/').at(-1),
      env: 'env',
      ini: 'ini',
      pod: 'token',
      fallback: 'missing 34',
    },
    {
      key: 'K8S_NAMESPACE',
      seen: ({ chains }) => chains[0]?.resources[0]?.namespaces[0],
      env: 'env',
      ini: 'ini',
      pod: 'pod-namespace',
      fallback: 'missing 32',
    },
    {
      key: 'K8S_NAMESPACED',
      seen: ({ chains }) => chains[0]?.resources[0]?.namespaces.length,
      values: ['false', 'FALSE'],
      env: 0,
      ini: 0,
      fallback: 1,
    },
    {
      key: 'K8S_CA',
      seen: ({ cluster }) => cluster.direct?.caFile?.split('/').at(-1),
      env: 'env',
      ini: 'ini',
      pod: 'ca.crt',
      fallback: undefined,
    },
    {
      key: 'K8S_API_PATH',
      seen: ({ chains }) => chains[0]?.resources[0]?.kind,
      values: ['api/v1/pods', 'api/v1/services'],
      env: 'pods',
      ini: 'services',
      fallback: 'routes',
    },
    {
      key: 'K8S_API_GROUP',
      seen: ({ chains }) => chains[0]?.resources[0]?.apiVersion,
      values: ['apis/route.openshift.io', 'oapi'],
      env: 'route.openshift.io/v1',
      ini: 'oapi/v1',
      fallback: undefined,
    },
    {
      key: 'K8S_API_VERSION',
      seen: ({ chains }) => chains[0]?.resources[0]?.apiVersion,
      with: { K8S_API_GROUP: 'apis/route.openshift.io' },
      values: ['v2', 'v1beta1'],
      env: 'route.openshift.io/v2',
      ini: 'route.openshift.io/v1beta1',
      fallback: 'route.openshift.io/v1',
    },
    {
      key: 'K8S_RESOURCE',
      seen: ({ chains }) => chains[0]?.resources[0]?.kind,
      env: 'env',
      ini: 'ini',
      fallback: 'missing 31',
    },
    {
      key: 'LOG_LEVEL',
      seen: ({ log }) => log.level,
      values: ['debug', 'Error'],
      env: 'debug',
      ini: 'error',
      fallback: 'info',
    },
    {
      key: 'WATCHER_PLUGIN',
      seen: (config) => optionsOf(config)['plugin'] ?? config.chains[0]?.handlers[0]?.definition.name,
      env: 'env',
      ini: 'ini',
      fallback: 'simple',
    },
  ];
  for (const { key, seen, values: [inEnv, inIni] = ['env', 'ini'], ...wanted } of precedence) {
    test(`2: ${key}: the environment beats the file, which beats the pod's own, which beats the default`, async () => {
      await using workdir = await Workdir.make();
      const folder = await pod(workdir);
      const { [key as 'K8S_TOKEN']: _, ...needed } = NEEDED;
      const others = { ...needed, ...wanted.with };
      const ini = `[global]\n${key.toLowerCase()} = ${inIni}\n`;
      const outcome = async (given: Parameters<typeof load>[0]) =>
        load(given).then(seen, (thrown: { exitCode?: number }) => `missing ${thrown.exitCode}`);
      assert.deepEqual(await outcome({ env: { ...others, [key]: inEnv }, ini, serviceAccountDir: folder }), wanted.env);
      assert.deepEqual(await outcome({ env: others, ini, serviceAccountDir: folder }), wanted.ini);
      const bare = { env: others, ini: `[global]\n${key.toLowerCase()} =\n` };
      if ('pod' in wanted) assert.deepEqual(await outcome({ ...bare, serviceAccountDir: folder }), wanted.pod);
      assert.deepEqual(await outcome(bare), wanted.fallback);
      // Without a file, or without a section, the defaults apply.
      assert.deepEqual(await outcome({ env: others }), wanted.fallback);
    });
  }

  test('3: % and # in values are literal; a comment after the = is reported, and is not a value', async () => {
    const ini = `[global]
k8s_resource=routes
K8S_Namespace: demo
k8s_token=a%b#c;d
watcher_plugin=
[plugin_simple]
message_log_level = # the level of its lines
[plugin_ipa]
ipa_password = p%%q %(ipa_user)s \${HOME}
ipa_user = admin
`;
    const config = await load({ ini });
    assert.equal(config.cluster.direct?.token, 'a%b#c;d');
    assert.equal(config.chains[0]?.handlers[0]?.definition.name, 'simple');
    assert.deepEqual(optionsOf(config), { level: 'INFO' });
    assert.match(config.warnings.join('\n'), /config\.ini:7: plugin_simple\.message_log_level: is taken for a comment/);
    const ipa = await load({ ini, env: { WATCHER_PLUGIN: 'ipa' } });
    assert.deepEqual(optionsOf(ipa)['section'], { ipa_password: 'p%q admin ${HOME}', ipa_user: 'admin' });
  });

  test('3: a mistake is reported at the key of the file that holds it', async () => {
    const problemsOf = (ini: string) =>
      load({ ini: `[global]\nk8s_resource=routes\nk8s_namespace=demo\nk8s_token=t\n${ini}` }).then(
        () => [],
        ({ problems }: ConfigError) => problems.map((line) => line.replace(/^\S*config\.ini/, '')),
      );
    assert.deepEqual(await problemsOf('k8s_api_endpoint=::::\n'), [
      ':5: global.k8s_api_endpoint: must be an https:// or http:// URL',
    ]);
    assert.deepEqual(await problemsOf('watcher_plugin=dns # for routes\n'), [
      ':5: global.watcher_plugin: must be the name of a Python module, without "plugin_": current value is "dns # for routes"',
      ':5: global.watcher_plugin: must consist of letters, digits, "_", "." and "-": current value is "dns # for routes"',
      ':5: global.watcher_plugin: the text after the "#" is part of the value: put comments on a line of their own',
    ]);
  });

  test('3: a key of [DEFAULT] that other values use is not an unknown key of [global]', async () => {
    const ini = `[DEFAULT]
team=demo
k8s_token=t
[global]
k8s_resource=routes
k8s_namespace=%(team)s
k8s_ca=/ca.crt
resource=pods
`;
    const { chains, warnings } = await load({ ini });
    assert.deepEqual(chains[0]?.resources[0]?.namespaces, ['demo']);
    assert.deepEqual(
      warnings.map((line) => line.replace(/^.*\//, '')),
      ['config.ini:8: global.resource: is not a key of [global]: it has no effect'],
    );
  });

  test('3: a broken ini file is refused with its lines, and no value is shown', async () => {
    const ini = '[global]\nk8s_resource=routes\nk8s_namespace=a\nk8s_token=hunter2\nhunter3\nk8s_token=hunter4\n';
    const refused: unknown = await load({ ini }).catch((thrown: unknown) => thrown);
    assert.match(String(refused), /config\.ini:5: is neither \[section\] nor key = value/);
    assert.match(String(refused), /config\.ini:6: global\.k8s_token: is set twice: set it once/);
    assert.doesNotMatch(String(refused), /hunter/);
  });

  for (const [without, code, key] of [
    ['K8S_RESOURCE', 31, 'k8s_resource'],
    ['K8S_NAMESPACE', 32, 'k8s_namespace'],
    ['K8S_API_ENDPOINT', 33, 'k8s_api_endpoint'],
    ['K8S_TOKEN', 34, 'k8s_token'],
  ] as const) {
    test(`4: without ${without} it exits with ${code}, naming the variable and the key`, async () => {
      const { code: ended, stderr } = await command({ ...NEEDED, [without]: '' });
      assert.equal(ended, code);
      assert.match(stderr, new RegExp(`${without}=.*${key}=`));
    });
  }

  test('4: a missing file exits with 1, an unknown flag with 2', async () => {
    const missing = await command(NEEDED, '--config', '/nonexistent/config.ini');
    assert.deepEqual([missing.code, /no such file/.test(missing.stderr)], [1, true]);
    assert.equal((await command({ ...NEEDED, CONFIG_FILE: '/nonexistent/config.ini' })).code, 1);
    assert.equal((await command(NEEDED, '--confg', 'x')).code, 2);
  });

  test('5, 8, 16: the command of the dev guide works as printed: over TLS, without LOG_LEVEL', async (t) => {
    using certificates = createCertificates();
    certificates.authority('ca');
    certificates.certificate('server', 'ca', 'localhost');
    const tls = { key: certificates.pem('server.key'), cert: certificates.pem('server.crt') };
    const server = await startApiServer({ resources: [ROUTES], token: 'abc', tls });
    t.after(() => server.close());
    await using workdir = await Workdir.make();
    await mkdir(workdir.file('kubernetes.io/serviceaccount'), { recursive: true });
    await workdir.write('kubernetes.io/serviceaccount/ca.crt', certificates.pem('ca.crt'));
    const env = {
      K8S_TOKEN: 'abc',
      K8S_API_ENDPOINT: server.url.replace('https://127.0.0.1', 'localhost'),
      K8S_NAMESPACE: 'event-controller',
      K8S_CA: './kubernetes.io/serviceaccount/ca.crt',
      K8S_RESOURCE: 'routes',
    };
    server.create(route('nodejs-ex', 'event-controller'));
    await using program = new Program(['--compat', 'event-controller'], { cwd: workdir.path, env });
    await program.until('a line', ({ stderr }) =>
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[INFO\] Kind: Route; Name: nodejs-ex; Event Type:ADDED$/m.test(stderr),
    );
    const { code } = await program.stop();
    assert.equal(code, 0, '21: SIGTERM ends it with 0');
  });

  test('16: an untrusted certificate is refused; with K8S_INSECURE it is accepted, with a warning', async (t) => {
    using certificates = createCertificates();
    certificates.authority('ca');
    certificates.certificate('server', 'ca', 'localhost');
    const tls = { key: certificates.pem('server.key'), cert: certificates.pem('server.crt') };
    const { server, env } = await startCluster(t, { tls });
    await using workdir = await Workdir.make();
    await using program = new Program(['--compat', 'event-controller'], { cwd: workdir.path, env });
    await program.until('its refusal', ({ stderr }) => /\[WARNING\] Cannot connect to the cluster/.test(stderr));
    assert.equal(server.requests.length, 0);
    await program.stop();
    server.create(route('web'));
    const insecure = await start(t, { env: { ...env, K8S_INSECURE: 'true' } });
    await insecure.line(/\[INFO\] Kind: Route; Name: web/);
    assert.match(insecure.lines().join('\n'), /\[WARNING\] The certificate of .* is not checked/);
  });
});
