import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { filePath, resolvePaths } from './paths.ts';

const options = z.strictObject({
  path: filePath.describe('Where to write.').meta({ example: 'x' }),
  tls: z
    .strictObject({ caFile: filePath.optional(), name: z.string() })
    .superRefine(() => undefined)
    .optional(),
  other: filePath.default('y'),
  several: z.array(filePath).default([]),
  text: z.string(),
});

test('resolvePaths() makes paths absolute, in nested tables and lists too, and leaves other values', () => {
  const given = {
    path: 'a/b',
    tls: { caFile: '../ca.crt', name: 'a/b' },
    other: '/abs',
    several: ['a', '/b'],
    text: 'a/b',
    unknown: 'a/b',
    wrong: 5,
  };
  assert.deepEqual(
    { ...(resolvePaths(given, options, '/etc/w') as object) },
    {
      path: '/etc/w/a/b',
      tls: Object.assign(Object.create(null) as object, { caFile: '/etc/ca.crt', name: 'a/b' }),
      other: '/abs',
      several: ['/etc/w/a', '/b'],
      text: 'a/b',
      unknown: 'a/b',
      wrong: 5,
    },
  );
});

test('resolvePaths() fills in a default that is a path', () => {
  assert.equal((resolvePaths({}, options, '/etc/w') as { other: unknown }).other, '/etc/w/y');
});

test('resolvePaths() leaves invalid values to the schema', () => {
  for (const path of [5, '', undefined, ['a']]) {
    assert.deepEqual((resolvePaths({ path }, options, '/etc') as { path: unknown }).path, path);
  }
});

test('resolvePaths() leaves a path of the home folder as it is written, and the schema refuses it', () => {
  const given = { path: '~/a', tls: {}, several: ['~backup'], text: '~/a' };
  const resolved = resolvePaths(given, options, '/etc/w') as typeof given;
  assert.deepEqual([resolved.path, resolved.several, resolved.text], ['~/a', ['/etc/w/~backup'], '~/a']);
  assert.match(
    options.safeParse(resolved).error?.issues[0]?.message ?? '',
    /^must not begin with ~, .* write \$\{HOME\}$/,
  );
});
