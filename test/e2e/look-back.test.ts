/** What operators ask afterwards: dead letters, history and the trip of a change, with and without a running service. */
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { startApiServer, type ApiServer } from '../../src/testing/api-server.ts';
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { TestCluster, deployment } from './cluster.ts';
import { startProgram } from './main-job.ts';
import { Program, Workdir } from './program.ts';
import { runCommand, type CommandOutput } from '../run-command.ts';

/** Watches Deployments and Secrets; the `match` drops nothing. @param chain table the chain is in: `""` for the default one */
function config(url: string, slackId = 'slack', chain = ''): string {
  const part = (name: string) => `[[${chain === '' ? '' : 'chain.'}${name}]]`;
  return `
[retry]
retries = 1
minTimeout = "10ms"
${chain}
${part('resource')}
kind = "deployment"
${part('resource')}
kind = "secret"
${part('handler')}
name = "diff"
${part('handler')}
name = "match"
namespace = "^nowhere$"
drop = true
${part('handler')}
name = "log"
${part('handler')}
name = "slack"
id = "${slackId}"
webhookURL = "${url}"
messagesPerSecond = 0
fallback = "spare"
${part('handler')}
name = "stdout"
id = "spare"
layout = "told in place of slack"
${part('branch')}
name = "audit"
[[${chain === '' ? '' : 'chain.'}branch.handler]]
name = "match"
labels = { none = "." }
`;
}

async function run(workdir: Workdir, ...args: string[]): Promise<CommandOutput> {
  const state = ['-c', workdir.file('config.toml'), '--state', workdir.file('state')];
  const said = await runCommand(args.includes('--state') ? args : [...args, ...state], { env: { HOME: workdir.path } });
  assert.doesNotMatch(said.stdout + said.stderr, /^\s+at /m, 'no stack trace');
  assert.doesNotMatch(said.stdout + said.stderr, /c4nary/, 'no secret');
  return said;
}

async function lines(workdir: Workdir, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(workdir, ...args);
  assert.equal(code, 0, stderr);
  return stdout.trimEnd().split('\n');
}

async function objects<T>(workdir: Workdir, ...args: string[]): Promise<T[]> {
  return (await lines(workdir, ...args)).filter(Boolean).map((line) => JSON.parse(line) as T);
}

async function refused(workdir: Workdir, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(workdir, ...args);
  assert.deepEqual([code, stdout], [1, ''], stderr);
  return stderr;
}

/** Dead letters of the Deployments `doomed-1` and `doomed-2`; `flaky` delivered at the second attempt; a Secret. */
async function play(server: ApiServer, cluster: TestCluster, program: Program): Promise<void> {
  server.create(deployment('web'));
  await cluster.patch('Deployment', 'web', { spec: { replicas: 3 } }, 'kubectl-scale');
  for (const name of ['doomed-1', 'doomed-2', 'flaky']) server.create(deployment(name));
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'token', namespace: 'default' },
    data: { token: Buffer.from('c4nary').toString('base64'), plain: 'YzRuYXJ5' },
  });
  await program.until('all that was played', ({ stdout, stderr }) => {
    return stderr.split('kept as a dead letter').length > 2 && stdout.includes('default/token');
  });
}

