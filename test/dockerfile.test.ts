/** The Dockerfile's steps, followed without a container engine: each stage is a folder, and what comes out of it is run. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startApiServer } from '../src/testing/api-server.ts';
import { VERSION } from '../src/version.ts';
import { deployment } from './e2e/cluster.ts';
import { Program, Workdir } from './e2e/program.ts';

const REPOSITORY = path.resolve(import.meta.dirname, '..');

interface Step {
  readonly instruction: string;
  readonly rest: string;
}

interface Image {
  /** The folder that stands for `/`. */
  readonly root: string;
  readonly entrypoint: readonly string[];
  readonly user: string;
}

/** Tries what a handler has no business doing, and says how that went. */
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

test('Dockerfile: its last stage holds a program that runs as nobody, with its handlers and its store, and may do nothing else', async () => {
  await using workdir = await Workdir.make();
  const image = await follow(await readFile(path.join(REPOSITORY, 'Dockerfile'), 'utf8'), workdir);
  const [command, ...flags] = image.entrypoint;
  const main = flags.pop();
  assert.equal(command, 'node');
  assert.match(image.user, /^[1-9]\d*:[1-9]\d*$/);
  assert.ok(main);
  const built = path.join(image.root, main);

  await using version = new Program(['--version'], { main: built });
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
  // The folders of the image are folders of the test; what it may not touch stays what it is.
  const moved = flags.map((flag) =>
    flag
      .replace('=/app/', `=${image.root}/app/`)
      .replace('=/var/lib/watchchain', `=${workdir.file('state')}`)
      .replace('=/etc/watchchain/', `=${workdir.path}/`),
  );
  await using program = new Program(args, { cwd: workdir.path, main: built, flags: moved });
  await program.ready();
  server.create(deployment('web'));
  await program.until('an entry for the deployment', ({ stdout }) => stdout.includes('default/web'));
  const { code, stderr } = await program.stop();
  assert.equal(code, 0);
  for (const what of ['read', 'write', 'spawn']) assert.match(stderr, new RegExp(`^${what}: ERR_ACCESS_DENIED$`, 'm'));
  assert.match(stderr, /^generate: EvalError$/m);
});

async function follow(dockerfile: string, workdir: Workdir): Promise<Image> {
  const stages = new Map<string, string>();
  let root = '';
  let cwd = '/';
  let image: Image = { root, entrypoint: [], user: '' };
  for (const { instruction, rest } of stepsOf(dockerfile)) {
    switch (instruction) {
      case 'FROM': {
        const name = / AS (\w+)$/.exec(rest)?.[1] ?? 'last';
        root = workdir.file(name);
        stages.set(name, root);
        image = { root, entrypoint: [], user: '' };
        break;
      }
      case 'WORKDIR':
        cwd = rest;
        await mkdir(path.join(root, cwd), { recursive: true });
        break;
      case 'COPY':
        await copy(rest, stages, path.join(root, cwd));
        break;
      case 'RUN':
        await run(rest, path.join(root, cwd));
        break;
      case 'USER':
        image = { ...image, user: rest };
        break;
      case 'ENTRYPOINT':
        image = { ...image, entrypoint: JSON.parse(rest) as string[] };
        break;
      case 'ENV':
      case 'CMD':
        break;
      default:
        assert.fail(`The test does not know how to follow ${instruction}`);
    }
  }
  return image;
}

function stepsOf(dockerfile: string): Step[] {
  return dockerfile
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, instruction = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
      return { instruction, rest };
    });
}

/** `COPY [--from=STAGE] SOURCE... TARGET`. */
async function copy(rest: string, stages: ReadonlyMap<string, string>, cwd: string): Promise<void> {
  const words = rest.split(' ');
  const from =
    words[0]?.startsWith('--from=') === true ? stages.get(words.shift()?.slice('--from='.length) ?? '') : REPOSITORY;
  assert.ok(from, `COPY ${rest}: there is no such stage`);
  const target = words.pop() ?? '';
  for (const source of words) {
    const to = target.endsWith('/') ? path.join(cwd, target, source) : path.join(cwd, target);
    await cp(path.join(from, source), to, { recursive: true, verbatimSymlinks: true });
  }
}

async function run(command: string, cwd: string): Promise<void> {
  const bin = path.dirname(process.execPath);
  // `make deps` has fetched the same packages a moment ago.
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    npm_config_prefer_offline: 'true',
    NODE_ENV: '',
  };
  await promisify(execFile)('sh', ['-c', command], { cwd, env });
}
