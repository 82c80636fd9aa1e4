import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { loadHandler } from '../chain/load.ts';
import { loadConfig } from '../config/load.ts';
import { Workdir } from '../../test/e2e/program.ts';
import { runCommand, type CommandOutput } from '../../test/run-command.ts';

const run = promisify(execFile);

const made = (...args: string[]): Promise<CommandOutput> => runCommand(['new', ...args]);

/** The indented lines of the output: the command, and the table. */
const indented = (stdout: string) => stdout.split('\n').filter((line) => line.startsWith('  '));

/** Runs a command as in a user's shell, without the environment of this test run. */
async function shell(command: string, cwd: string): Promise<string> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout, stderr } = await run('sh', ['-c', command], { cwd, env });
  return stdout + stderr;
}

describe('watchchain new handler', () => {
  test('writes a handler that a configuration accepts, and a test that passes', async () => {
    await using workdir = await Workdir.make();
    const { code, stdout } = await made('handler', 'page-me', '--folder', workdir.path);
    assert.equal(code, 0);
    assert.deepEqual((await readdir(workdir.path)).toSorted(), ['page-me.test.ts', 'page-me.ts']);
    const [command = '', ...table] = indented(stdout);
    const file = await workdir.write('config.toml', `[[resource]]\nkind = "configmap"\n${table.join('\n')}\n`);
    const { chains } = await loadConfig(file, { env: {}, loadHandler });
    assert.equal(chains[0]?.handlers[0]?.definition.name, 'page-me');
    assert.match(await shell(command, workdir.path), /pass 1/);
  });

  test('writes a handler that works where package.json makes .ts files CommonJS', async () => {
    await using workdir = await Workdir.make();
    await workdir.write('package.json', '{ "type": "commonjs" }');
    const { stdout } = await made('handler', 'page-me', '--folder', workdir.path);
    const [command = '', ...table] = indented(stdout);
    const file = await workdir.write('config.toml', `[[resource]]\nkind = "configmap"\n${table.join('\n')}\n`);
    await loadConfig(file, { env: {}, loadHandler });
    assert.match(await shell(command, workdir.path), /pass 1/);
  });

  test('writes a test that fails when the handler behaves differently', async () => {
    await using workdir = await Workdir.make();
    const { stdout } = await made('handler', 'page-me', '--folder', workdir.path);
    await writeFile(workdir.file('page-me.ts'), 'export default (change) => change;\n');
    await assert.rejects(shell(indented(stdout)[0] ?? '', workdir.path));
  });

  test('--python writes a program, and a test that passes', async () => {
    await using workdir = await Workdir.make();
    const { stdout } = await made('handler', 'page-me', '--python', '--folder', workdir.path);
    const [command = '', ...table] = indented(stdout);
    const file = await workdir.write('config.toml', `[[resource]]\nkind = "configmap"\n${table.join('\n')}\n`);
    const { chains } = await loadConfig(file, { env: {}, loadHandler });
    assert.deepEqual(chains[0]?.handlers[0]?.options['command'], ['./page_me.py']);
    assert.match(await shell(command, workdir.path), /Ran 2 tests[^]*OK/);
    const asked = '{"id": 7, "change": {"key": "a/b", "after": {"metadata": {"labels": {"alerts": "off"}}}}}';
    assert.match(await shell(`echo '${asked}' | ./page_me.py`, workdir.path), /^\{"id": 7, "verdict": "halt"/);
  });

  test('overwrites nothing, and refuses an invalid name', async () => {
    await using workdir = await Workdir.make();
    await made('handler', 'x', '--folder', workdir.path);
    const again = await made('handler', 'x', '--folder', workdir.path);
    assert.deepEqual([again.code, /x\.ts already exists/.test(again.stderr)], [1, true]);
    assert.equal((await made('handler', '../x', '--folder', workdir.path)).code, 1);
    assert.equal((await made('sink', 'x')).code, 2);
  });
});

describe('watchchain new config', () => {
  test('writes a valid configuration, and overwrites nothing', async () => {
    await using workdir = await Workdir.make();
    const file = workdir.file('config.toml');
    const { code, stdout } = await made('config', file);
    assert.deepEqual([code, stdout.startsWith(`Wrote ${file}\n`)], [0, true]);
    const { chains } = await loadConfig(file, { env: {}, loadHandler });
    assert.deepEqual(
      chains[0]?.handlers.map(({ definition }) => definition.name),
      ['diff', 'log'],
    );
    const again = await made('config', file);
    assert.deepEqual([again.code, again.stderr.includes(`${file} already exists`)], [1, true]);
    assert.equal((await made('config', '-')).stdout, await readFile(file, 'utf8'));
  });

  test('writes commented-out settings that are valid too', async () => {
    await using workdir = await Workdir.make();
    const { stdout } = await made('config', '-');
    const settings = stdout.replaceAll(/^# (?= *(?:\[|\w+ = ))/gm, '');
    assert.doesNotMatch(settings, /^# .*=/m);
    const file = await workdir.write('config.toml', settings);
    const { chains } = await loadConfig(file, { env: { SLACK_WEBHOOK_URL: 'https://hooks.example/x' }, loadHandler });
    assert.deepEqual(
      chains.map(({ handlers }) => handlers.map(({ definition }) => definition.name)),
      [
        ['diff', 'log', 'ignoreEvents', 'slack'],
        ['podAlerts', 'slack'],
      ],
    );
  });
});
