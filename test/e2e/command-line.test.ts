/** Mistakes of new users, and actions of operators: on the command line, as processes. */
import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { startApiServer, type ApiServer } from '../../src/testing/api-server.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig, startProgram } from './main-job.ts';
import { Program, Workdir } from './program.ts';
import { runCommand, type CommandOutput } from '../run-command.ts';

const CONFIG = '[[resource]]\nkind = "deployment"\n[[handler]]\nname = "diff"\n[[handler]]\nname = "log"\n';

async function run(workdir: Workdir, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandOutput> {
  const said = await runCommand(args, { env: { HOME: workdir.path, ...env } });
  assert.doesNotMatch(said.stderr, /^\s+at /m, 'no stack trace');
  return said;
}

async function cluster(workdir: Workdir, server: ApiServer) {
  return { url: server.url, kubeconfig: await server.writeKubeconfig(workdir.file('kubeconfig')) };
}

/** A kubeconfig for an address where nothing listens: port 1 is reserved for root. */
function nowhere(): string {
  return JSON.stringify({
    'current-context': 'nowhere',
    clusters: [{ name: 'nowhere', cluster: { server: 'http://127.0.0.1:1' } }],
    users: [{ name: 'nowhere', user: { token: 'c4nary' } }],
    contexts: [{ name: 'nowhere', context: { cluster: 'nowhere', user: 'nowhere' } }],
  });
}

describe('an unreachable cluster', () => {
  test('no kubeconfig: names the places it looked in, and exits 1', async () => {
    await using workdir = await Workdir.make();
    const config = await workdir.write('config.toml', CONFIG);
    const exit = await run(workdir, ['run', '-c', config, '--listen', 'off']);
    assert.equal(exit.code, 1);
    assert.match(exit.stderr, /No kubeconfig: looked for .*\.kube\/config; and this is not a pod.*--kubeconfig/);
    assert.equal(exit.stderr.trim().split('\n').length, 1);
  });

  for (const listen of ['off', '127.0.0.1:0']) {
    test(`refused, with --listen ${listen}: one line per attempt with host, verb and path; SIGTERM exits with 0`, async () => {
      await using workdir = await Workdir.make();
      await workdir.write('config.toml', CONFIG);
      await workdir.write('kubeconfig', nowhere());
      const args = ['-k', 'kubeconfig', '--listen', listen, '--state', 'state'];
      await using program = new Program(args, { cwd: workdir.path });
      const attempts = () => program.stderr.split('\n').filter((line) => line.includes('trying again'));
      await program.until('a second attempt', () => attempts().length > 1);
      assert.match(attempts()[0] ?? '', /GET \/api\/v1\/namespaces\/kube-system on 127\.0\.0\.1:1: connection refused/);
      const exit = await program.stop('SIGTERM');
      assert.equal(exit.code, 0);
      assert.doesNotMatch(exit.stderr, /^\s+at |c4nary/m);
    });
  }

  test('it comes up later: the program starts by itself', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    const access = await cluster(workdir, server);
    await server.restart(async () => {
      await using program = startProgram(workdir, access);
      await program.until('an attempt', ({ stderr }) => stderr.includes('trying again'));
      await server.listen();
      await program.ready();
      assert.equal((await program.stop()).code, 0);
      await server.close();
    });
  });
});

