/**
 * kwatchman's acceptance list: what a replacement must do (P: as in kwatchman, F: a fault of kwatchman that it must not have).
 * The numbers are the list's. Its line 36 is about the chart, and tested with it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { PATIENCE_MS } from '../src/testing/waiters.ts';
import type { Change } from '../src/change.ts';
import { createApiClient } from '../src/source/api-client.ts';
import { loadCredentials } from '../src/source/credentials.ts';
import { startApiServer } from '../src/testing/api-server.ts';
import { FakeClock } from '../src/testing/fake-clock.ts';
import { startReceiver } from '../src/testing/receiver.ts';
import { deployment } from './e2e/cluster.ts';
import { kwatchmanConfig, messages } from './e2e/main-job.ts';
import { Program, Workdir } from './e2e/program.ts';
import { World } from './e2e/world.ts';
import { until } from './until.ts';

const KINDS = [
  { kind: 'Deployment', path: '/apis/apps/v1/deployments', apiVersion: 'apps/v1' },
  { kind: 'StatefulSet', path: '/apis/apps/v1/statefulsets', apiVersion: 'apps/v1' },
  { kind: 'DaemonSet', path: '/apis/apps/v1/daemonsets', apiVersion: 'apps/v1' },
  { kind: 'Service', path: '/api/v1/services', apiVersion: 'v1' },
  { kind: 'Ingress', path: '/apis/networking.k8s.io/v1/ingresses', apiVersion: 'networking.k8s.io/v1' },
] as const;

/** A chain on deployments, of `diff` and the given handlers. */
function chainOf(...handlers: string[]): string {
  return `[[resource]]\nkind = "deployment"\n${handlers.map((handler) => `[[handler]]\n${handler}\n`).join('')}`;
}

const slackHandler = (url: string, id?: string) =>
  `name = "slack"\nwebhookURL = "${url}"\nmessagesPerSecond = 0\n${id === undefined ? '' : `id = "${id}"\n`}`;

/** A receiver's connections are reused, up to this many; kwatchman leaks one for each post. */
const MAX_SOCKETS = 16;

/** Retries that a test can wait for. */
const QUICK = '[retry]\nminTimeout = "10ms"\n';

function image(to: string, replicas = 1): object {
  return deployment('web', to, replicas);
}

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
          '--log-level=info',
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

