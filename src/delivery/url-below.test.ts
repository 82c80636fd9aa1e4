import assert from 'node:assert/strict';
import { test } from 'node:test';
import { urlWith } from './url-below.ts';

for (const [base, path, query, whole] of [
  ['https://h.example', ['a b', 'ä/%2e'], [], 'https://h.example/a%20b/%C3%A4%2F%252e'],
  ['https://h.example/v2/', ['x'], [], 'https://h.example/v2/x'],
  ['https://me:pass@h.example/!r:m?KEY&b=%41+c', ['?#\\'], [], 'https://me:pass@h.example/!r:m/%3F%23%5C?KEY&b=%41+c'],
  ['https://h.example/x?KEY', [], [['a&b', 'c=d e']], 'https://h.example/x?KEY&a%26b=c%3Dd%20e'],
  ['https://h.example/', [], [['lone', '\ud800']], 'https://h.example/?lone=%EF%BF%BD'],
] as const) {
  test(`urlWith() makes ${whole}`, () => assert.equal(urlWith(new URL(base), { path, query }).href, whole));
}