describe('the state folder', () => {
  test('belongs to one process: a second one is refused, naming the holder; it can be read meanwhile', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    const access = await cluster(workdir, server);
    await using first = startProgram(workdir, access);
    await first.ready();
    await using second = startProgram(workdir, access);
    const refused = await second.exited();
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`state.*process ${first.pid} on`));
    const list = await run(workdir, ['dead', 'list', '--state', workdir.file('state')]);
    assert.deepEqual([list.code, list.stdout], [0, 'No dead letters.\n']);
    assert.equal((await first.stop()).code, 0);
  });

  test('is free again after kill -9', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    const access = await cluster(workdir, server);
    await using first = startProgram(workdir, access);
    await first.ready();
    await first.stop('SIGKILL');
    await using second = startProgram(workdir, access);
    await second.ready();
    assert.equal((await second.stop()).code, 0);
  });

  test('of another cluster: one loud line, a new baseline, and nothing is sent', async () => {
    await using workdir = await Workdir.make();
    await using slack = await startReceiver();
    await workdir.write('config.toml', kwatchmanConfig(slack.url, ['deployment']));
    for (const name of ['first', 'second']) {
      await using server = await startApiServer();
      server.create(deployment(name));
      await using program = startProgram(workdir, await cluster(workdir, server));
      await program.ready();
      const exit = await program.stop();
      assert.equal(exit.code, 0);
      assert.equal(exit.stderr.includes('belongs to another cluster'), name === 'second');
    }
    assert.equal(slack.requests.length, 0);
  });

  for (const [what, state] of [
    ['is a file', 'state'],
    ['cannot be created, as below /proc', '/proc/watchchain/state'],
  ] as const) {
    test(`that ${what}: the error names it, exit 1`, async () => {
      await using server = await startApiServer();
      await using workdir = await Workdir.make();
      const config = await workdir.write('config.toml', CONFIG);
      await workdir.write('state', 'a file where a folder should be');
      const { kubeconfig } = await cluster(workdir, server);
      const args = ['-c', config, '-k', kubeconfig, '--listen', 'off', '--state', resolve(workdir.path, state)];
      const exit = await run(workdir, args);
      assert.equal(exit.code, 1);
      assert.match(exit.stderr, /Cannot use the state folder .*state/);
    });
  }
});

