import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changeOf } from '../testing/change.ts';
import { ALL_FILTERS } from './filters.ts';
import { SAMPLE } from './page.ts';
import { compileTemplate } from './template.ts';
import { scopeOf } from './scope.ts';

describe('filters: the examples in the documentation', () => {
  for (const { template, result } of ALL_FILTERS.flatMap(({ examples }) => examples)) {
    test(`${template} is ${result}`, () => assert.equal(compileTemplate(template).text(SAMPLE), result));
  }
});

test('filters: the arguments in the documentation are arguments only', () => {
  for (const { name, args = '' } of ALL_FILTERS) assert.doesNotMatch(args, /\||[}%]\}/, name);
});

/** The filter's result for a value that a manifest may hold. */
function filtered(value: unknown, filter: string): unknown {
  const after = { kind: 'A', metadata: { name: 'a' }, value };
  return compileTemplate(`{{ change.after.value | ${filter} }}`).value(scopeOf(changeOf({ after })));
}

describe('filters', () => {
  test('yield nothing for values that they cannot read, and never throw', () => {
    for (const value of [undefined, null, '', 'nonsense', true, {}, [], [1], Number.MAX_VALUE, -1]) {
      for (const filter of [
        'duration',
        'ago',
        'timestamp',
        'quantity',
        'bytes',
        'image: "digest"',
        'regex_find: "zz"',
      ]) {
        assert.doesNotThrow(() => filtered(value, filter), `${JSON.stringify(value)} | ${filter}`);
      }
    }
    for (const filter of ['duration', 'ago', 'timestamp', 'quantity', 'bytes', 'regex_find: "zz"']) {
      assert.equal(filtered('nonsense', filter), undefined, filter);
    }
  });

  test('do not read a text that ends with a number as a time', () => {
    for (const value of ['web-1', 'redis 7', '5', 'v1.2']) {
      for (const filter of ['ago', 'timestamp'])
        assert.equal(filtered(value, filter), undefined, `${value} | ${filter}`);
    }
    assert.equal(filtered('2026-11-20T23:42:03.5+01:00', 'timestamp'), 1_795_214_523_500);
    assert.equal(filtered('2026-11-20', 'timestamp: "s"'), 1_795_132_800);
  });

  test('regex_find refuses a group that its pattern cannot have, at the check if it is written there', () => {
    for (const [args, problem] of [
      ['"(b)", -1', /^filter regex_find: the second argument must be the number of a group/],
      ['"(b)", 0.5', /^filter regex_find: the second argument must be the number of a group/],
      ['"(b)", "1"', /^filter regex_find: the second argument must be the number of a group/],
      ['"(b)", 2', /^filter regex_find: the pattern has no group 2: it has 1 \(line 1, column 1\)$/],
    ] as const)
      assert.throws(() => compileTemplate(`{{ "abc" | regex_find: ${args} }}`), { message: problem }, args);
    assert.equal(filtered('abc', 'regex_find: "(b)", 1'), 'b');
    assert.equal(filtered('abc', 'regex_find: "(b)", change.after.nothing'), 'b');
    assert.throws(() => filtered(-1, 'regex_find: "b", change.after.value'), /must be the number of a group/);
  });

  test('duration writes seconds in units', () => {
    for (const [seconds, text] of [
      [0, '0s'],
      [0.25, '250ms'],
      [59.9, '59s'],
      [3_600, '1h'],
      [3_660, '1h1m'],
      [172_801, '2d'],
      ['90', '1m30s'],
      [-90, '-1m30s'],
    ] as const) {
      assert.equal(filtered(seconds, 'duration'), text);
    }
  });

  test('quantity reads every suffix of Kubernetes', () => {
    for (const [written, number] of [
      ['1', 1],
      ['1.5', 1.5],
      ['-2', -2],
      ['100m', 0.1],
      ['1n', 1e-9],
      ['1k', 1_000],
      ['2Ki', 2_048],
      ['1.5Gi', 1_610_612_736],
      ['1e3', 1_000],
      ['1E3', 1_000],
      ['1E', 1e18],
      ['12X', undefined],
      ['Mi', undefined],
    ] as const) {
      assert.equal(filtered(written, 'quantity'), number, written);
    }
  });

  test('image tells a port from a tag', () => {
    const parts = (reference: string) =>
      ['registry', 'repository', 'tag', 'digest'].map((part) => filtered(reference, `image: "${part}"`));
    assert.deepEqual(parts('localhost:5000/web'), ['localhost:5000', 'web', undefined, undefined]);
    assert.deepEqual(parts('acme/web:v1'), ['docker.io', 'acme/web', 'v1', undefined]);
    assert.deepEqual(parts('r.io/a/b:v1@sha256:0f'), ['r.io', 'a/b', 'v1', 'sha256:0f']);
  });

  test('regex filters run in linear time, even with nested quantifiers', () => {
    const text = 'a'.repeat(30_000) + '!';
    assert.equal(filtered(text, 'regex_match: "^(a+)+$"'), false);
    assert.equal(filtered('b'.repeat(70_000), 'regex_replace: "b", ""'), 'b'.repeat(70_000 - 65_536));
  });
});
