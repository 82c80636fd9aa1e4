/** Follows the Dockerfile's steps without a container engine: each stage is a folder, and the result is run. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startApiServer } from '../src/testing/api-server.ts';
import { VERSION } from '../src/version.ts';
import { follow, REPOSITORY, type Image } from './dockerfile.ts';
import { deployment } from './e2e/cluster.ts';
import { Program, Workdir, type Exit } from './e2e/program.ts';
import { PLUGINS, route, startCluster } from './event-controller/controller.ts';
import { skipUnless } from './faults/needs.ts';

/** Tries what a handler must not do, and reports the results. */
const TRESPASSER = `
import { readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
const attempts = {
  read: () => readFileSync('/etc/passwd'),
  write: () => writeFileSync('/tmp/watchchain-trespass', ''),
  spawn: () => spawnSync('true'),
  generate: () => new Function('return 1')(),
};
export default () => {
  for (const [what, attempt] of Object.entries(attempts)) {
    try {
      attempt();
      console.error(what + ': went through');
    } catch (error) {
      console.error(what + ': ' + (error.code ?? error.name));
    }
  }
};
`;

let built: Workdir;
let image: Image;

before(async () => {
  built = await Workdir.make();
  image = await follow('Dockerfile', { workdir: built, context: REPOSITORY });
});
after(() => built[Symbol.asyncDispose]());

test('Dockerfile: its last stage holds Node, its libraries and the program, no shell, and has the image labels', async () => {
  const folders = await readdir(image.root);
  assert.deepEqual(folders.filter((name) => !name.startsWith('lib')).toSorted(), ['app', 'etc', 'tmp', 'usr', 'var']);
  assert.deepEqual(await readdir(path.join(image.root, 'usr')), ['local']);
  assert.deepEqual(await readdir(path.join(image.root, 'usr/local/bin')), ['node']);
  const { title, description, licenses, source = '', version, revision } = image.labels;
  const manifest = JSON.parse(await readFile(path.join(REPOSITORY, 'package.json'), 'utf8')) as Record<string, unknown>;
  assert.deepEqual(
    [title, description, licenses, version, revision],
    [manifest['name'], manifest['description'], manifest['license'], manifest['version'], 'unknown'],
  );
  assert.ok(URL.canParse(source));
});

/** Reports which paths its flags let it read and write. The folders are mounted first: Node checks them at its start. */
const ASK = `
  const [folder, ...places] = process.argv.slice(1);
  for (const scope of ['read', 'write']) {
    console.log(scope, ...places.filter((place) => process.permission.has('fs.' + scope, folder + place)));
  }
`;

test('Dockerfile: its last stage may read the mounted files, and write the state only', async () => {
  await using workdir = await Workdir.make();
  const flags = image.entrypoint.slice(1, -1).map((flag) => flag.replace('=/', `=${workdir.path}/`));
  for (const flag of flags) {
    const [, folder] = /=(.+)\/$/.exec(flag) ?? [];
    if (folder !== undefined) await mkdir(folder, { recursive: true });
  }
  const mounted = [
    '/etc/watchchain/config.toml',
    '/data/config.yaml',
    '/etc/secret/token',
    '/var/run/secrets/kubernetes.io/serviceaccount/token',
  ];
  const places = [...mounted, '/var/lib/watchchain/store.db', '/etc/passwd', '/etc/secrets/token'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '-e', ASK, workdir.path, ...places]);
  const readable = ['read', ...mounted, '/var/lib/watchchain/store.db'].join(' ');
  assert.equal(stdout, `${readable}\nwrite /var/lib/watchchain/store.db\n`);
});