describe('check', () => {
  test('says that handlers run programs and need --enable-exec', async () => {
    await using workdir = await Workdir.make();
    const exec = '[[resource]]\nkind = "pod"\n[[handler]]\nname = "exec"\ncommand = ["cat"]\n';
    const config = await workdir.write('config.toml', exec);
    const { stdout } = await run(workdir, ['check', '-c', config]);
    assert.match(stdout, /^programs {3}run by default\/exec: start with --enable-exec$/m);
  });

  test('reports every mistake at once, each with its line, and exits 1', async () => {
    await using workdir = await Workdir.make();
    const mistakes = [
      ['bogus = 1', /bogus: unknown key/],
      ['[retry]', undefined],
      ['minTimeout = "10 parsecs"', /retry\.minTimeout: must be a duration/],
      ['[[resource]]', undefined],
      ['kind = 3', /resource\[0\]\.kind: must be a string/],
      ['[[handler]]', undefined],
      ['name = "dif"', /unknown handler "dif"; did you mean "diff"/],
      ['[[handler]]', undefined],
      ['name = "slack"', undefined],
      ['webhookURL = ""', /webhookURL: must be/],
      ['[[handler]]', undefined],
      ['name = "match"', undefined],
      ['object = "("', /regular expression/],
      ['[[handler]]', undefined],
      ['name = "ignoreEvents"', undefined],
      ['events = ["Ad"]', /did you mean "Add"/],
      ['[[handler]]', undefined],
      ['name = "exec"', undefined],
      ['command = "./quiet.sh"', /command: must be a list/],
    ] as const;
    await workdir.write(
      'config.toml',
      mistakes
        .map(([line]) => line)
        .join('\n')
        .replace('object', 'kind'),
    );
    const exit = await run(workdir, ['check', '-c', workdir.file('config.toml')]);
    assert.equal(exit.code, 1);
    mistakes.forEach(([text, message], index) => {
      if (message === undefined) return;
      const line = exit.stderr.split('\n').find((said) => message.test(said));
      assert.ok(line?.includes(`config.toml:${index + 1}:`), `${text}: ${line ?? 'nothing was said'}`);
    });
  });

  test('says that a top-level option placed after a handler goes to the top of the file', async () => {
    await using workdir = await Workdir.make();
    const quiet = 'quiet = [{ daily = "22:00-06:00" }]\n';
    const rest = '[[resource]]\nkind = "pod"\n[[handler]]\nname = "log"\n';
    const check = async (text: string) =>
      run(workdir, ['check', '-c', await workdir.write('config.toml', text)]).then(({ stderr }) => stderr);
    assert.match(await check(rest + quiet), /toml:5: handler\[0\]\.quiet: unknown key; it goes to the top of the file/);
    assert.equal(await check(quiet + rest), '');
  });

  test('refuses valid handlers that cannot be in one chain', async () => {
    await using workdir = await Workdir.make();
    const alerts = '[[branch.handler]]\nname = "podAlerts"\n';
    const branch = `[[branch]]\nname = "ops"\n${alerts}${alerts.replace('\n', '\nid = "more"\n')}`;
    const config = await workdir.write('config.toml', `[[resource]]\nkind = "pod"\n${branch}`);
    const exit = await run(workdir, ['check', '-c', config]);
    assert.deepEqual([exit.code, exit.stdout], [1, '']);
    assert.match(exit.stderr, /default\/ops\/podAlerts keeps state by group.*move default\/ops\/more to a chain/);
  });

  test('refuses podAlerts after a diff that halts changes of the status, also in a branch', async () => {
    await using workdir = await Workdir.make();
    const resource = '[[resource]]\nkind = "pod"\n';
    const diff = '[[handler]]\nname = "diff"\n';
    const alerts = '[[handler]]\nname = "podAlerts"\n';
    const branch = '[[branch]]\nname = "ops"\n[[branch.handler]]\nname = "podAlerts"\n';
    const check = async (text: string) => {
      await workdir.write('config.toml', resource + text);
      return run(workdir, ['check', '-c', workdir.file('config.toml')]);
    };
    for (const [text, line] of [
      [diff + alerts, 5],
      [diff + branch, 7],
    ] as const) {
      const { code, stderr } = await check(text);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`config\\.toml:${line}: "podAlerts" .* "diff" \\(\\S+config\\.toml:3\\) halts`));
    }
    for (const text of [alerts + diff, `${diff}status = true\n${alerts}`]) assert.equal((await check(text)).code, 0);
  });

  test('suggests the built-in kind for one that is misspelt', async () => {
    await using workdir = await Workdir.make();
    const kinds = ['Depolyment', 'Rollout', 'po'].map((kind) => `[[resource]]\nkind = "${kind}"\n`).join('');
    const config = await workdir.write('config.toml', `${kinds}[[handler]]\nname = "log"\n`);
    const { code, stdout } = await run(workdir, ['check', '-c', config]);
    assert.equal(code, 0);
    assert.match(stdout, /Depolyment \(did you mean "deployment"\?\), all namespaces\n +Rollout, all .*\n +po, all/);
  });

  test('does not quote values that come from variables', async () => {
    await using workdir = await Workdir.make();
    const match = ['${SECRET}(', '(?=${SECRET})'].map((one) => `[[handler]]\nname = "match"\nmessage = "${one}"\n`);
    const named = '[[handler]]\nname = "${SECRET}"\n';
    const config = await workdir.write('config.toml', `[[resource]]\nkind = "event"\n${match.join('')}${named}`);
    const { code, stderr } = await run(workdir, ['check', '-c', config], { SECRET: 'hunter2' });
    assert.equal(code, 1);
    assert.match(stderr, /:5: .*missing closing \): `\.\.\.`\n.*:8: .*`\.\.\.`\n.*:10: .*unknown handler "\.\.\."/);
    assert.doesNotMatch(stderr, /hunter2/);
  });

  test('reports YAML in a .toml file, naming the extension that it needs', async () => {
    await using workdir = await Workdir.make();
    for (const text of ['resource:\n- kind: pod\n', '---\n- kind: pod\n', '- kind: pod\n', '{"resource": []}']) {
      const exit = await run(workdir, ['check', '-c', await workdir.write('config.toml', text)]);
      assert.match(
        exit.stderr,
        /config\.toml:1: broken TOML .* looks like YAML or JSON, .* ends in \.yaml or \.json\n/,
      );
    }
  });

  test('does not take a mistake in a TOML value for YAML', async () => {
    await using workdir = await Workdir.make();
    for (const text of ['x = [\n  { kind = "pod" name = 1 },\n]\n', 'x = """\npod: {{ change.name }} \\d\n"""\n']) {
      const { stderr } = await run(workdir, ['check', '-c', await workdir.write('config.toml', text)]);
      assert.match(stderr, /config\.toml:2: broken TOML /);
      assert.doesNotMatch(stderr, /YAML/);
    }
  });

  test('prints everything, even if it is not read at once', async () => {
    await using workdir = await Workdir.make();
    const names = Array.from({ length: 200_000 }, (_, n) => `team-${n}`);
    const watched = `[[resource]]\nkind = "pod"\nnamespaces = ${JSON.stringify(names)}\n[[handler]]\nname = "log"\n`;
    const config = await workdir.write('config.toml', watched);
    // Lets the timer of main.ts that exits after a second fire at once, as if the reader were slow.
    const hurried = 'const wait = setTimeout; globalThis.setTimeout = (f, ms) => wait(f, ms === 1000 ? 0 : ms);';
    const flags = ['--import', `data:text/javascript,${encodeURIComponent(hurried)}`];
    await using program = new Program(['check', '-c', config], { flags });
    const { code, stdout } = await program.exited();
    assert.equal(code, 0);
    assert.match(stdout, /team-199999[^]*at once\n$/);
  });

  test('reports broken TOML in one line, with the position', async () => {
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', '[[resource]]\nkind = "deployment\n');
    const exit = await run(workdir, ['check', '-c', workdir.file('config.toml')]);
    assert.equal(exit.code, 1);
    assert.match(exit.stderr, /^watchchain: \S+config\.toml:\d+: .*TOML.*\n$/);
  });

  test('warns of credential files that others may read, as the start does once, and uses them', async () => {
    await using workdir = await Workdir.make();
    const url = await workdir.write('slack-url', 'https://hooks.slack.com/services/c4nary\n');
    const slack = `[[handler]]\nname = "slack"\nwebhookURL = "\${file:${url}}"\n`;
    const config = await workdir.write('config.toml', `${CONFIG}${slack}`);
    await chmod(url, 0o640);
    const warning = `${url}: its mode 0640 lets other users read the credentials in it: chmod 600 ${url}`;
    const checked = await run(workdir, ['check', '-c', config]);
    assert.deepEqual([checked.code, checked.stderr], [0, '']);
    assert.match(checked.stdout, new RegExp(`^\\S+ is valid\\.\n${warning}\n\nchain`));

    const started = await run(workdir, ['run', '-c', config, '--listen', 'off', '--log-format', 'json']);
    const warnings = started.stderr.split('\n').filter((line) => line.includes('can read credentials'));
    assert.deepEqual(
      warnings.map((line) => (JSON.parse(line) as { warning: string }).warning),
      [warning],
    );
    await chmod(url, 0o600);
    assert.match((await run(workdir, ['check', '-c', config])).stdout, /is valid\.\n\nchain/);
    await workdir.write('config.toml', `${CONFIG}[web]\ntoken = "c4nary-c4nary-c4nary"\n`);
    await chmod(config, 0o644);
    const own = await run(workdir, ['check', '-c', config]);
    assert.match(own.stdout, /config\.toml: its mode 0644 lets other users .*: chmod 600 \S+config\.toml\n/);
    assert.doesNotMatch(own.stdout + started.stderr, /c4nary/);
  });

  test('explains [lease], [heartbeat] and [tracing], and shows only the host of their URLs, valid or not', async () => {
    await using workdir = await Workdir.make();
    const service = (scheme: string) =>
      `[lease]\nname = "ours"\n[heartbeat]\nurl = "${scheme}//ping.example/c4nary"\nevery = "90s"\n` +
      `[tracing]\nendpoint = "${scheme}//me:c4nary@collector.example:4318/c4nary"\nratio = 0.07\nheaders = { Authorization = "c4nary" }\n`;
    const config = await workdir.write('config.toml', CONFIG + service('https:'));
    const valid = await run(workdir, ['check', '-c', config]);
    assert.deepEqual(valid.stdout.trim().split('\n').slice(-3), [
      "lease      works only while it holds ours in the namespace of the pod, or the kubeconfig's; another process may take it 15 s after the last renewal",
      'heartbeat  POST to ping.example every 90 s while all is well',
      'tracing    7 % of the changes to collector.example:4318',
    ]);
    for (const mistake of ['', 'ftp:']) {
      await workdir.write('config.toml', CONFIG + service(mistake));
      const { code, stderr } = await run(workdir, ['check', '-c', config]);
      assert.equal(code, 1);
      assert.match(stderr, /heartbeat\.url: must be an https:\/\/ or http:\/\/ URL/);
      assert.match(stderr, /tracing\.endpoint: must be an https:\/\/ or http:\/\/ URL/);
      assert.doesNotMatch(valid.stdout + stderr, /c4nary/);
    }
  });

  test('--cluster checks what is served and what may be watched, and exits 1 unless everything is', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', `[[resource]]\nkind = "secret"\nnamespaces = ["default"]\n${CONFIG}`);
    const { kubeconfig } = await cluster(workdir, server);
    const good = await run(workdir, ['check', '-c', workdir.file('config.toml'), '--cluster', '-k', kubeconfig]);
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /ok +v1\/secrets in namespace default\n +ok +apps\/v1\/deployments in all namespaces/);
    await workdir.write('nodes.toml', CONFIG.replace('"deployment"', '"node"\nnamespaces = ["team-*", "shop"]'));
    server.allow(({ resource, namespace }) => resource !== 'nodes' || namespace !== '');
    const nodes = await run(workdir, ['check', '-c', workdir.file('nodes.toml'), '--cluster', '-k', kubeconfig]);
    assert.equal(nodes.code, 1, 'a Role in a namespace gives no right to nodes');
    assert.match(nodes.stdout, /node, at the cluster scope\n/);
    assert.match(nodes.stdout, /v1\/nodes in all namespaces: may not list and watch; grant it in a ClusterRole\n/);
    server.allow(({ namespace }) => namespace !== '');
    const all = await run(workdir, ['check', '-c', workdir.file('config.toml'), '--cluster', '-k', kubeconfig]);
    assert.match(all.stdout, /deployments in all namespaces: may not .*in a ClusterRole, or set `namespaces` to those/);
    server.allow(({ resource, verb }) => resource !== 'secrets' || verb !== 'watch');
    const refused = await run(workdir, ['check', '-c', workdir.file('config.toml'), '--cluster', '-k', kubeconfig]);
    assert.equal(refused.code, 1);
    assert.match(refused.stdout, /refused +v1\/secrets in namespace default: may not watch/);
    server.allow(({ subresource }) => subresource !== 'log');
    await workdir.write(
      'alerts.toml',
      '[[resource]]\nkind = "pod"\n[[handler]]\nname = "podAlerts"\n[[handler]]\nname = "log"\n',
    );
    const alerts = await run(workdir, ['check', '-c', workdir.file('alerts.toml'), '--cluster', '-k', kubeconfig]);
    assert.equal(alerts.code, 1);
    assert.match(alerts.stdout, /ok +v1\/pods in all namespaces\n +refused +may not get pods\/log in all namespaces/);
    await workdir.write('config.toml', CONFIG.replace('deployment', 'deploymnet'));
    const unknown = await run(workdir, ['check', '-c', workdir.file('config.toml'), '--cluster', '-k', kubeconfig]);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stdout, /deploymnet: the cluster does not serve it; near names: deployment/);
  });

  test('--cluster names missing namespaces, if they may be read', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    const { kubeconfig } = await cluster(workdir, server);
    const namespaces = '"deployment"\nnamespaces = ["default", "defualt", "team-*"]';
    const config = await workdir.write('config.toml', CONFIG.replace('"deployment"', namespaces));
    const check = () => run(workdir, ['check', '-c', config, '--cluster', '-k', kubeconfig]);
    const { code, stdout } = await check();
    assert.equal(code, 0, 'it may be made later');
    assert.match(
      stdout,
      /in namespace default\n.*in namespace defualt, which does not exist yet\n.*in namespaces team-\*\n/,
    );
    server.allow(({ resource }) => resource !== 'namespaces');
    assert.match((await check()).stdout, /in namespace defualt\n/);
  });
});

