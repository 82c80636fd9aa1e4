/**
 * kwatchman's acceptance list: what a replacement must do (P: as in kwatchman, F: a fault of kwatchman that it must not have).
 * The numbers are the list's. Its line 36 is about the chart, and tested with it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { createApiClient } from '../../src/source/api-client.ts';
import { loadCredentials } from '../../src/source/credentials.ts';
import { startApiServer } from '../../src/testing/api-server.ts';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { World } from '../e2e/world.ts';
import { chainOf, image } from './chain.ts';

const KINDS = [
  { kind: 'Deployment', path: '/apis/apps/v1/deployments', apiVersion: 'apps/v1' },
  { kind: 'StatefulSet', path: '/apis/apps/v1/statefulsets', apiVersion: 'apps/v1' },
  { kind: 'DaemonSet', path: '/apis/apps/v1/daemonsets', apiVersion: 'apps/v1' },
  { kind: 'Service', path: '/api/v1/services', apiVersion: 'v1' },
  { kind: 'Ingress', path: '/apis/networking.k8s.io/v1/ingresses', apiVersion: 'networking.k8s.io/v1' },
] as const;

describe('kwatchman: configuration and command line', () => {
  test('1 (P) the documented TOML starts unchanged, keys in any case', async () => {
    await using world = await World.start();
    const config = kwatchmanConfig(world.slack.url)
      .replace('clusterName', 'CLUSTERNAME')
      .replace('webhookURL', 'webhookurl');
    await using running = await world.run({ config });
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    assert.equal(world.messages()[0]?.footer, 'myClusterName');
    assert.equal(running.app.health().ready, true);
  });

  for (const { kind, path, apiVersion } of KINDS) {
    test(`2 (P) ${kind} is listed, then watched, cluster-wide and in one namespace`, async () => {
      await using world = await World.start();
      const config = kwatchmanConfig(world.slack.url, [kind.toLowerCase()]);
      {
        await using running = await world.run({ config });
        world.server.create({ apiVersion, kind, metadata: { name: 'one', namespace: 'default' }, spec: {} });
        await world.slack.waitFor(1);
        assert.equal(running.app.health().degraded.length, 0);
      }
      await using running = await world.run({ config, overrides: { namespace: 'default' } });
      world.server.create({ apiVersion, kind, metadata: { name: 'two', namespace: 'default' }, spec: {} });
      await world.slack.waitFor(2);
      assert.deepEqual(
        world.titles(),
        ['one', 'two'].map((name) => `ADD ${kind.toLowerCase()}\ndefault/${name}`),
      );
      const asked = world.server.requests
        .filter(({ path }) => path.endsWith(path.split('/').at(-1) ?? ''))
        .map(({ path }) => path);
      assert.ok(asked.includes(path), `${path} was listed`);
      const namespaced = path.replace(/\/([^/]+)$/, '/namespaces/default/$1');
      assert.ok(asked.includes(namespaced), `${namespaced} was listed`);
      assert.equal(running.app.health().ready, true);
    });
  }

  test('3 (F) ingress means networking.k8s.io/v1', async () => {
    await using world = await World.start();
    await using running = await world.run({ config: kwatchmanConfig(world.slack.url, ['ingress']) });
    assert.equal(running.app.health().scopes[0]?.resource, 'networking.k8s.io/v1/ingresses');
  });

  test('4 (P) flags and variables keep their names, long and short', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    const kubeconfig = await server.writeKubeconfig(workdir.file('kube'));
    await workdir.write('own.toml', chainOf('name = "diff"', 'name = "log"'));
    const state = ['--listen', '127.0.0.1:0', '--state', workdir.file('state')];
    const runs: { readonly args: string[]; readonly env?: NodeJS.ProcessEnv }[] = [
      { args: ['-c', 'own.toml', '-k', kubeconfig, '-n', 'default', '-l', 'app=web', '-z', 'debug'] },
      {
        args: [
          '--config=own.toml',
          `--kubeconfig=${kubeconfig}`,
          '--namespace=default',
          '--label-selector=app=web',
          '--log-level=INFO',
        ],
      },
      {
        args: [],
        env: {
          KW_CONFIG_FILE: 'own.toml',
          KW_KUBECONFIG: kubeconfig,
          KW_NAMESPACE: 'default',
          KW_LABEL_SELECTOR: 'app=web',
        },
      },
    ];
    await workdir.write('config.toml', chainOf('name = "diff"', 'name = "log"'));
    const empty = { KW_CONFIG_FILE: '', KW_KUBECONFIG: '', WATCHCHAIN_STATE: '' };
    runs.push({ args: ['-n', 'default', '-l', 'app=web'], env: { ...empty, KUBECONFIG: kubeconfig } });
    for (const { args, env } of runs) {
      const before = server.requests.length;
      await using program = new Program([...args, ...state], {
        cwd: workdir.path,
        ...(env === undefined ? {} : { env }),
      });
      await program.ready();
      const watch = server.requests.slice(before).find(({ query }) => query.get('watch') !== null);
      assert.equal(watch?.path, '/apis/apps/v1/namespaces/default/deployments');
      assert.equal(watch.query.get('labelSelector'), 'app=web');
      assert.equal((await program.stop()).code, 0);
    }
  });

  test('4 (P) --version and --help answer and exit 0', async () => {
    for (const [flag, shown] of [
      ['--version', /^\d+\.\d+\.\d+ \(\w+\/\w+\)/],
      ['--help', /Usage: watchchain/],
      ['-h', /Usage: watchchain/],
    ] as const) {
      await using program = new Program([flag]);
      const exit = await program.exited();
      assert.equal(exit.code, 0);
      assert.match(exit.stdout, shown);
    }
  });

  test('4 (P) without flags: config.toml of the working directory, $HOME/.kube/config', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await mkdir(workdir.file('.kube'));
    await server.writeKubeconfig(workdir.file('.kube/config'));
    await workdir.write('config.toml', chainOf('name = "diff"', 'name = "log"'));
    await using program = new Program(['--listen', '127.0.0.1:0'], { cwd: workdir.path, env: { HOME: workdir.path } });
    await program.ready();
    assert.equal((await program.stop()).code, 0);
  });

  test('4 (P) --compat kwatchman: replaces its image, without a volume for the state', async () => {
    await using world = await World.start();
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kube'));
    const config = await world.workdir.write('config.toml', kwatchmanConfig(world.slack.url));
    const args = ['--compat', 'kwatchman', '-z', 'warning', '-c', config, '-k', kubeconfig, '--listen', '127.0.0.1:0'];
    await using program = new Program(args);
    await world.server.waitForWatches(5);
    world.server.create(image('nginx:1.7.9'));
    await world.slack.waitFor(1);
    const { code, stderr } = await program.stop();
    assert.equal(code, 0);
    assert.match(stderr, /in memory/);
  });

  test('5 (P) in a pod the service account is used, an explicit kubeconfig first; outside, the kubeconfig', async () => {
    await using workdir = await Workdir.make();
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const files = ['-keyout', 'tls.key', '-out', 'ca.crt', '-days', '2'];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject, ...files],
      {
        cwd: workdir.path,
        stdio: 'ignore',
      },
    );
    const [key, cert] = await Promise.all(['tls.key', 'ca.crt'].map((name) => readFile(workdir.file(name), 'utf8')));
    await using server = await startApiServer({ token: 'of-the-pod', tls: { key: key ?? '', cert: cert ?? '' } });
    const kubeconfig = await server.writeKubeconfig(workdir.file('kube'));
    await workdir.write('token', 'of-the-pod\n');
    const { hostname, port } = new URL(server.url);
    const pod = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    const serviceAccountDir = workdir.path;
    for (const [clusterName, options] of [
      ['in-cluster', { env: pod }],
      ['embedded', { env: pod, kubeconfig }],
      ['embedded', { env: { KUBECONFIG: kubeconfig } }],
    ] as const) {
      const credentials = await loadCredentials({ ...options, serviceAccountDir });
      const api = createApiClient(credentials);
      const answer = await api.request('GET', '/api/v1/namespaces/kube-system');
      assert.equal(answer.status, 200);
      assert.equal(credentials.clusterName, clusterName);
      await api.close();
    }
  });

  test('6 (P) a missing file, an unsupported extension, no resource, no handler, a bad level: a message and exit 1', async () => {
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', chainOf('name = "diff"'));
    await workdir.write('config.conf', chainOf('name = "diff"'));
    await workdir.write('no-resource.toml', '[[handler]]\nname = "diff"\n');
    await workdir.write('no-handler.toml', '[[resource]]\nkind = "deployment"\n');
    const cases: [string[], RegExp][] = [
      [['-c', 'missing.toml'], /missing\.toml/],
      [['-c', 'config.conf'], /config\.conf.*\.toml/],
      [['-c', 'no-resource.toml'], /resource/],
      [['-c', 'no-handler.toml'], /handler/],
      [['-z', 'nope'], /nope.*info/s],
    ];
    for (const [args, message] of cases) {
      await using program = new Program(args, { cwd: workdir.path });
      const exit = await program.exited();
      assert.equal(exit.code, 1, `${args.join(' ')}: ${exit.stderr}`);
      assert.match(exit.stderr, message);
      assert.doesNotMatch(exit.stderr, /\n\s+at /, 'no stack trace');
    }
  });

  test('6 (P) an unknown flag or command: a message and exit 2', async () => {
    for (const [line, hint] of [
      ['--bogus', /bogus/],
      ['--kubeconfg', /--kubeconfig/],
      ['chek', /check/],
      ['help chek', /unknown command 'chek'.*check/],
    ] as const) {
      await using program = new Program(line.split(' '));
      const exit = await program.exited();
      assert.equal(exit.code, 2);
      assert.match(exit.stderr, hint);
    }
  });

  test('7 (F) an unknown kind or handler is refused at start, with the near names', async () => {
    await using world = await World.start();
    await assert.rejects(world.run({ config: chainOf('name = "dif"') }), /dif.*diff/s);
    await assert.rejects(
      world.run({ config: chainOf('name = "diff"').replace('deployment', 'deploymnet') }),
      /deploymnet.*deployment/s,
    );
  });

  test('8 (P) the label selector is sent on both list and watch for every kind', async () => {
    await using world = await World.start();
    await using running = await world.run({ overrides: { labelSelector: 'app in (web,api)' } });
    assert.equal(running.app.health().ready, true);
    for (const { path } of KINDS) {
      const requests = world.server.requests.filter((request) => request.path === path);
      assert.ok(
        requests.some(({ query }) => query.get('watch') === null),
        `${path} was listed`,
      );
      assert.ok(
        requests.some(({ query }) => query.get('watch') !== null),
        `${path} was watched`,
      );
      for (const { query } of requests) assert.equal(query.get('labelSelector'), 'app in (web,api)');
    }
  });

  test('29 (F) slack without a webhookURL fails at start; the URL from the environment is never shown', async () => {
    await using workdir = await Workdir.make();
    const secret = 'https://hooks.example.com/services/T000/B000/c4n4ry';
    for (const [line, env, message] of [
      ['', {}, /webhookURL/],
      ['webhookURL = ""', {}, /webhookURL/],
      ['webhookURL = "${SLACK_URL}"', {}, /SLACK_URL/],
      ['webhookURL = "${SLACK_URL}"', { SLACK_URL: secret }, undefined],
    ] as const) {
      await workdir.write('config.toml', chainOf(`name = "slack"\n${line}`));
      await using program = new Program(['check', '-c', 'config.toml'], { cwd: workdir.path, env });
      const exit = await program.exited();
      assert.equal(exit.code, message === undefined ? 0 : 1, exit.stderr);
      if (message !== undefined) assert.match(exit.stderr, message);
      assert.doesNotMatch(exit.stdout + exit.stderr, /c4n4ry/);
    }
  });
});
