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
        // Reuse the buffer, like a socket.
        const chunk = Buffer.from(bytes.subarray(i, i + size));
        splitter.push(chunk, (line) => lines.push(line.toString()));
      }
      assert.deepEqual(lines, ['one\u2028still one', 'two\r']);
      assert.equal(splitter.isInLine, true);
      splitter.push(Buffer.from('\n'), (line) => lines.push(line.toString()));
      assert.equal(lines.at(-1), 'thrée');
      assert.equal(splitter.isInLine, false);
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

describe('readEvent() when the interest leaves out the status', () => {
  const quiet = new ManifestReader(
    { group: '', version: 'v1', kind: 'Pod' },
    { except: ['metadata.generation', 'status'] },
    new Digester(Buffer.alloc(32)),
  );
  const read = (type: string, text: string) => {
    const { manifest } = readEvent(Buffer.from(`{"type":"${type}","object":${text}}`), quiet);
    return { key: manifest.key, digest: manifest.digest(), body: manifest.body().toString() };
  };
  const { kind, apiVersion, metadata } = OBJECT;
  const spec = { image: 'web:1', status: { a: 1 } };

  for (const [what, object] of Object.entries({
    'a status': { ...OBJECT, spec, status: { ready: true } },
    'no status': { ...OBJECT, spec },
    'nothing but a nested status': { ...OBJECT, spec: { a: 1, status: { b: { c: 1 } } } },
    'a status in a status': { ...OBJECT, spec, status: { a: 1, status: { b: 1 } } },
    'an empty status': { ...OBJECT, spec, status: {} },
    'a status that is no object': { ...OBJECT, spec, status: 'Failure' },
    'a status that is a list': { ...OBJECT, spec, status: [{ a: 1, status: {} }] },
    'a field behind the status': { ...OBJECT, status: { a: 1 }, spec },
    'a status before metadata': { kind, apiVersion, status: { a: 1 }, metadata, spec },
    'a status between its neighbours': {
      kind,
      apiVersion,
      status: { a: 1 },
      metadata,
      spec,
      data: { a: 1, status: {} },
    },
    'kind and apiVersion at the end': { metadata, spec, status: { a: 1 }, kind, apiVersion },
    'kind and apiVersion behind metadata': { metadata, kind, apiVersion, spec, status: { a: 1 } },
    'no kind': { metadata, spec, status: { a: 1 } },
    'the status of a definition': {
      ...OBJECT,
      spec: { versions: [{ a: 1, status: { type: 'object' } }] },
      status: { a: 1 },
    },
    'a look-alike in a string': { ...OBJECT, spec: { text: 'x,"status":{}}}' }, status: { text: ',"status":{"a":1}' } },
    'a string that ends like a key': { ...OBJECT, spec: { text: 'a,' }, status: { text: '\\,"status":{' } },
    'a brace in the last string': { ...OBJECT, spec, status: { text: '}}}' } },
    'a quiet field of metadata': {
      ...OBJECT,
      metadata: { ...metadata, generation: 3, labels: { a: 'b' } },
      status: { a: 1 },
    },
  })) {
    test(`reads the same from MODIFIED as from ADDED: ${what}`, () => {
      const text = JSON.stringify(object);
      assert.deepEqual(read('MODIFIED', text), read('ADDED', text));
      const spaced = JSON.stringify(object, undefined, 1);
      assert.deepEqual(read('MODIFIED', spaced), read('ADDED', spaced));
    });
  }

  test('has another digest when a field before the status differs, but not when the status does', () => {
    const of = (image: string, status: object) =>
      read('MODIFIED', JSON.stringify({ ...OBJECT, spec: { ...spec, image }, status })).digest;
    assert.equal(of('web:1', { a: 1 }), of('web:1', { b: [{ status: {} }] }));
    assert.notEqual(of('web:1', { a: 1 }), of('web:2', { a: 1 }));
  });

  for (const broken of [
    '"spec":{"a":[},"status":{"a":1}}',
    '"spec":{"a":"},"status":{"a":1}}',
    '"spec":{"a":1},"status":{"a":1}}}{"type":"MODIFIED","object":{"a":1,"status":{}}',
    '"spec":{"a":1}},"more":{"a":1,"status":{}}',
  ]) {
    test(`detects a broken object before it is stored: ${broken}`, () => {
      const head = JSON.stringify(OBJECT).slice(0, -1);
      const whole = read('MODIFIED', `${head},"spec":{"a":1},"status":{"a":1}}`);
      const { manifest } = readEvent(Buffer.from(`{"type":"MODIFIED","object":${head},${broken}}`), quiet);
      assert.notEqual(manifest.digest(), whole.digest);
      assert.throws(() => manifest.body(), ScanError);
    });
  }
});