describe('test FILE', () => {
  test('prints the verdict of each recorded change, and sends nothing', async () => {
    await using workdir = await Workdir.make();
    await using slack = await startReceiver();
    await workdir.write('config.toml', kwatchmanConfig(slack.url, ['deployment']));
    const uid = { uid: '7b0f' };
    const stage = (image: string, resourceVersion: string) => {
      const object = deployment('web', image);
      return { ...object, metadata: { ...object.metadata, ...uid, resourceVersion } };
    };
    const lines = [
      { type: 'ADDED', object: stage('nginx:1.7.9', '1') },
      { type: 'MODIFIED', object: stage('nginx:1.7.9', '2') },
      { type: 'MODIFIED', object: stage('nginx:1.9.1', '3') },
    ];
    await workdir.write('events.json', lines.map((line) => JSON.stringify(line)).join('\n'));
    const exit = await run(workdir, ['test', workdir.file('events.json'), '-c', workdir.file('config.toml')]);
    assert.equal(exit.code, 0, exit.stderr);
    assert.match(exit.stdout, /nginx:1\.9\.1/);
    assert.match(exit.stdout, /no change of/);
    assert.equal(slack.requests.length, 0);
  });

  test('a missing file, or one that holds something else: a message and exit 1', async () => {
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    await workdir.write('poem.txt', 'roses are red');
    for (const file of ['missing.json', 'poem.txt']) {
      const exit = await run(workdir, ['test', workdir.file(file), '-c', workdir.file('config.toml')]);
      assert.equal(exit.code, 1);
      assert.match(exit.stderr, new RegExp(file.replace('.', '\\.')));
    }
  });
});

