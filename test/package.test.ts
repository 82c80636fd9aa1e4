/** The package as built by npm: it runs in an otherwise empty folder, and its types work for handler authors. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Program, Workdir } from './e2e/program.ts';

const REPOSITORY = path.resolve(import.meta.dirname, '..');
const NEEDED = [
  '.npmrc',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'src',
  'handlers',
  'config.toml',
  'CHANGELOG.md',
];
/** The notes of earlier handlers are typed for a user's own handler, too. */
const READS_NOTES = `import { halt, type HandlerFunction } from 'watchchain';
export default (({ notes }) => {
  const team = notes.answers?.['policy']?.['team'];
  return halt([notes.diff?.headline, notes.alert?.reason, team].join());
}) satisfies HandlerFunction;
`;
interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

test('npm pack: `watchchain demo` runs in an empty folder, and the example handler type-checks against its types', async () => {
  await using workdir = await Workdir.make();
  const { filename, files } = await pack(workdir);
  const strangers = files
    .map((file) => file.path)
    .filter((file) => !/^(dist\/|[A-Z]+(\.md)?$|[a-z]+\.(json|toml)$)/.test(file));
  assert.deepEqual(strangers, []);
  assert.deepEqual(
    files.filter((file) => /\.test\.|fixtures|conformance|testing\/test-|failing-pods/.test(file.path)),
    [],
    'what only tests import',
  );

  const empty = workdir.file('empty');
  const installed = path.join(empty, 'node_modules/watchchain');
  await mkdir(installed, { recursive: true });
  await promisify(execFile)('tar', ['-xzf', filename, '--strip-components=1', '-C', installed]);
  // Uses the dependencies of this checkout; the test of the Dockerfile shows that no others are needed.
  await symlink(path.join(REPOSITORY, 'node_modules'), path.join(installed, 'node_modules'));

  await using demo = new Program(['demo', '--speed', '40'], {
    cwd: empty,
    main: path.join(installed, 'dist/src/main.js'),
  });
  const { code, stdout, stderr } = await demo.exited();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /image web nginx:1\.7\.9 -> nginx:1\.9\.1/);

  const examples = ['page-me.ts', 'flapping.ts'];
  for (const name of examples) await cp(path.join(REPOSITORY, 'docs/examples', name), path.join(empty, name));
  await writeFile(path.join(empty, 'notes.ts'), READS_NOTES);
  const tsc = path.join(REPOSITORY, 'node_modules/.bin/tsc');
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--skipLibCheck', '--types', ''];
  await promisify(execFile)(tsc, [...flags, ...examples, 'notes.ts'], { cwd: empty }).catch(
    (error: { stdout: string }) => assert.fail(error.stdout),
  );
});

/** In a copy: a build in the checkout would affect other tests. */
async function pack(workdir: Workdir): Promise<Packed> {
  const copy = workdir.file('copy');
  for (const name of NEEDED) await cp(path.join(REPOSITORY, name), path.join(copy, name), { recursive: true });
  await symlink(path.join(REPOSITORY, 'node_modules'), path.join(copy, 'node_modules'));
  const env = { ...process.env, PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
  // Like the release: .npmrc forbids scripts, including the one that builds the package's content.
  const release = await readFile(path.join(REPOSITORY, '.github/workflows/release.yml'), 'utf8');
  const flags = /- run: npm publish([^#\n]*)/.exec(release)?.[1]?.match(/\S+/g) ?? [];
  const { stdout } = await promisify(execFile)('npm', ['pack', ...flags, '--json', '--offline', '--loglevel=error'], {
    cwd: copy,
    env,
    maxBuffer: 1 << 24,
  });
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [Packed];
  return { ...packed, filename: path.join(copy, packed.filename) };
}
