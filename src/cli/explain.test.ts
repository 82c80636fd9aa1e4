import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../test/run-command.ts';

async function explained(...args: string[]): Promise<string> {
  const { code, stdout } = await runCommand(['explain', ...args]);
  assert.equal(code, 0);
  return stdout;
}

test('explain lists every handler with its summary', async () => {
  const lines = (await explained()).trimEnd().split('\n');
  const pages = (await readdir(join(import.meta.dirname, '../../docs/handlers'))).toSorted();
  assert.deepEqual(
    lines.map((line) => `${line.split(' ')[0]}.md`),
    pages,
  );
  assert.ok(lines.every((line) => /^\w+ {2,}\S.*\.$/.test(line)));
});

test('explain NAME prints the page of a handler, also of one of the user', async () => {
  assert.match(await explained('webhook'), /^# webhook\n[^]*\| `url` \| string \| \*\*required\*\* \|/);
  assert.match(await explained(join(import.meta.dirname, '../../docs/examples/page-me.ts')), /^# page-me\n/);
});

test('explain templates prints docs/templates.md', async () => {
  assert.equal(
    await explained('templates'),
    await readFile(join(import.meta.dirname, '../../docs/templates.md'), 'utf8'),
  );
});

test('explain of an unknown name suggests the nearest one', async () => {
  const { code, stderr } = await runCommand(['explain', 'slak']);
  assert.equal(code, 1);
  assert.match(stderr, /did you mean "slack"/);
});

test('explain of a number names the option for a change', async () => {
  const { code, stderr } = await runCommand(['explain', '42']);
  assert.equal(code, 1);
  assert.match(stderr, /^watchchain: Not a handler: "42"; for a change: watchchain explain --change 42$/m);
});