describe('dead letters', () => {
  test('are listed, shown, replayed while it runs, and discarded while it does not', async () => {
    let broken = true;
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(() => ({ status: broken ? 404 : 200, body: 'ok' }));
    await workdir.write('config.toml', kwatchmanConfig(`${slack.url}/c4nary`, ['deployment']));
    const access = await cluster(workdir, server);
    const state = ['--state', workdir.file('state'), '-c', workdir.file('config.toml')];
    await using program = startProgram(workdir, access);
    await program.ready();
    for (const name of ['one', 'two']) server.create(deployment(name));
    await program.until('two dead letters', ({ stderr }) => stderr.split('"level":"error"').length > 2);

    const list = await run(workdir, ['dead', 'list', ...state]);
    assert.equal(list.code, 0, list.stderr);
    const [, first = '', second = ''] = list.stdout.trim().split('\n');
    assert.match(first, /^\d+ .* added deployment default\/one .*404/);
    assert.match(second, /default\/two/);
    assert.doesNotMatch(list.stdout, /c4nary/);
    const [id = ''] = first.split(' ');
    const shown = await run(workdir, ['dead', 'show', id, ...state]);
    assert.equal((JSON.parse(shown.stdout) as { change: { key: string } }).change.key, 'default/one');

    broken = false;
    const before = slack.requests.length;
    const replay = await run(workdir, ['dead', 'replay', id, ...state]);
    assert.equal(replay.code, 0, replay.stderr);
    assert.match(replay.stdout, /^Replayed 1 of 1\./);
    await slack.waitFor(before + 1);
    assert.equal(slack.requests[before]?.headers['idempotency-key'], slack.requests[0]?.headers['idempotency-key']);
    assert.equal((await program.stop()).code, 0);
    const discard = await run(workdir, ['dead', 'discard', '--all', ...state]);
    assert.equal(discard.code, 0, discard.stderr);
    const left = await run(workdir, ['dead', 'list', ...state]);
    assert.equal(left.stdout, 'No dead letters.\n');
  });

  test('an unknown or invalid id, or nothing named: a message and exit 1', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    await using program = startProgram(workdir, await cluster(workdir, server));
    await program.ready();
    await program.stop();
    for (const [args, message] of [
      [['show', '7'], /No dead letter has the id 7/],
      [['replay', 'x'], /Not an id: "x"/],
      [['discard'], /Nothing to discard/],
    ] as const) {
      const exit = await run(workdir, ['dead', ...args, '--state', workdir.file('state')]);
      assert.equal(exit.code, 1);
      assert.match(exit.stderr, message);
    }
  });
});