describe('history, dead and explain', () => {
  let [server, slack, workdir, cluster, program]: [ApiServer?, CapturedReceiver?, Workdir?, TestCluster?, Program?] =
    [];
  let folder: Workdir;

  before(async () => {
    workdir = folder = await Workdir.make();
    server = await startApiServer();
    let flaky = 0;
    slack = await startReceiver(({ body }) => {
      if (body.includes('doomed')) return { status: 404 };
      return { status: body.includes('flaky') && ++flaky === 1 ? 500 : 200, body: 'ok' };
    });
    await workdir.write('config.toml', config(`${slack.url}/c4nary`));
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    cluster = new TestCluster({ url: server.url, kubeconfig });
    program = startProgram(workdir, cluster.access);
    await program.ready();
    await play(server, cluster, program);
  });

  after(async () => {
    for (const one of [program, cluster, slack, server, workdir]) await one?.[Symbol.asyncDispose]();
  });

  test('history is a table, oldest first: id, time, action, object, manager and headline', async () => {
    const [header = '', ...rows] = await lines(folder, 'history');
    assert.match(header, /^ID +TIME +ACTION +OBJECT +BY +WHAT$/);
    assert.equal(rows.length, 6);
    const web = rows.filter((row) => row.includes('default/web'));
    assert.match(web[0] ?? '', /^\d+ +\S+Z +added +Deployment default\/web /);
    assert.match(web[1] ?? '', /updated +Deployment default\/web +kubectl-scale +replicas 1 -> 3$/);
  });

  test('history is filtered by kind, namespace, name, manager, time and number', async () => {
    const found = async (...args: string[]) => (await lines(folder, 'history', ...args)).slice(1).length;
    assert.equal(await found('--kind', 'deploy'), 5);
    assert.equal(await found('--kind', 'Deployments.apps', '--name', 'doomed-?'), 2);
    assert.equal(await found('--by', 'kubectl-sc*'), 1);
    const byCreator = (await lines(folder, 'history', '--by', 'kubectl-client-side-appl?')).join('\n');
    assert.match(byCreator, /added +Deployment default\/web/);
    assert.doesNotMatch(byCreator, /updated/, 'who only lost the field to another did not do it');
    for (const since of ['1h', '30d']) assert.equal(await found('-n', 'default', '--since', since), 6);
    assert.equal(await found('-n=default'), 6);
    assert.equal(await found('--limit', '2'), 2);
    assert.equal(await found('--limit', '0'), 6);
    assert.deepEqual(await lines(folder, 'history', '-n', 'kube-system'), ['No changes match.']);
  });

  test('a namespace with wildcards selects objects; it is not the namespace of the configuration', async () => {
    const file = await folder.write('located.toml', `[state]\npath = "state"\n${config('http://127.0.0.1:9')}`);
    const found = await runCommand(['history', '-n', 'defaul?', '-c', file], { env: { HOME: folder.path } });
    assert.deepEqual([found.code, found.stderr], [0, '']);
    assert.equal(found.stdout.trimEnd().split('\n').length, 7);
  });

  test('history as JSON is one document per line, with manifests; redacted values stay redacted', async () => {
    const [, scaled] = await objects<{ headline: string }>(folder, 'history', '--name', 'web', '-o', 'json');
    assert.equal(scaled?.headline, 'deployment default/web updated: replicas 1 -> 3');
    type Found = { action: string; key: string; before?: object; after?: { data: Record<string, string> } };
    const [secret] = await objects<Found>(folder, 'history', '--kind', 'secret', '-o', 'json');
    assert.deepEqual([secret?.action, secret?.key, secret?.before], ['added', 'default/token', undefined]);
    assert.ok(!JSON.stringify(secret).includes('YzRuYXJ5'));
    assert.ok(secret?.after?.data['plain']);
  });

  test('history -o diff shows the changed fields like the log', async () => {
    const told = (await lines(folder, 'history', '--by', 'kubectl-scale', '-o', 'diff')).join('\n');
    assert.match(told, /updated Deployment default\/web .*by kubectl-scale\n +spec\.replicas: 1 -> 3$/);
  });

  test('history -f follows newly accepted changes until it is stopped', async () => {
    const args = ['history', '-f', '--kind', 'deploy', '--name', 'late', '-o', 'json', '--limit', '5'];
    await using following = new Program([...args, '--state', folder.file('state')], { cwd: folder.path });
    server?.create(deployment('late'));
    await following.until('the new change', ({ stdout }) => stdout.includes('"key":"default/late"'));
    const exit = await following.stop('SIGINT');
    assert.deepEqual([exit.code, exit.stderr], [0, '']);
  });

  test('dead list is a table or JSON, filtered by handler, chain, kind and age', async () => {
    const [header = '', ...rows] = await lines(folder, 'dead', 'list');
    assert.match(header, /^ID +AGE +CHANGE +HANDLER +ATTEMPTS +ERROR$/);
    assert.match(rows[0] ?? '', /^\d+ +\d+s +added deployment default\/doomed-1 +default\/slack +1 +.*404/);
    assert.equal(rows.length, 2);
    type Letter = { handler: string; attempts: number; change: { name: string; after?: object } };
    const letters = await objects<Letter>(
      folder,
      'dead',
      'list',
      '-o',
      'json',
      '--handler',
      'default/slack',
      '-n',
      'defau*',
      '--name',
      'doomed-?',
    );
    assert.deepEqual(
      letters.map(({ handler, attempts, change }) => [handler, attempts, change.name, change.after]),
      [1, 2].map((n) => ['default/slack', 1, `doomed-${n}`, undefined]),
    );
    for (const filter of [
      ['--older-than', '1h'],
      ['--older-than', '90d'],
      ['--chain', 'other'],
      ['--kind', 'secret'],
      ['-n', 'shop'],
      ['--name', 'flaky'],
    ])
      assert.deepEqual(await lines(folder, 'dead', 'list', ...filter), ['No dead letters match.']);
    for (const verb of ['replay', 'discard'])
      assert.deepEqual(await lines(folder, 'dead', verb, '--chain', 'other'), ['No dead letters match.']);
  });

  test('explain --change shows each verdict and each attempt', async () => {
    const idOf = async (name: string) => {
      const [found] = await objects<{ id: number }>(folder, 'history', '--name', name, '-o', 'json');
      return String(found?.id);
    };
    const flaky = (await lines(folder, 'explain', '--change', await idOf('flaky'))).join('\n');
    assert.match(flaky, /^Change \d+: \S+ added {3}Deployment default\/flaky/);
    assert.match(flaky, /\ndefault: completed at \S+Z\n/);
    assert.match(flaky, /default\/diff +passed\n {2}default\/match +passed\n {2}default\/log +delivered\n/);
    assert.match(
      flaky,
      /default\/slack +delivered\n {4}\S+Z {2}attempt 1 failed: .* answered 500.*\n {2}default\/spare +only as a fallback for default\/slack/,
    );

    assert.match(flaky, /\n\ndefault\/audit: halted by default\/audit\/match at \S+: labels\[none\] is absent/);
    assert.match(flaky, /\n {2}default\/audit\/match +halted: labels/);

    const doomed = (await lines(folder, 'explain', '--change', await idOf('doomed-1'))).join('\n');
    assert.match(doomed, /\ndefault: given up at \S+, kept as a dead letter: .*404/);
    assert.match(
      doomed,
      /default\/log +delivered\n {2}default\/slack +failed\n {4}.*attempt 1 failed, the last one: .*404/,
    );

    type Trip = { deliveries: { chain: string; state: string; failures: { outcome: string }[] }[] };
    const [trip] = await objects<Trip>(folder, 'explain', '--change', await idOf('doomed-2'), '-o', 'json');
    assert.deepEqual(
      trip?.deliveries.map(({ chain, state, failures }) => [chain, state, failures.map(({ outcome }) => outcome)]),
      [['default', 'dead', ['dead']]],
    );
  });

  test('without the configuration, explain shows what was recorded', async () => {
    const [letter] = await objects<{ change: { id: number } }>(folder, 'dead', 'list', '-o', 'json');
    const told = await run(
      folder,
      'explain',
      '--change',
      String(letter?.change.id),
      '-c',
      'none',
      '--state',
      folder.file('state'),
    );
    assert.equal(told.code, 0);
    assert.match(told.stdout, / {2}default\/log +delivered\n {2}default\/slack +failed\n/);
  });

  test('dead show prints the whole change, its failures and the idempotency key that was sent', async () => {
    const [letter] = await objects<{ id: number }>(folder, 'dead', 'list', '-o', 'json');
    const shown = await run(folder, 'dead', 'show', String(letter?.id));
    const { change, failures, idempotencyKey } = JSON.parse(shown.stdout) as {
      change: { after: { spec: object } };
      failures: { attempt: number }[];
      idempotencyKey: string;
    };
    assert.ok(change.after.spec);
    assert.deepEqual(
      failures.map(({ attempt }) => attempt),
      [1],
    );
    const seen = slack?.requests.find(({ body }) => body.includes('doomed-1'))?.headers['idempotency-key'];
    assert.equal(idempotencyKey, seen);
  });

  for (const [args, message] of [
    [['history', '--kind', 'deploymnet'], /Nothing of kind "deploymnet" is recorded; did you mean "deployment"/],
    [['history', '--kind', 'deploymentz'], /did you mean "deployment" or "deployments"\?$/m],
    [['history', '--kind', 'pod'], /recorded kinds are deployments\.apps, secrets/],
    [['history', '--since', 'yesterday'], /--since: cannot read "yesterday"; expected a duration such as/],
    [['history', '--since', '2026-09-31T08:00:00Z'], /--since: cannot read "2026-09-31T08:00:00Z"/],
    [['history', '--limit', '1e9'], /--limit: "1e9" is not a number from 0/],
    [['dead', 'list', '--older-than', '3'], /--older-than: cannot read "3"/],
    [['dead', 'show', '777'], /No dead letter has the id 777; `watchchain dead list` shows/],
    [['dead', 'replay'], /Nothing to replay: give ids, a filter such as --handler, or --all/],
    [['dead', 'discard', '1', '--all'], /Cannot discard by id and by filter at the same time/],
    [['dead', 'discard', '777'], /No dead letter has the id 777/],
    [['explain', '--change', 'x'], /Not an id: "x"/],
    [['explain', '--change', '777'], /No change has the id 777: 1 to \d+ are recorded; `watchchain history`/],
    [['explain', 'diff', '--change', '1'], /Cannot explain a handler and a change at the same time/],
    [['explain', 'diff', '-o', 'json'], /-o is the format of a trip: add --change/],
  ] as const) {
    test(`${args.join(' ')}: refused with a remedy`, async () => {
      assert.match(await refused(folder, ...args), message);
    });
  }
});

