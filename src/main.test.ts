import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(import.meta.resolve('./main.ts'));

/** The exit code of the program when nobody reads the given stream. */
async function codeUnread(stream: 'stdout' | 'stderr', ...args: string[]): Promise<unknown> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const one of ['stdout', 'stderr'] as const) child[one].resume();
  child[stream].destroy();
  const [code] = (await once(child, 'exit')) as unknown[];
  return code;
}

test('the program exits with 0 when the reader of stdout is gone', async () => {
  assert.equal(await codeUnread('stdout', 'explain'), 0);
});

test(
  'the program exits with 1 and an error message when stdout cannot be written',
  { skip: !existsSync('/dev/full') },
  async () => {
    await using full = await open('/dev/full', 'w');
    const child = spawn(process.execPath, [MAIN, 'explain'], { stdio: ['ignore', full.fd, 'pipe'] });
    assert.ok(child.stderr);
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit') as Promise<unknown[]>]);
    assert.equal(code, 1);
    assert.match(said, /^watchchain: Cannot write to stdout: .*ENOSPC/);
  },
);

test('the program keeps its exit code when the reader of stderr is gone', async () => {
  assert.equal(await codeUnread('stderr', 'run', '--nope'), 2);
});
