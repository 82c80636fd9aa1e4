import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, describe, test } from 'node:test';
import { runCommandLine } from './command-line.ts';

// A separate folder: other demos on this machine come and go in the usual one.
const temporary = await mkdtemp(join(tmpdir(), 'watchchain-test-'));
process.env['TMPDIR'] = temporary;
after(() => rm(temporary, { recursive: true }));

const folders = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('watchchain-demo-'));

/** Runs the command; `output()` is what it has written so far. */
function run(args: readonly string[], signal: AbortSignal = new AbortController().signal) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const text = { stdout: '', stderr: '' };
  stdout.setEncoding('utf8').on('data', (chunk: string) => (text.stdout += chunk));
  stderr.setEncoding('utf8').on('data', (chunk: string) => (text.stderr += chunk));
  const argv = ['demo', ...args];
  return { text, stdout, code: runCommandLine({ argv, env: {}, stdin: new PassThrough(), stdout, stderr, signal }) };
}

describe('watchchain demo', () => {
  test('tells the whole story through the real service and leaves nothing behind', async () => {
    const before = await folders();
    const { text, code } = run(['--speed', '40']);
    assert.equal(await code, 0, text.stderr);
    for (const told of [
      'image web nginx:1.7.9 -> nginx:1.9.1 · by kubectl-set',
      'replicas 2 -> 5 · by kube-controller-manager',
      'UPDATE configmap',
      'LOG_LEVEL: info -> debug',
      'UPDATE secret',
      'by external-secrets',
      'DELETE deployment',
      'DELETE service',
      'FAILURE deployment',
      'CrashLoopBackOff (OOMKilled, exit 137)',
      'deployment shop/worker updated: ',
      'loading 48211 orders',
      'RESOLVED deployment',
      'ADD event',
    ]) {
      assert(text.stdout.includes(told), `${told} is not in\n${text.stdout}`);
    }
    assert.equal(text.stdout.split('\n').filter((line) => line.includes('UPDATE deployment')).length, 4);
    // Neither in the clear nor encoded as in the manifest.
    assert.doesNotMatch(text.stdout, /tok-\d|dG9r/);
    assert(!text.stdout.includes('\x1b'));
    const wide = text.stdout.split('\n').filter((line) => line.length > 80 && !line.startsWith('  ┃'));
    assert.deepEqual(wide, []);
    assert.equal(text.stderr, '');
    assert.deepEqual(await folders(), before);
  });

  test('--forever continues after the story until it is stopped, and then exits with 0', async () => {
    const controller = new AbortController();
    const { text, stdout, code } = run(['--forever', '--speed', '100'], controller.signal);
    stdout.on('data', () => {
      if (text.stdout.includes('nginx:1.11.13')) controller.abort();
    });
    assert.equal(await code, 0, text.stderr);
    assert(text.stdout.includes('helm rollback legacy-cart'));
  });

  test('leaves nothing behind when the reader of its output is gone, which ends the process', async () => {
    const before = await folders();
    const controller = new AbortController();
    const { text, stdout, code } = run(['--speed', '40'], controller.signal);
    await new Promise<void>((resolve) => stdout.on('data', () => text.stdout.includes('❯') && resolve()));
    assert.equal((await folders()).length, before.length + 1);
    stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    assert.deepEqual(await folders(), before);
    controller.abort();
    assert.equal(await code, 0, text.stderr);
  });

  test('refuses a speed that is not above 0', async () => {
    const { text, code } = run(['--speed', '0']);
    assert.equal(await code, 1);
    assert.match(text.stderr, /Expected a number above 0/);
  });
});
