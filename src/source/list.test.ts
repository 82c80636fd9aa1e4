import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ListScanner } from './list.ts';
import { ScanError, skipValue } from './scan.ts';

/** Reads the list in chunks of the given size. */
function readList(text: string, chunkSize = text.length) {
  const items: unknown[] = [];
  const scanner = new ListScanner((bytes, start, end) => {
    const after = skipValue(bytes, start, end);
    items.push(JSON.parse(bytes.toString('utf8', start, after)));
    return after;
  });
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += chunkSize) {
    scanner.push(bytes.subarray(i, i + chunkSize));
    if (i % 3 === 0) scanner.read();
  }
  return { items, ...scanner.end() };
}

const ITEMS = [{ a: 'x"]}{' }, { b: ['\\', '\\"', '☃', { items: [1] }] }, {}];
const BUILT_IN = JSON.stringify({
  kind: 'PodList',
  apiVersion: 'v1',
  metadata: { resourceVersion: '7', continue: 'next' },
  items: ITEMS,
});
const CUSTOM = JSON.stringify({
  apiVersion: 'e/v1',
  items: ITEMS,
  kind: 'WidgetList',
  metadata: { continue: '', resourceVersion: '7' },
});

describe('ListScanner', () => {
  for (const chunkSize of [1, 2, 3, 7, 50, 1_000]) {
    test(`reads items and envelope in either order, in chunks of ${chunkSize} bytes`, () => {
      assert.deepEqual(readList(BUILT_IN, chunkSize), { items: ITEMS, resourceVersion: '7', continueToken: 'next' });
      assert.deepEqual(readList(CUSTOM, chunkSize), { items: ITEMS, resourceVersion: '7', continueToken: '' });
      assert.deepEqual(readList(JSON.stringify(JSON.parse(BUILT_IN), undefined, 2), chunkSize).items, ITEMS);
    });
  }

  test('reads an empty list, also if its items are null or missing', () => {
    for (const items of [[], null, undefined]) {
      const { items: read } = readList(
        JSON.stringify({ kind: 'PodList', metadata: { resourceVersion: '7' }, items }),
        5,
      );
      assert.deepEqual(read, []);
    }
  });

  test('reads a list of a custom resource whose listKind does not end with List', () => {
    for (const items of [ITEMS, []]) {
      const list = JSON.stringify({ items, kind: 'WidgetCollection', metadata: { resourceVersion: '7' } });
      assert.deepEqual(readList(list, 5), { items, resourceVersion: '7', continueToken: '' });
    }
  });

  test('throws when the answer is truncated, at any byte', () => {
    for (let size = 0; size < BUILT_IN.length; size++) {
      assert.throws(() => readList(BUILT_IN.slice(0, size), 10), `after ${size} bytes`);
    }
    const inItems = BUILT_IN.indexOf('items') + 20;
    assert.throws(
      () => readList(BUILT_IN.slice(0, inItems)),
      /^SourceError: the answer ended in the middle of the list$/,
    );
  });

  for (const text of [
    '<html></html>',
    '[]',
    '{"kind":"Status"}',
    '{"kind":"PodList"}',
    '{"kind":"Pod","metadata":{"resourceVersion":"7"}}',
    '{"kind":"PodList","items":[1]}',
    '{"kind":"PodList","items":[{}}',
  ]) {
    test(`throws for ${text}`, () => {
      assert.throws(() => readList(text, 4), /Cannot read JSON|JSON/);
    });
  }

  test('rethrows errors of the item handler', () => {
    const scanner = new ListScanner(() => {
      throw new ScanError('something else', 0);
    });
    scanner.push(Buffer.from(BUILT_IN));
    assert.throws(() => scanner.read(), ScanError);
  });

  test('holds at most two items: ten of 1.5 MB are handed out as they arrive', () => {
    let count = 0;
    const scanner = new ListScanner((bytes, start, end) => {
      const after = skipValue(bytes, start, end);
      count++;
      return after;
    });
    scanner.push(Buffer.from('{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":['));
    const item = Buffer.from(JSON.stringify({ data: 'x'.repeat(1_500_000) }));
    for (let n = 1; n <= 10; n++) {
      for (let i = 0; i < item.length; i += 65_536) {
        scanner.push(item.subarray(i, i + 65_536));
        scanner.read();
      }
      assert.ok(count >= n - 1, `${count} of ${n}`);
      scanner.push(Buffer.from(n < 10 ? ',' : ']}'));
    }
    assert.equal(scanner.end().resourceVersion, '1');
    assert.equal(count, 10);
  });
});