describe('dead letters of a chain or handler that is no longer configured', () => {
  test('are kept, and a replay is refused; with --force they go through the current chain', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(({ body }) => ({
      status: body.includes('doomed') ? 404 : 200,
      body: 'ok',
    }));
    await using other = await startReceiver(() => ({ body: 'ok' }));
    await workdir.write('config.toml', config(slack.url));
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    await using cluster = new TestCluster({ url: server.url, kubeconfig });
    {
      await using program = startProgram(workdir, cluster.access);
      await program.ready();
      await play(server, cluster, program);
      assert.equal((await program.stop()).code, 0);
    }
    await workdir.write('config.toml', config(other.url, 'slack', '[[chain]]\nname = "new"'));
    assert.match(await refused(workdir, 'dead', 'replay', '--all'), /has no chain "default" any more/);
    await workdir.write('config.toml', config(other.url, 'ops'));
    assert.match(
      await refused(workdir, 'dead', 'replay', '--all'),
      /Cannot replay \d+: .*config\.toml has no handler default\/slack any more; restore it, or use --force/,
    );
    assert.equal((await lines(workdir, 'dead', 'list')).length, 3);

    const unset = ['--all', '-c', 'none.toml', '--state', workdir.file('state')];
    assert.match(await refused(workdir, 'dead', 'replay', ...unset), /none\.toml.*\n.*--force replays without it/);

    const [first, second] = await objects<{ id: number; change: { id: number } }>(
      workdir,
      'dead',
      'list',
      '-o',
      'json',
    );
    assert.match((await lines(workdir, 'dead', 'replay', String(first?.id), '--force')).join(), /^Replayed 1 of 1\. /);
    await using program = startProgram(workdir, cluster.access);
    await other.waitFor(1);
    assert.match(other.requests[0]?.body ?? '', /doomed-1/);
    assert.match((await lines(workdir, 'dead', 'discard', '--older-than', '0s')).join(), /^Discarded 1 of 1\.$/);
    const trip = await lines(workdir, 'explain', '--change', String(second?.change.id));
    assert.ok(
      trip.some((line) => /^default: given up at .*Z, since discarded$/.test(line)),
      trip.join('\n'),
    );
    assert.equal((await program.stop()).code, 0);
  });
});

