/** Checks the hand-written pages: their links lead somewhere, and their commands exist. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { runCommandLine } from '../src/cli/command-line.ts';
import { createMetrics } from '../src/metrics.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'chart/README.md',
  ...(await readdir(import.meta.dirname)).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`),
];

async function help(words: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const { signal } = new AbortController();
  const code = await runCommandLine({ argv: [...words, '--help'], env: {}, stdin, stdout, stderr, signal });
  stdout.end();
  return { code, text: await text(stdout) };
}

/** Blocks and spans of code. */
const CODE = /^```[a-z]*\n(.*?)^```|`([^`\n]+)`/gms;

function codeIn(page: string): string {
  return [...page.matchAll(CODE)].map(([, block, span]) => block ?? span ?? '').join('\n');
}

/** `watchchain dead list --all` as its command and its flags; a line of code ends at a comment, a pipe or a redirection. */
function commandsIn(page: string): readonly { readonly words: readonly string[]; readonly flags: readonly string[] }[] {
  return [...codeIn(page).matchAll(/^watchchain ([a-z][^\n#|>&]*)/gm)].map(([, line = '']) => {
    const parts = line.trim().split(/\s+/);
    const words = parts.slice(0, ['dead', 'new'].includes(parts[0] ?? '') ? 2 : 1);
    return { words, flags: parts.filter((part) => part.startsWith('-')) };
  });
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
}

/** Whether the chart's values may have this key: a table without `additionalProperties: false` allows any. */
function allows(schema: Schema, [key, ...below]: readonly string[]): boolean {
  if (key === undefined) return true;
  const inner = schema.properties?.[key];
  return inner === undefined ? schema.additionalProperties !== false : allows(inner, below);
}

const MAKEFILE = await readFile(join(ROOT, 'Makefile'), 'utf8');
const TARGETS = new Set(Array.from(MAKEFILE.matchAll(/^([a-z-]+):/gm), ([, target]) => target));
const VALUES = JSON.parse(await readFile(join(ROOT, 'chart/values.schema.json'), 'utf8')) as Schema;

describe('pages', () => {
  for (const page of PAGES) {
    test(`${page}: its links lead to existing files`, async () => {
      const source = await readFile(join(ROOT, page), 'utf8');
      const targets = [...source.replaceAll(CODE, '').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(
        ([, target = '']) => target,
      );
      const missing = targets.filter(
        (target) => !/^[a-z]+:/.test(target) && !existsSync(join(ROOT, dirname(page), target)),
      );
      assert.deepEqual(missing, []);
    });

    test(`${page}: its commands and flags are the program's`, async () => {
      for (const { words, flags } of commandsIn(await readFile(join(ROOT, page), 'utf8'))) {
        const { code, text } = await help(words);
        assert.equal(code, 0, `watchchain ${words.join(' ')}`);
        const known = new Set(text.match(/(?<=^\s+.*)-{1,2}[a-z][a-z-]*/gm));
        const unknown = flags.map((flag) => flag.replace(/=.*/, '')).filter((flag) => !known.has(flag));
        assert.deepEqual(unknown, [], `watchchain ${words.join(' ')}`);
      }
    });

    test(`${page}: its make targets are the Makefile's, and what it sets with --set are values of the chart`, async () => {
      const code = codeIn(await readFile(join(ROOT, page), 'utf8'));
      const targets = Array.from(code.matchAll(/(?:^|\(|; |&& )make (?:-s )?([a-z][a-z-]*)/gm), ([, target]) => target);
      assert.deepEqual(
        targets.filter((target) => !TARGETS.has(target)),
        [],
      );
      const values = Array.from(code.matchAll(/--set(?:-string|-file|-json)?[ =]([\w.-]+)=/g), ([, name = '']) => name);
      assert.deepEqual(
        values.filter((name) => !allows(VALUES, name.split('.'))),
        [],
      );
    });

    test(`${page}: its metrics are the program's`, async () => {
      const source = await readFile(join(ROOT, page), 'utf8');
      const names = new Set(
        createMetrics()
          .registry.getMetricsAsArray()
          .map(({ name }) => name),
      );
      const named = [...source.matchAll(/\bwatchchain_[a-z_]+/g)].map(([name]) => name);
      assert.deepEqual(
        named.filter((name) => !names.has(name)),
        [],
      );
    });
  }
});