test('help of a subcommand is the same as its --help', async () => {
  await using workdir = await Workdir.make();
  const [asked, own] = [await run(workdir, ['help', 'dead', 'list']), await run(workdir, ['dead', 'list', '--help'])];
  assert.match(asked.stdout, /^Usage: watchchain dead list /);
  assert.deepEqual(asked, own);
});

test('a command after flags is refused, with a hint where it belongs', async () => {
  await using workdir = await Workdir.make();
  const { code, stderr } = await run(workdir, ['-c', 'config.toml', 'history']);
  assert.equal(code, 2);
  assert.match(stderr, /^error: too many arguments for 'run'.*history\.\n\(A command comes before its flags/);
});

describe('the process', () => {
  test('the start fails when Node may not run the program of an exec handler', async () => {
    await using workdir = await Workdir.make();
    const exec = '[[resource]]\nkind = "pod"\n[[handler]]\nname = "exec"\ncommand = ["cat"]\n';
    const args = ['run', '-c', await workdir.write('config.toml', exec), '--enable-exec'];
    const flags = ['--permission', '--allow-worker', '--allow-fs-read=*', '--disable-warning=SecurityWarning'];
    await using program = new Program(args, { cwd: workdir.path, flags });
    const { code, stderr } = await program.exited();
    assert.equal(code, 1);
    assert.match(stderr, /handler default\/exec runs a program, which this process may not do: set NODE_OPTIONS=/);
  });

  test('--listen on an address in use: one line, and it goes on without', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    const { kubeconfig } = await cluster(workdir, server);
    const taken = new URL(server.url).host;
    const args = ['-k', kubeconfig, '--state', 'state', '--listen', taken];
    await using program = new Program(args, { cwd: workdir.path });
    await program.until('started', ({ stderr }) => stderr.includes('"Started"'));
    await server.waitForWatches(1);
    server.create(deployment('web'));
    await program.until('the change', ({ stdout }) => stdout.includes('default/web'));
    const exit = await program.stop();
    assert.equal(exit.code, 0);
    assert.equal(exit.stderr.split('the address is in use').length, 2);
  });

  test('exits with 0 when the reader of stdout goes away', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    await using program = startProgram(workdir, await cluster(workdir, server));
    await program.ready();
    program.closeStdout();
    for (let n = 0; n < 3; n++) server.create(deployment(`web-${n}`));
    assert.equal((await program.exited()).code, 0);
  });

  test('no colour without a terminal', async () => {
    await using workdir = await Workdir.make();
    const page = await run(workdir, ['explain', 'diff']);
    assert.equal(page.code, 0);
    assert.ok(!page.stdout.includes('\u001b'));
  });
});