test('a delivery of a removed chain is shown as waiting for the chain, not for the receiver', async () => {
  await using server = await startApiServer();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver(() => ({ status: 429, headers: { 'retry-after': '600' } }));
  await workdir.write('config.toml', config(slack.url));
  const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
  {
    await using program = startProgram(workdir, { url: server.url, kubeconfig });
    await program.ready();
    server.create(deployment('web'));
    await program.until('a change that waits', ({ stderr }) => stderr.includes('"Delivery deferred"'));
    assert.equal((await program.stop()).code, 0);
  }
  const told = () => lines(workdir, 'explain', '--change', '1');
  assert.match((await told()).join('\n'), /^default: waits until \S+Z \(in /m);
  await workdir.write('config.toml', config(slack.url, 'slack', '[[chain]]\nname = "new"'));
  assert.ok((await told()).includes('default: waits for a chain of that name, which is not configured'));
});

describe('a state folder that cannot be found', () => {
  test('of a configuration that cannot be read: suggests --state with the folder', async () => {
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', config('${SET_FOR_THE_SERVICE_ONLY}'));
    // No folder is given.
    const command = ['history', '-c', workdir.file('config.toml'), '--state', ''];
    const before = await run(workdir, ...command);
    const root = workdir.file('.local/state/watchchain');
    assert.equal(before.code, 1);
    assert.match(before.stderr, /SET_FOR_THE_SERVICE_ONLY is not set/);
    assert.ok(before.stderr.includes(`--state FOLDER, below ${root} `), before.stderr);
    await mkdir(`${root}/some-cluster/config`, { recursive: true });
    const { stderr } = await run(workdir, ...command);
    assert.ok(stderr.endsWith(`--state ${root}/some-cluster/config\n`), stderr);
  });

  test('does not exist, or holds no store.db: says so and creates nothing', async () => {
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', config('http://127.0.0.1:1'));
    await mkdir(workdir.file('theirs'), { mode: 0o700 });
    await workdir.write('theirs/theirs.db', 'not ours');
    for (const [state, message] of [
      ['absent', /state folder .*absent: it does not exist: nothing has run with this state yet/],
      ['theirs', /there is no store\.db in it: nothing has run with this state yet/],
    ] as const) {
      for (const command of [['history'], ['dead', 'list'], ['explain', '--change', '1']])
        assert.match(await refused(workdir, ...command, '--state', workdir.file(state)), message);
    }
    assert.deepEqual(await readdir(workdir.file('theirs')), ['theirs.db']);
    assert.ok(!(await readdir(workdir.path)).includes('absent'));
  });
});
