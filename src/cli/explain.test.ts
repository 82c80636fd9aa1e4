import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Command } from 'commander';
import type { Action } from './command.ts';
import { explainCommand } from './explain.ts';

async function explained(...args: string[]): Promise<string> {
  const stdout = new PassThrough();
  const io = {
    argv: args,
    env: {},
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough(),
    signal: AbortSignal.abort(),
  };
  const program = new Command().exitOverride();
  let chosen: Action | undefined;
  explainCommand(program, io, (action) => {
    chosen = action;
  });
  program.parse(['explain', ...args], { from: 'user' });
  assert.equal(await chosen?.(), 0);
  return String(stdout.read());
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

test("explain NAME prints a handler's page, a user's own too", async () => {
  assert.match(await explained('webhook'), /^# webhook\n[^]*\| `url` \| string \| \*\*required\*\* \|/);
  assert.match(await explained(join(import.meta.dirname, '../../docs/examples/page-me.ts')), /^# page-me\n/);
});

test('explain templates prints the page of the documentation', async () => {
  assert.equal(
    await explained('templates'),
    await readFile(join(import.meta.dirname, '../../docs/templates.md'), 'utf8'),
  );
});

test('explain of an unknown name says which there are', async () => {
  await assert.rejects(explained('slak'), /did you mean "slack"/);
});