const canConfine = skipUnless('needs root, unshare(1) and ip(8)', () => {
  const tried = spawnSync('unshare', ['--net', '--mount', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' });
  return process.getuid?.() === 0 && tried.status === 0;
});

test(
  'Dockerfile: its last stage runs read-only, without root, and with no network but the API server',
  canConfine,
  async () => {
    await using workdir = await Workdir.make();
    for (const made of [
      workdir.file('etc'),
      workdir.file('state'),
      `${image.root}/etc/watchchain`,
      `${image.root}/proc`,
    ])
      await mkdir(made, { recursive: true });
    await workdir.write('etc/config.toml', '[[resource]]\nkind = "deployment"\n[[handler]]\nname = "log"\n');
    const confined = path.join(import.meta.dirname, 'e2e/confined.ts');
    const inside = [process.execPath, confined, image.root, workdir.path, image.user, ...image.entrypoint];
    const { stdout } = await promisify(execFile)('unshare', ['--net', '--mount', ...inside]);
    const exit = JSON.parse(stdout) as Exit;
    assert.deepEqual([exit.code, exit.signal], [0, null], exit.stderr);
    assert.match(exit.stdout, /"key":"default\/web"/);
    // Log collectors parse each line.
    for (const line of exit.stderr.trim().split('\n')) assert.equal(typeof JSON.parse(line), 'object', line);
    const store = await stat(workdir.file('state/store.db'));
    assert.equal(`${store.uid}:${store.gid}`, image.user);
  },
);

test('Dockerfile: its last stage runs handlers and the store without root, and denies other file access and programs', async () => {
  await using workdir = await Workdir.make();
  assert.match(image.user, /^[1-9]\d*:[1-9]\d*$/);
  const { main, flags } = started(image, workdir);

  await using version = new Program(['--version'], { main });
  const exit = await version.exited();
  assert.equal(exit.code, 0, exit.stderr);
  assert.ok(exit.stdout.includes(VERSION), exit.stdout);

  await using server = await startApiServer();
  await server.writeKubeconfig(workdir.file('kubeconfig'));
  await workdir.write('trespasser.js', TRESPASSER);
  const handlers = ['diff', './trespasser.js', 'log'].map((name) => `[[handler]]\nname = "${name}"\n`).join('');
  const config = await workdir.write('config.toml', `[[resource]]\nkind = "deployment"\n${handlers}`);
  const args = [
    'run',
    '-c',
    config,
    '-k',
    workdir.file('kubeconfig'),
    '--state',
    workdir.file('state'),
    '--listen',
    '127.0.0.1:0',
  ];
  await using program = new Program(args, { cwd: workdir.path, main, flags });
  await program.ready();
  server.create(deployment('web'));
  await program.until('an entry for the deployment', ({ stdout }) => stdout.includes('default/web'));
  const { code, stderr } = await program.stop();
  assert.equal(code, 0);
  for (const what of ['read', 'write', 'spawn']) assert.match(stderr, new RegExp(`^${what}: ERR_ACCESS_DENIED$`, 'm'));
  assert.match(stderr, /^generate: EvalError$/m);
});

test("docs/examples/python.Dockerfile: the image runs the Event Controller's plug-ins", async (t) => {
  await using workdir = await Workdir.make();
  await cp(PLUGINS, workdir.file('plugins'), { recursive: true });
  const derived = await follow('docs/examples/python.Dockerfile', { workdir, context: workdir.path, base: image });
  assert.equal(derived.user, image.user);
  const { server, env } = await startCluster(t);
  const { main, flags, args, env: own } = started(derived, workdir);
  await using program = new Program(
    args.map((arg) => (arg.startsWith('--listen=') ? '--listen=127.0.0.1:0' : arg)),
    { cwd: workdir.path, main, flags, env: { ...env, ...own, WATCHER_PLUGIN: 'first' } },
  );
  await program.until('the watch', ({ stderr }) => stderr.includes('Started'));
  server.create(route('web'));
  await program.until('what the plug-in says', ({ stderr }) => stderr.includes('[INFO] first saw Route web'));
  assert.equal((await program.stop()).code, 0);
});

/** Replaces the image's folders by the test's; those it may not touch stay the same. */
function started({ root, entrypoint, cmd, env }: Image, workdir: Workdir) {
  const [command, ...words] = entrypoint;
  assert.equal(command, '/usr/local/bin/node');
  const moved = (word: string) =>
    word
      .replace('=/app/', `=${root}/app/`)
      .replace(/=\/plugins/, `=${root}/plugins`)
      .replace('=/var/lib/watchchain', `=${workdir.file('state')}`)
      .replace('=/etc/watchchain/', `=${workdir.path}/`);
  return {
    main: path.join(root, words.at(-1) ?? ''),
    flags: words.slice(0, -1).map(moved),
    args: cmd.map(moved),
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, moved(`=${value}`).slice(1)])),
  };
}
