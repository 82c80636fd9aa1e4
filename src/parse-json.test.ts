import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseJson } from './parse-json.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');
const roundTrip = (text: string) => JSON.stringify(parseJson(bytes(text)));

describe('parseJson()', () => {
  test('keeps every digit of integers that a double cannot hold', () => {
    const text = '{"big":9007199254740993,"list":[-12345678901234567890],"huge":123456789012345678901234567890}';
    assert.equal(roundTrip(text), text);
  });

  test('returns plain numbers where a double is exact, even next to a large one', () => {
    const value = parseJson(bytes('{"safe":9007199254740991,"small":3,"ratio":0.5,"big":9007199254740993}'));
    assert.partialDeepStrictEqual(value, { safe: 9007199254740991, small: 3, ratio: 0.5 });
  });

  test('keeps every digit wherever a number can appear', () => {
    for (const text of [
      '9007199254740993',
      '[9007199254740993]',
      '{"a": -9007199254740993}',
      '{"a"\n: 9007199254740993}',
      ' 9007199254740993',
      '{"hash":"12345678901234567890","sum":"sha256:1234567890123456","a":[ 9007199254740993]}',
      '[1,\n9007199254740993]',
    ]) {
      assert.equal(roundTrip(text), text.replaceAll(/\s/g, ''));
    }
  });

  test('leaves long runs of digits in strings alone', () => {
    assert.deepEqual(parseJson(bytes('{"hash":"12345678901234567890"}')), { hash: '12345678901234567890' });
  });

  test('scans a string of 16 MB of digits in linear time, and reads the number after it', () => {
    const digits = '1'.repeat(16 * 1024 * 1024);
    // Measuring the run again every 16 digits would take hours: the test's own time limit is the assertion.
    assert.deepEqual(parseJson(bytes(`{"a":"${digits}","b":9007199254740992}`)), {
      a: digits,
      b: (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON('9007199254740992'),
    });
  });

  test('keeps __proto__ as data and touches no prototype', () => {
    for (const digits of ['1', '12345678901234567890']) {
      const value = parseJson(bytes(`{"__proto__":{"polluted":${digits}}}`));
      assert.ok(Object.hasOwn(value as object, '__proto__'));
      assert.equal(Object.getPrototypeOf(value), Object.prototype);
      assert.equal('polluted' in {}, false);
    }
  });

  test('reads a view into a larger buffer, and text beyond ASCII', () => {
    const all = bytes('xx{"name":"zürich ☃"}yy');
    assert.deepEqual(parseJson(all.subarray(2, -2)), { name: 'zürich ☃' });
  });

  test('throws SyntaxError for what is not JSON', () => {
    assert.throws(() => parseJson(bytes('{"a":')), SyntaxError);
  });
});
