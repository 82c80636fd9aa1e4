/** Mistakes of new users, and actions of operators: on the command line, as processes. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig, startProgram } from './main-job.ts';
import { Program, Workdir } from './program.ts';
import { clusterOf, CONFIG, run } from './commands.ts';
import { runCommand } from '../run-command.ts';

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
    const access = await clusterOf(workdir, server);
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
    const access = await clusterOf(workdir, server);
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
    const access = await clusterOf(workdir, server);
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
      await using program = startProgram(workdir, await clusterOf(workdir, server));
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
      const { kubeconfig } = await clusterOf(workdir, server);
      const args = ['-c', config, '-k', kubeconfig, '--listen', 'off', '--state', resolve(workdir.path, state)];
      const exit = await run(workdir, args);
      assert.equal(exit.code, 1);
      assert.match(exit.stderr, /Cannot use the state folder .*state/);
    });
  }
});

test('a state folder that cannot be used is refused before the cluster is asked, with what is wrong with the credentials', async () => {
  await using server = await startApiServer();
  await using workdir = await Workdir.make();
  const { kubeconfig } = await clusterOf(workdir, server);
  const config = await workdir.write('config.toml', CONFIG);
  await server.close();
  const state = workdir.file('nearly/a/folder');
  await workdir.write('nearly', '');
  const flags = ['-c', config, '--listen', 'off', '--state', state];
  const refused = await run(workdir, ['run', ...flags, '-k', kubeconfig]);
  assert.equal(
    refused.stderr,
    `watchchain: Cannot use the state folder ${state}: a part of the path is not a folder; set another --state\n`,
  );
  const both = await run(workdir, ['run', ...flags, '-k', workdir.file('none')]);
  assert.match(both.stderr, /^watchchain: No kubeconfig.*\nwatchchain: Cannot use the state folder .*\n$/);
});

test('help shows how to start, and --compat, which is no option of any command', async () => {
  await using workdir = await Workdir.make();
  assert.match((await run(workdir, ['--help'])).stdout, /watchchain new config .*\n[^]*watchchain --compat kwatchman/);
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

test('what other tools have is answered with what is here', async () => {
  for (const request of ['version', '-v', '-V']) {
    const { code, stdout } = await runCommand([request]);
    assert.deepEqual([code, /^\d+\.\d+\.\d+/.test(stdout)], [0, true], request);
  }
  for (const [line, hint] of [
    ['validate', /unknown command 'validate'; use watchchain check\n/],
    ['run -v 3', /unknown option '-v'.*\n\(--log-level debug logs more, --version prints the version\)\n/],
    ['check --quiet', /unknown option '--quiet'.*\n\(The exit code says the same/],
    ['check -f x.yaml', /unknown option '-f'.*\n\(Name a configuration file with -c\)\n/],
    ['check -z debug', /unknown option '-z'.*\n\(It is a flag of watchchain run, watchchain test\)\n/],
    ['check help', /\n\(Its help: watchchain help check\)\n/],
    ['check -c -', /^watchchain: Cannot use -: a configuration is read from a file/],
  ] as const)
    assert.match((await runCommand(line.split(' '))).stderr, hint, line);
});

test('a configuration file without -c is refused, with a hint', async () => {
  await using workdir = await Workdir.make();
  const { code, stderr } = await run(workdir, ['check', 'prod.toml']);
  assert.equal(code, 2);
  assert.match(stderr, /^error: too many arguments for 'check'.*\n\(Name a configuration file with -c\)$/m);
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
    const { kubeconfig } = await clusterOf(workdir, server);
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

  test('exits with 0 when the reader of stdout goes away, and says so in its log', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    await using program = startProgram(workdir, await clusterOf(workdir, server));
    await program.ready();
    program.closeStdout();
    for (let n = 0; n < 3; n++) server.create(deployment(`web-${n}`));
    const { code, stderr } = await program.exited();
    assert.equal(code, 0);
    assert.match(stderr, /The reader of stdout is gone/);
  });

  test('says at its end that something is not delivered yet', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(() => ({ status: 500 }));
    await workdir.write('config.toml', kwatchmanConfig(slack.url, ['deployment']));
    await using program = startProgram(workdir, await clusterOf(workdir, server));
    await program.ready();
    server.create(deployment('web'));
    await slack.waitFor(1);
    const { code, stderr } = await program.stop();
    assert.equal(code, 0);
    assert.match(stderr, /"Stopping".*\n.*"deliveries":1,.*"Not everything is delivered: the rest follows/s);
  });

  test('its log says where the state is, and which signal ended it', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    await using program = startProgram(workdir, await clusterOf(workdir, server));
    await program.ready();
    const { code, stderr } = await program.stop('SIGHUP');
    assert.equal(code, 0);
    assert.match(stderr, /"message":"Started","state":"\/.*\n.*"Stopping","signal":"SIGHUP"/s);
  });

  test('no colour without a terminal', async () => {
    await using workdir = await Workdir.make();
    const page = await run(workdir, ['explain', 'diff']);
    assert.equal(page.code, 0);
    assert.ok(!page.stdout.includes('\u001b'));
  });
});