describe('kwatchman: diff', () => {
  test('9 (P) existing objects produce no output; a restart without change produces none', async () => {
    await using world = await World.start();
    for (let n = 0; n < 20; n++) world.server.create(deployment(`web-${n}`));
    for (let start = 0; start < 2; start++) {
      await using running = await world.run({ keepState: true });
      assert.equal(
        running.app.health().scopes.reduce((sum, { objects }) => sum + objects, 0),
        20,
      );
      await running.app.idle();
    }
    assert.equal(world.slack.requests.length, 0);
  });

  test('10 (P) one ADD and one DELETE, both with an empty text; 31 (F) the DELETE carries the last manifest', async () => {
    await using world = await World.start();
    await using running = await world.run();
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    world.server.delete('Deployment', 'web', 'default');
    await world.slack.waitFor(2);
    assert.deepEqual(
      world.messages().map(({ title, text }) => [title, text]),
      [
        ['ADD deployment\ndefault/web', ''],
        ['DELETE deployment\ndefault/web', ''],
      ],
    );
    const [deleted] = await running.app.store.history({ limit: 1, newestFirst: true });
    assert.equal((deleted?.before?.['spec'] as { replicas?: number } | undefined)?.replicas, 1);
  });

  test('11 (P) image and replicas in one update: one UPDATE with old and new values and nothing else', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1.7.9'));
    await using running = await world.run();
    world.server.update(image('nginx:1.9.1', 3), { manager: 'kubectl-set' });
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.deepEqual(world.titles(), ['UPDATE deployment\ndefault/web']);
    assert.equal(
      world.messages()[0]?.text,
      '```image web nginx:1.7.9 -> nginx:1.9.1, replicas 1 -> 3 · by kubectl-set\n' +
        'spec.template.spec.containers[web].image: nginx:1.7.9 -> nginx:1.9.1\n' +
        'spec.replicas: 1 -> 3```',
    );
  });

  test('12 (P) status, generation, managedFields, revision and last-applied are silent; 13 (P) so is absent vs. empty', async () => {
    await using world = await World.start();
    world.server.create(deployment('web'));
    await using running = await world.run();
    const { resourceVersion: _any, ...metadata } = world.server.get('Deployment', 'web', 'default')?.metadata ?? {
      name: 'web',
    };
    const now = { ...deployment('web'), metadata };
    const quiet = [
      { ...now, status: { replicas: 1, readyReplicas: 1 } },
      { ...now, metadata: { ...now.metadata, annotations: { 'deployment.kubernetes.io/revision': '2' } } },
      {
        ...now,
        metadata: { ...now.metadata, annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"a":1}' } },
      },
      { ...now, metadata: { ...now.metadata, annotations: {} } },
    ];
    for (const manifest of quiet) world.server.update(manifest, { manager: 'kube-controller-manager' });
    world.server.update(deployment('web', 'nginx:1.9.1'));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.equal(world.slack.requests.length, 1);
    assert.match(world.messages()[0]?.text ?? '', /nginx:1\.9\.1/);
  });

  test('14 (P) equal manifests halt the chain: later handlers do not run', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1.7.9'));
    const ignoreImages = 'name = "diff"\nignore = ["spec.template.spec.containers[*].image"]';
    await using running = await world.run({
      config: chainOf(ignoreImages, 'name = "log"', slackHandler(world.slack.url)),
    });
    world.server.update(image('nginx:1.9.1'));
    world.server.update(image('nginx:1.9.1', 2));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.equal(running.entries().length, 1);
    const [balance] = await running.app.store.balances();
    assert.deepEqual([balance?.halted, balance?.completed], [1, 1]);
  });

  test('15 (P) after a dropped watch or a 410: changed, new and deleted are reported, unchanged is silent', async () => {
    await using world = await World.start();
    for (const name of ['web', 'same', 'gone']) world.server.create(deployment(name));
    await using running = await world.run({ config: chainOf('name = "diff"', slackHandler(world.slack.url)) });
    const refused = world.server.fault({ path: '/apis/apps/v1/deployments', effect: 'status', status: 503 });
    await world.server.restart();
    world.server.update(image('nginx:1.9.1'));
    world.server.create(deployment('new'));
    world.server.delete('Deployment', 'gone', 'default');
    world.server.compact();
    refused.remove();
    await world.slack.waitFor(3);
    await running.app.idle();
    assert.deepEqual(world.titles().toSorted(), [
      'ADD deployment\ndefault/new',
      'DELETE deployment\ndefault/gone',
      'UPDATE deployment\ndefault/web',
    ]);
  });

  test('16 (F) with no diff handler an idle cluster emits nothing: there is no resync', async () => {
    await using world = await World.start();
    for (let n = 0; n < 3; n++) world.server.create(deployment(`web-${n}`));
    await using running = await world.run({ config: chainOf(slackHandler(world.slack.url)) });
    world.server.bookmark();
    await world.server.restart();
    await world.server.waitForWatches(1);
    await running.app.idle();
    assert.equal(world.slack.requests.length, 0);
  });

  test('24 (F) an ADD or UPDATE at the moment of the first list is reported, with its diff', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1.7.9'));
    const starting = world.run({ config: chainOf('name = "diff"', slackHandler(world.slack.url)) });
    await world.server.waitForWatches(1);
    world.server.update(image('nginx:1.9.1'));
    world.server.create(deployment('new'));
    await using running = await starting;
    await world.slack.waitFor(2);
    assert.deepEqual(world.titles().toSorted(), ['ADD deployment\ndefault/new', 'UPDATE deployment\ndefault/web']);
    assert.match(
      world.messages().find(({ title }) => title.startsWith('UPDATE'))?.text ?? '',
      /nginx:1\.7\.9 -> nginx:1\.9\.1/,
    );
    assert.equal(running.app.health().ready, true);
  });

  test('32 (F) no diff binary, no /tmp: it works with an empty PATH and a read-only folder', async () => {
    await using world = await World.start();
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kube'));
    const config = await world.workdir.write('config.toml', kwatchmanConfig(world.slack.url));
    const readOnly = world.workdir.file('read-only');
    await mkdir(readOnly);
    await chmod(readOnly, 0o555);
    world.server.create(image('nginx:1.7.9'));
    const args = ['-c', config, '-k', kubeconfig, '--state', world.workdir.file('state'), '--listen', '127.0.0.1:0'];
    await using program = new Program(args, { cwd: readOnly, env: { PATH: '', TMPDIR: readOnly } });
    await program.ready();
    world.server.update(image('nginx:1.9.1'));
    await world.slack.waitFor(1);
    assert.match(world.messages()[0]?.text ?? '', /nginx:1\.7\.9 -> nginx:1\.9\.1/);
    assert.equal((await program.stop()).code, 0);
  });
});

