import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EVERYTHING } from '../interest.ts';
import { Digester } from './digest.ts';
import { ManifestReader } from './manifest.ts';
import { ScanError } from './scan.ts';
import { LineSplitter, readEvent } from './watch.ts';

const reader = new ManifestReader(
  { group: '', version: 'v1', kind: 'Pod' },
  EVERYTHING,
  new Digester(Buffer.alloc(32)),
);
const OBJECT = { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'web', uid: 'u', resourceVersion: '7' } };

describe('LineSplitter', () => {
  test('splits on line feeds alone, in chunks of any size', () => {
    const text = 'one\u2028still one\ntwo\r\n\n  \nthrée';
    for (let size = 1; size < 30; size++) {
      const lines: string[] = [];
      const splitter = new LineSplitter();
      const bytes = Buffer.from(text);
      for (let i = 0; i < bytes.length; i += size) {
        // As a socket does, reuse the buffer.
        const chunk = Buffer.from(bytes.subarray(i, i + size));
        splitter.push(chunk, (line) => lines.push(line.toString()));
      }
      assert.deepEqual(lines, ['one\u2028still one', 'two\r']);
      assert.equal(splitter.partial, true);
      splitter.push(Buffer.from('\n'), (line) => lines.push(line.toString()));
      assert.equal(lines.at(-1), 'thrée');
      assert.equal(splitter.partial, false);
    }
  });

  test('refuses a line that never ends', () => {
    const splitter = new LineSplitter();
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    assert.throws(() => {
      for (let i = 0; i < 40; i++) splitter.push(chunk, () => assert.fail());
    }, ScanError);
  });
});

describe('readEvent()', () => {
  const read = (text: string) => readEvent(Buffer.from(text), reader);

  test('reads type and object in either order, with white space', () => {
    for (const type of ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const) {
      for (const event of [
        { type, object: OBJECT },
        { object: OBJECT, type },
        { type, other: [1], object: OBJECT },
      ]) {
        for (const text of [JSON.stringify(event), `${JSON.stringify(event, undefined, 2)}\r`]) {
          const { type: read1, manifest } = read(text);
          assert.equal(read1, type);
          assert.equal(manifest.key, 'web');
        }
      }
    }
  });

  for (const text of [
    'garbage',
    '{}',
    '[]',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":null}',
    '{"type":"RENAMED","object":{}}',
    '{"type":5,"object":{}}',
    '{"type":"ADDED","object":{}',
    '{"type":"ADDED","object":{}}}',
    '{"type":"ADDED","object":{}}{"type":"ADDED","object":{}}',
  ]) {
    test(`throws ScanError for ${text}`, () => {
      assert.throws(() => read(text), ScanError);
    });
  }
});
