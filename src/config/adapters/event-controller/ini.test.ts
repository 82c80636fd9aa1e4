import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIni } from './ini.ts';

function valuesOf(text: string): object {
  return Object.fromEntries([...parseIni(text).sections].map(([name, keys]) => [name, Object.fromEntries(keys)]));
}

describe('parseIni(), like ConfigParser,', () => {
  test('reads keys in any case, = or :, whole-line comments and surrounding blanks', () => {
    const text = '# comment\n; comment\n[global]\nKey = a = b\nother: c:d\n  \nempty =\n# x = 1\n';
    assert.deepEqual(valuesOf(text), { global: { key: 'a = b', other: 'c:d', empty: '' } });
  });

  test('continues a value on indented lines, and applies [DEFAULT] to every section', () => {
    const text = '[DEFAULT]\nttl = 180\n[a]\nlist = one\n  two\n\tthree\nttl = 60\n[b]\n';
    assert.deepEqual(valuesOf(text), { a: { ttl: '60', list: 'one\ntwo\nthree' }, b: { ttl: '180' } });
  });

  test('continues a value in an indented section only on lines indented further than its key', () => {
    const text = '  [a]\n  one = 1\n    more\n  two = 2\n three = 3\n[b]\n\tfour = 4\n\tfive: 5\n';
    assert.deepEqual(valuesOf(text), { a: { one: '1\nmore', two: '2', three: '3' }, b: { four: '4', five: '5' } });
  });

  test('keeps an empty line inside a value, and drops a comment', () => {
    const text = '[a]\nkey = one\n\n  two\n  # comment\n  three\n\nother = 1\n\n';
    assert.deepEqual(valuesOf(text), { a: { key: 'one\n\ntwo\nthree', other: '1' } });
  });

  test('reads %% as a percent sign and %(key)s as another value, without endless recursion', () => {
    const text = '[a]\nhost = web\nurl = https://%(HOST)s/%%20\nlone = 100%\nmissing = %(x)s\nround = %(round)s!\n';
    const { url, lone, missing, round } = (valuesOf(text) as { a: Record<string, string> }).a;
    assert.deepEqual([url, lone, missing], ['https://web/%20', '100%', '%(x)s']);
    assert.ok((round ?? '').length < 50);
  });

  test('keeps # and ; in a value, and warns of what looks like a comment', () => {
    const { sections, warnings } = parseIni('[a]\npassword = p#q;r\nkey = # what it is\nother = v # w\n');
    assert.deepEqual(
      [...(sections.get('a') ?? [])],
      [
        ['password', 'p#q;r'],
        ['key', ''],
        ['other', 'v # w'],
      ],
    );
    assert.deepEqual(
      warnings.map(({ path }) => path.join('.')),
      ['a.key', 'a.other'],
    );
  });

  test('reports stray lines as problems, locates keys, and never throws', () => {
    const { problems, locate } = parseIni('early = 1\n[a]\nkey = 1\nnonsense\n= x\n');
    assert.deepEqual(
      problems.map(({ line, message }) => [line, message]),
      [
        [1, 'a line before the first [section]'],
        [4, 'is neither [section] nor key = value'],
        [5, 'is neither [section] nor key = value'],
      ],
    );
    assert.deepEqual([locate(['a', 'key']), locate(['a', 'none']), locate(['none'])], [3, 2, 1]);
  });
});
