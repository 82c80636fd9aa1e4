/** `watchchain check`: what it says of mistakes in the configuration, and of the cluster. */
import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { Program, Workdir } from './program.ts';
import { clusterOf, CONFIG, run } from './commands.ts';

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
      ['[[handler]]', /\.name: is missing: it must be a string; is "nmae" meant to be it\?$/],
      ['nmae = "diff"', undefined],
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

  test('suggests the built-in kind for one that is misspelt', async () => {
    await using workdir = await Workdir.make();
    const kinds = ['Depolyment', 'Rollout', 'po'].map((kind) => `[[resource]]\nkind = "${kind}"\n`).join('');
    const config = await workdir.write('config.toml', `${kinds}[[handler]]\nname = "log"\n`);
    const { code, stdout } = await run(workdir, ['check', '-c', config]);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /Depolyment \(a custom resource\? Kubernetes itself has "deployment"\), all namespaces\n +Rollout, all .*\n +po, all/,
    );
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
    const { kubeconfig } = await clusterOf(workdir, server);
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

  test('--cluster says once why the cluster knows no kind, naming all of them', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', `[[resource]]\nkind = "secret"\nnamespaces = ["a", "b"]\n${CONFIG}`);
    const { kubeconfig } = await clusterOf(workdir, server);
    await server.close();
    const { code, stdout } = await run(workdir, [
      'check',
      '-c',
      workdir.file('config.toml'),
      '--cluster',
      '-k',
      kubeconfig,
    ]);
    assert.equal(code, 1);
    assert.match(stdout, /\n {2}unknown {2}secret, deployment: Cannot GET .* connection refused .*\n$/);
    assert.equal(stdout.match(/connection refused/g)?.length, 1);
  });

  test('--cluster --lease checks the rights to that Lease, as the service would have it', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    const { kubeconfig } = await clusterOf(workdir, server);
    const config = await workdir.write('config.toml', CONFIG);
    server.allow(({ resource }) => resource !== 'leases');
    const flags = ['--cluster', '-k', kubeconfig, '--lease', 'default/theirs'];
    const { code, stdout } = await run(workdir, ['check', '-c', config, ...flags]);
    assert.equal(code, 1);
    assert.match(stdout, /refused +may not get, update leases\.coordination\.k8s\.io "theirs" in namespace default/);
  });

  test('--cluster names missing namespaces, if they may be read', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    const { kubeconfig } = await clusterOf(workdir, server);
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
