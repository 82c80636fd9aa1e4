import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isTable } from './expand.ts';
import { locateKeys } from './locate.ts';
import { parseToml, TomlSyntaxError } from './parse-toml.ts';
import { pathText, type Path } from './problems.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');

/** Every path in a parsed file that ends in a key or a list element. */
function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  const inner = Array.isArray(value) ? [...value.entries()] : isTable(value) ? Object.entries(value) : [];
  return inner.flatMap(([part, element]) => [[...path, part], ...pathsOf(element, [...path, part])]);
}

async function readableFixtures(): Promise<readonly { name: string; toml: string }[]> {
  const names = (await readdir(FIXTURES)).filter((name) => name.endsWith('.toml') && name !== 'broken.toml');
  return Promise.all(
    names.map(async (name) => ({
      name,
      toml: (await readFile(join(FIXTURES, name), 'utf8')).replace(/^\uFEFF/, '').replaceAll('\r', ''),
    })),
  );
}

describe('locateKeys()', async () => {
  for (const { name, toml } of await readableFixtures()) {
    test(`finds each key of ${name} on a line that holds it`, () => {
      const locate = locateKeys(toml);
      const lines = toml.split('\n');
      for (const path of pathsOf(parseToml(toml))) {
        const key = path.findLast((part) => typeof part === 'string');
        if (typeof path.at(-1) !== 'string') continue;
        assert.ok(
          lines[locate(path) - 1]?.toLowerCase().includes(String(key).toLowerCase()),
          `${pathText(path)} is not in line ${locate(path)}`,
        );
      }
    });
  }

  const toml = [
    '# resource = "not here"',
    'title = """',
    'title2 = "in a string" # [x]',
    '""" # end',
    "raw = '''",
    "a = [1]'''",
    'list = [ # comment ]',
    '  "one, ]", \'two # no\',',
    '  { name = "x", "quoted.key" = 1 },',
    ']',
    'dotted.key = 1',
    'when = 1979-05-27T07:32:00Z',
    '[table.sub]',
    'k = {}',
    '[[array]]',
    '[array.inner]',
    'k = 1',
    '[[array]]',
    '  [[array.nested]]',
    '  k = "\\" # not a comment"',
    '  [[array.nested]]',
    '  k = 2',
  ].join('\n');

  for (const [path, line] of [
    [['title'], 2],
    [['raw'], 5],
    [['list'], 7],
    [['list', 1], 8],
    [['list', 2, 'name'], 9],
    [['list', 2, 'quoted.key'], 9],
    [['dotted', 'key'], 11],
    [['table', 'sub', 'k'], 14],
    [['array', 0, 'inner', 'k'], 17],
    [['array', 1], 18],
    [['array', 1, 'nested', 0, 'k'], 20],
    [['array', 1, 'nested', 1, 'k'], 22],
    [['array', 1, 'nested', 1, 'missing', 'deeper'], 21],
    [['ARRAY', 1, 'Nested', 1, 'K'], 22],
    [['nowhere'], 1],
    [['table', 'other'], 13],
    [['table', 0, 'sub', 0, 'k'], 14],
    [['array', 1, 'nested', 0, 'k', 0], 20],
  ] as const) {
    test(`finds ${pathText(path)} in line ${line}`, () => {
      parseToml(toml);
      assert.equal(locateKeys(toml)(path), line);
    });
  }
});

describe('parseToml()', () => {
  test('reports line, column and mistake, without quoting the text', () => {
    assert.throws(
      () => parseToml('a = 1\nurl = "https://secret"\nb = = 2\n'),
      (thrown: unknown) =>
        thrown instanceof TomlSyntaxError &&
        thrown.line === 3 &&
        thrown.message.startsWith('broken TOML in column 5: Unexpected character, expecting string') &&
        !thrown.message.includes('secret'),
    );
    assert.throws(() => parseToml('= 1'), /broken TOML in column 2: Unknown character "="/);
  });

  for (const [toml, remedy] of [
    ['url = "${A}"\nurl = "${B}" # mine\n', /^broken TOML in .*: "url" is there already; write it once$/],
    ['[retry]\nretries = 1\n[retry]\nfactor = 2\n', /: "retry" is there already; write it once$/],
    ['[[handler]]\nname = "diff"\n[handler]\nname = "log"\n', /; for another "handler", write \[\[handler\]\]$/],
    ['quiet = [{ kind = "a", kind = "b" }]\n', /Can't redefine existing key$/],
    ['kind = pod\n', /; put a text in quotes$/],
    ['coalesce = True\n', /; write true or false in lower case$/],
    [
      'message = "\\d+"\n',
      /: Unknown escape character: "d"; put the text in single quotes, which leave a backslash as it is, or double it$/,
    ],
    [
      'headers = {\n  a = "b"\n}\n',
      /in column 13: Unterminated inline table; write it on one line, or as a table of its own$/,
    ],
    ['tls = { a = "b" # why\n}\n', /Unterminated inline table; write it on one line, or as a table of its own$/],
    ['list = [\n  1,\n', /: Unterminated inline array$/],
  ] as const) {
    test(`names the remedy: ${toml.split('\n').slice(0, 3).join(', ')}`, () => {
      assert.throws(() => parseToml(toml), { message: remedy });
    });
  }
});
