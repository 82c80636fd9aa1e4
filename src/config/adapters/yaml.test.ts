import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseYaml, YamlSyntaxError } from './yaml.ts';

/** Nine times nine times nine ... of one word. */
const bomb = 'abcdefghi'
  .split('')
  .map(
    (name, n, all) =>
      `${name}: &${name} [${Array.from({ length: 9 }, () => (n === 0 ? 'x' : `*${all[n - 1]}`)).join()}]`,
  )
  .join('\n');

describe('parseYaml()', () => {
  test('locates every key and element, in any case, also through an alias', () => {
    const { value, locate } = parseYaml('a:\n  - &one\n    Name: x\n  - *one\nb: { c: [1,\n  2] }\n');
    assert.deepEqual(value, { a: [{ Name: 'x' }, { Name: 'x' }], b: { c: [1, 2] } });
    const lines = [['a'], ['a', 0, 'name'], ['a', 1, 'name'], ['b', 'c', 1], ['a', 0, 'missing'], ['zzz']].map(locate);
    assert.deepEqual(lines, [1, 3, 3, 6, 3, 1]);
  });

  test('accepts a list that ends in the column of its key, as in Helm charts', () => {
    assert.deepEqual(parseYaml('tags: [\n  "a",\n  "b"\n]\n').value, { tags: ['a', 'b'] });
  });

  test('keeps every digit of an integer too long for a number, as text', () => {
    const { value } = parseYaml(
      'chat: 1089234567890123456\ngroup: -1089234567890123456\nsafe: 9007199254740991\nbig: 1e300\n',
    );
    assert.deepEqual(value, {
      chat: '1089234567890123456',
      group: '-1089234567890123456',
      safe: Number.MAX_SAFE_INTEGER,
      big: 1e300,
    });
  });

  test('accepts a trailing --- that nothing follows', () => {
    assert.deepEqual(parseYaml('a: 1\n---\n\n# nothing\n').value, { a: 1 });
  });

  test('keeps a backslash that escapes nothing, as in patterns in double quotes', () => {
    assert.deepEqual(parseYaml('reason: "^Back\\w+\\.$"\n').value, { reason: String.raw`^Back\w+\.$` });
  });

  for (const [text, message, line] of [
    ['a: 1\nlevel: {{info}}\n', /a key must be a string; a value with a template in it needs quotes/, 2],
    ['a: 1\ntext: {{ .X }} and more\n', /needs quotes around it/, 2],
    ['a: 1\ntoken: {{ .Values.token }}\n', /render it first, with `helm template`$/, 2],
    ['token: "secret\nb: 1', /^broken YAML in column \d+: (?!.*secret)/, 2],
    ['a: 1\na: 2\n', /unique/, 2],
    ['a: 1\n--- \nb: 2\n', /a second document begins here, and only one is read: remove it$/, 2],
    ['a: 1\n---\n# nothing\n- x\n', /a second document begins/, 2],
    ['tags: ["a" "secret"]\n', /Missing , or : between flow sequence items$/, 1],
    ['a: @secret\n', /reserved character @$/, 1],
    ['a: >secret\n', /Block scalar header includes extra characters$/, 1],
    ['a: !a!secret x\n', /Could not resolve tag$/, 1],
    [
      'a: 1\nnamespace: *secret*\n',
      /^broken YAML in column 12: a value that begins with \* needs quotes around it$/,
      2,
    ],
    [
      'a: 1\nlist: &list [x, *list]\n',
      /^broken YAML in column 17: an alias cannot stand inside the value that it names$/,
      2,
    ],
    ['&all\na: { b: *all }\n', /an alias cannot stand inside/, 2],
    [`${bomb}\nx: *i\n`, /alias/, 1],
    [`a: 1\nb: ${'['.repeat(20_000)}`, /too many values are nested in one another$/, 2],
  ] as const) {
    test(`refuses ${JSON.stringify(text.slice(-30))} at its line, without quoting it`, () => {
      assert.throws(
        () => parseYaml(text),
        (thrown) => thrown instanceof YamlSyntaxError && message.test(thrown.message) && thrown.line === line,
      );
    });
  }
});
