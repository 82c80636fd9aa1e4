import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Workdir } from '../../test/e2e/program.ts';
import { nodeVersionProblem } from './node-version.ts';

const ROOT = join(import.meta.dirname, '../..');

test('nodeVersionProblem() names the version that package.json requires, and accepts it and later ones', async () => {
  const { engines } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { engines: { node: string } };
  const oldest = engines.node.replace('>=', '');
  assert.equal(nodeVersionProblem('24.6.0'), `Cannot run on Node 24.6.0: Node ${oldest} or later is required`);
  assert.match(nodeVersionProblem('22.23.3') ?? '', /Node 22\.23\.3/);
  for (const version of [`${oldest}.0`, '24.21.0', '25.0.0', '26.1.0'])
    assert.equal(nodeVersionProblem(version), undefined);
});

/** Node flags that make a process take itself for that version. */
const posingAs = (version: string): string[] => [
  '--import',
  `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'${version}'})`,
];

test('the program exits with 1 and one line on stderr when Node is too old', async () => {
  const args = [...posingAs('24.6.0'), join(ROOT, 'src/main.ts'), '--version'];
  await assert.rejects(promisify(execFile)(process.execPath, args), {
    code: 1,
    stdout: '',
    stderr: 'watchchain: Cannot run on Node 24.6.0: Node 24.7 or later is required\n',
  });
});

test('make accepts no Node from the PATH that nodeVersionProblem() rejects, and the toolchain pins none', async () => {
  const makefile = await readFile(join(ROOT, 'Makefile'), 'utf8');
  const question = /^path_node := \$\(shell node (-p) '(.*?)'/m.exec(makefile)?.slice(1) ?? [];
  for (const version of ['24.6.0', '24.7.0', '24.21.0', '26.0.0']) {
    const { stdout } = await promisify(execFile)(process.execPath, [...posingAs(version), ...question]);
    assert.equal(stdout.trim() !== '', nodeVersionProblem(version) === undefined, version);
  }
  const toolchain = await readFile(join(ROOT, '.toolchain/package.json'), 'utf8');
  const brought = JSON.parse(toolchain) as { optionalDependencies: Record<string, string> };
  assert.deepEqual(
    Object.entries(brought.optionalDependencies).filter(([, version]) => nodeVersionProblem(version) !== undefined),
    [],
  );
});

test('make run passes --allow-net only to a Node that supports it', async () => {
  await using workdir = await Workdir.make();
  const newer = await workdir.write('node', '#!/bin/sh\n[ "$1" = --allow-net ] && echo --allow-net\n');
  await chmod(newer, 0o755);
  const older = await workdir.write('older', '#!/bin/sh\necho "bad option: $1" >&2\nexit 9\n');
  await chmod(older, 0o755);
  const commandOf = async (node: string): Promise<string> => {
    const env = { PATH: process.env['PATH'], HOME: workdir.path };
    return (await promisify(execFile)('make', ['-n', '-o', 'deps', 'run', `NODE=${node}`], { cwd: ROOT, env })).stdout;
  };
  assert.match(await commandOf(newer), / --allow-net src\/main\.ts run/);
  assert.doesNotMatch(await commandOf(older), /--allow-net/);
});