describe('kwatchman: chain and retries', () => {
  test('17 (F) an UPDATE whose post fails once is delivered exactly once, with its diff', async () => {
    await using world = await World.start((_request, n) => (n === 1 ? { status: 500 } : { body: 'ok' }));
    world.server.create(image('nginx:1.7.9'));
    await using running = await world.run({ config: QUICK + chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.update(image('nginx:1.9.1'));
    await world.slack.waitFor(2);
    await running.app.idle();
    const [first, second, ...more] = world.slack.requests;
    assert.equal(more.length, 0);
    assert.match(second?.body ?? '', /nginx:1\.7\.9 -> nginx:1\.9\.1/);
    assert.equal(first?.headers['idempotency-key'], second?.headers['idempotency-key']);
    assert.ok(first?.headers['idempotency-key']);
  });

  test('18 (F) a final failure is logged with the key, counted, and kept as a dead letter', async () => {
    await using world = await World.start(() => ({ status: 500 }));
    await using running = await world.run({ config: QUICK + chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.create(deployment('web'));
    await world.slack.waitFor(4);
    await running.app.idle();
    assert.equal(world.slack.requests.length, 4, 'one attempt and three retries');
    const [letter] = await running.app.store.deadLetters({ limit: 10 });
    assert.deepEqual([letter?.handler, letter?.attempts, letter?.change.key], ['default/slack', 4, 'default/web']);
    assert.match(running.serviceLog(), /"level":"error".*default\/web|default\/web.*"level":"error"/);
    const [balance] = await running.app.store.balances();
    assert.deepEqual([balance?.accepted, balance?.dead, balance?.pending], [1, 1, 0]);
  });

  test('18 (F) 429 with Retry-After waits as asked and costs no attempt', async () => {
    await using world = await World.start((_request, n) =>
      n <= 2 ? { status: 429, headers: { 'retry-after': '0' } } : { body: 'ok' },
    );
    await using running = await world.run({ config: QUICK + chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.create(deployment('web'));
    await world.slack.waitFor(3);
    await running.app.idle();
    assert.equal((await running.app.store.deadLetters({ limit: 1 })).length, 0);
    assert.equal(world.slack.requests.length, 3);
  });

  test('19 (F) in [log, A, B] where B fails once, A and log run once', async () => {
    await using world = await World.start();
    await using flaky = await startReceiver((_request, n) => (n === 1 ? { status: 500 } : { body: 'ok' }));
    const config = QUICK + chainOf('name = "log"', slackHandler(world.slack.url, 'A'), slackHandler(flaky.url, 'B'));
    await using running = await world.run({ config });
    world.server.create(deployment('web'));
    await flaky.waitFor(2);
    await running.app.idle();
    assert.deepEqual([running.entries().length, world.slack.requests.length, flaky.requests.length], [1, 1, 2]);
  });

  test('20 (P) a halt is no error; a handler error names handler and key', async () => {
    await using world = await World.start();
    await world.workdir.write(
      'moody.ts',
      `export default (change) => { if (change.name === 'bad') throw new Error('no mood'); };\n`,
    );
    const config =
      QUICK +
      chainOf('name = "ignoreEvents"\nevents = ["Update"]', 'name = "./moody.ts"', slackHandler(world.slack.url));
    world.server.create(image('nginx:1.7.9'));
    await using running = await world.run({ config });
    world.server.update(image('nginx:1.9.1'));
    world.server.create(deployment('good'));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.doesNotMatch(running.serviceLog(), /"level":"(error|warn)"/);
    world.server.create(deployment('bad'));
    await waitForDeadLetter(running.app);
    await running.app.idle();
    const failed =
      running
        .serviceLog()
        .split('\n')
        .filter((line) => line.includes('"level":"error"'))
        .at(-1) ?? '';
    assert.match(failed, /moody/);
    assert.match(failed, /default\/bad/);
    assert.match(failed, /no mood/);
    assert.deepEqual(world.titles(), ['ADD deployment\ndefault/good']);
  });

  test('21 (P) handlers run in config order, each sees what the one before left', async () => {
    await using world = await World.start();
    const note = (letter: string) =>
      `export default (change) => ({ ...change, notes: { ...change.notes, trail: (change.notes.trail ?? '') + '${letter}' } });\n`;
    for (const letter of ['a', 'b', 'c']) await world.workdir.write(`${letter}.ts`, note(letter));
    await world.workdir.write(
      'tell.ts',
      `import { appendFileSync } from 'node:fs';\nexport default (change) => { appendFileSync(${JSON.stringify(world.workdir.file('trail'))}, change.notes.trail + '\\n'); };\n`,
    );
    const own = (file: string) => `name = "./${file}.ts"`;
    await using running = await world.run({
      config: chainOf(own('c'), own('a'), own('b'), own('tell'), slackHandler(world.slack.url)),
    });
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    assert.equal(running.app.health().ready, true);
    assert.equal(await readFile(world.workdir.file('trail'), 'utf8'), 'cab\n');
  });

  test('22 (P) changes of one object arrive in order, also across a retry', async () => {
    await using world = await World.start((_request, n) => (n === 1 ? { status: 500 } : { body: 'ok' }));
    await using running = await world.run({ config: QUICK + chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.create(image('nginx:1'));
    world.server.update(image('nginx:2'));
    world.server.update(image('nginx:3'));
    await world.slack.waitFor(4);
    await running.app.idle();
    const [refused, ...told] = world.messages();
    assert.equal(refused?.title, 'ADD deployment\ndefault/web');
    assert.deepEqual(
      told.map(({ title, text }) => `${title.split(' ')[0]} ${/nginx:\d -> nginx:\d/.exec(text)?.[0] ?? ''}`.trim()),
      ['ADD', 'UPDATE nginx:1 -> nginx:2', 'UPDATE nginx:2 -> nginx:3'],
    );
  });

  test('23 (F) add and delete, update and delete within a tick: no error, the delete is reported', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1'));
    await using running = await world.run({ config: chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.create(deployment('brief'));
    world.server.delete('Deployment', 'brief', 'default');
    world.server.update(image('nginx:2'));
    world.server.delete('Deployment', 'web', 'default');
    await world.slack.waitFor(4);
    await running.app.idle();
    assert.deepEqual(world.titles().toSorted(), [
      'ADD deployment\ndefault/brief',
      'DELETE deployment\ndefault/brief',
      'DELETE deployment\ndefault/web',
      'UPDATE deployment\ndefault/web',
    ]);
    assert.doesNotMatch(running.serviceLog(), /"level":"(error|warn)"/);
  });

  test('34 (P) SIGTERM and SIGINT exit 0; (F) a delivery in flight is finished first', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      await using slack = await startReceiver(() => ({ body: 'ok', delayMs: 300 }));
      await using server = await startApiServer();
      await using workdir = await Workdir.make();
      const kubeconfig = await server.writeKubeconfig(workdir.file('kube'));
      await workdir.write('config.toml', kwatchmanConfig(slack.url));
      await using program = new Program(
        ['-c', 'config.toml', '-k', kubeconfig, '--state', 'state', '--listen', '127.0.0.1:0'],
        { cwd: workdir.path },
      );
      await program.ready();
      server.create(deployment('web'));
      await slack.waitFor(1);
      const exit = await program.stop(signal);
      assert.equal(exit.code, 0);
      await using again = new Program(['dead', 'list', '--state', workdir.file('state')], { cwd: workdir.path });
      assert.match((await again.exited()).stdout, /No dead letters/);
      assert.equal(slack.requests.length, 1);
    }
  });
});

describe('kwatchman: handlers', () => {
  test('25 (P) ignoreEvents after diff lets only UPDATE through; (F) a bad name is refused at start', async () => {
    await using world = await World.start();
    const only = (events: string) =>
      chainOf('name = "diff"', `name = "ignoreEvents"\nevents = ${events}`, slackHandler(world.slack.url));
    await using running = await world.run({ config: only('["Add", "Delete"]') });
    world.server.create(image('nginx:1'));
    world.server.update(image('nginx:2'));
    world.server.delete('Deployment', 'web', 'default');
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.deepEqual(world.titles(), ['UPDATE deployment\ndefault/web']);
    await assert.rejects(world.run({ config: only('["Added"]') }), /must be "Add".*"Added"/s);
  });

  test('26 (P) the Slack body: one attachment, its fields and colours', async () => {
    await using world = await World.start();
    await using running = await world.run();
    world.server.create(image('nginx:1'));
    world.server.update(image('nginx:2'));
    await world.slack.waitFor(2);
    assert.equal(running.app.health().ready, true);
    const [request] = world.slack.requests;
    assert.equal(request?.method, 'POST');
    assert.match(request?.headers['content-type'] ?? '', /^application\/json/);
    const body = JSON.parse(world.slack.requests[1]?.body ?? '') as { attachments: Record<string, unknown>[] };
    assert.deepEqual(Object.keys(body), ['attachments']);
    assert.equal(body.attachments.length, 1);
    const [{ ts, text, author_name, author_link, ...exact } = {}] = body.attachments;
    assert.deepEqual(exact, {
      color: '#F39C12',
      fallback: 'UPDATE deployment\ndefault/web',
      title: 'UPDATE deployment\ndefault/web',
      footer: 'myClusterName',
    });
    assert.equal(typeof ts, 'number');
    assert.equal(typeof author_name, 'string');
    assert.match(String(author_link), /^https:/);
    assert.match(String(text), /^```[^]+```$/);
    assert.deepEqual(
      world.messages().map(({ color }) => color),
      ['#1ADA00', '#F39C12'],
    );
  });

  test('27 (P) at most 4000 characters; (F) the cut is visible, and backticks cannot end the block', async () => {
    await using world = await World.start();
    const named = (value: string) => ({
      ...deployment('web'),
      metadata: { name: 'web', namespace: 'default', annotations: { note: value } },
    });
    world.server.create(named('我想玩电脑'));
    await using running = await world.run();
    world.server.update(named(`${'我想玩电脑'.repeat(2000)}\`\`\``));
    await world.slack.waitFor(1);
    world.server.update(named('```<!channel> & more```'));
    await world.slack.waitFor(2);
    assert.equal(running.app.health().ready, true);
    const [long, hostile] = world.messages();
    assert.ok(Array.from(long?.text ?? '').length <= 4000);
    assert.match(long?.text ?? '', /… \(?[\d,]+ (more|characters)/);
    for (const message of [long, hostile]) assert.equal(message?.text.split('```').length, 3);
    assert.doesNotMatch(hostile?.text ?? '', /<!channel>/);
  });

  test('28 (F) a webhook that never answers delays nothing else, and posts leave no open sockets', async () => {
    await using world = await World.start((request) =>
      request.body.includes('default/stuck') ? { hang: true } : { body: 'ok' },
    );
    const impatient = `${slackHandler(world.slack.url)}timeout = "2s"\n`;
    await using running = await world.run({ config: chainOf('name = "diff"', impatient) });
    world.server.create(deployment('stuck'));
    await world.slack.waitFor(1);
    for (let n = 0; n < 1000; n++) world.server.create(deployment(`web-${n}`));
    await until('everybody to be told of', () => new Set(world.titles()).size === 1001);
    assert.equal(running.app.health().ready, true);
    assert.ok(world.slack.openSockets <= MAX_SOCKETS, `${world.slack.openSockets} sockets are open`);
  });

  test('30 (P) log: one info entry with key, action, payload; the manifest at debug; (F) kind, as JSON on stdout', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1'));
    await using running = await world.run({
      config: chainOf('name = "diff"', 'name = "log"\nlevel = "debug"', slackHandler(world.slack.url)),
    });
    world.server.update(image('nginx:2'), { manager: 'kubectl-set' });
    await world.slack.waitFor(1);
    await running.app.idle();
    const info = running.entries().filter(({ level }) => level === 'info');
    assert.equal(info.length, 1);
    const [entry] = info;
    assert.deepEqual([entry?.['key'], entry?.['action'], entry?.['kind']], ['default/web', 'updated', 'Deployment']);
    assert.match(JSON.stringify(entry), /nginx:1.*nginx:2/);
    const debug = running.entries().find(({ level }) => level === 'debug');
    assert.match(JSON.stringify(debug), /"image":"nginx:2"/);
  });

  test('35 (F) a denied kind is named in readiness and the log, and stops no other', async () => {
    await using world = await World.start();
    const denied = world.server.fault({ path: '/api/v1/services', effect: 'status', status: 403 });
    await using running = await world.run({ listen: '127.0.0.1:0' });
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    const readiness = await (await fetch(`http://${running.app.listening}/readyz`)).text();
    assert.match(readiness, /degraded: v1\/services: .*403/s);
    assert.match(running.serviceLog(), /services.*403|403.*services/);
    assert.ok(denied.hits > 0);
    assert.deepEqual(
      messages(world.slack).map(({ title }) => title),
      ['ADD deployment\ndefault/web'],
    );
  });

  test('33 (F) with 5,000 idle deployments an update is reported at once, without a list or a timer', async () => {
    await using world = await World.start();
    for (let n = 0; n < 5000; n++) world.server.create(deployment(`web-${n}`));
    world.server.create(image('nginx:1'));
    const config = chainOf('name = "diff"', slackHandler(world.slack.url));
    // The clock stands still, so that nothing that waits for a time is sent.
    await using running = await world.run({ config, clock: new FakeClock() });
    const asked = world.server.requests.length;
    world.server.update(image('nginx:2'));
    await world.slack.waitFor(1);
    assert.equal(running.app.health().scopes[0]?.objects, 5001);
    assert.equal(world.server.requests.length, asked, 'it came from the watch: nothing was listed again');
  });
});

/** Waits until the store holds a dead letter. */
async function waitForDeadLetter(app: {
  readonly store: { deadLetters(query: { limit: number }): Promise<readonly { change: Change }[]> };
}): Promise<void> {
  const deadline = AbortSignal.timeout(PATIENCE_MS);
  while ((await app.store.deadLetters({ limit: 1 })).length === 0) deadline.throwIfAborted();
}
