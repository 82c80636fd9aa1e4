import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Interest } from '../interest.ts';
import { EVERYTHING } from '../interest.ts';
import { pod } from '../testing/pods.ts';
import { Digester } from './digest.ts';
import { ManifestReader } from './manifest.ts';
import { ScanError } from './scan.ts';

const POD = { group: '', version: 'v1', kind: 'Pod' };
const digester = new Digester(Buffer.alloc(32, 1));
const read = (object: unknown, interest: Interest = EVERYTHING, kind = POD) => {
  const bytes = Buffer.from(typeof object === 'string' ? object : JSON.stringify(object));
  return new ManifestReader(kind, interest, digester).read(bytes, 0, bytes.length);
};
const body = (object: unknown) => JSON.parse(read(object).body().toString()) as unknown;
const metadata = { name: 'web', namespace: 'shop', uid: 'u-1', resourceVersion: '7' };
const object = (more: object = {}) => ({ kind: 'Pod', apiVersion: 'v1', metadata: { ...metadata, ...more } });

describe('ManifestReader', () => {
  test('reads key, uid and resourceVersion', () => {
    const { key, uid, resourceVersion, problem } = read(object());
    assert.deepEqual(
      { key, uid, resourceVersion, problem },
      { key: 'shop/web', uid: 'u-1', resourceVersion: '7', problem: undefined },
    );
    assert.equal(read({ metadata: { ...metadata, namespace: undefined } }).key, 'web');
  });

  test('reads names with escapes and non-ASCII characters', () => {
    assert.equal(read('{"metadata":{"name":"a\\u0062\\"c ☃"}}').key, 'ab"c ☃');
  });

  for (const [what, wrong] of [
    ['no metadata', { kind: 'Pod' }],
    ['metadata that is a list', { metadata: [] }],
    ['no name', { metadata: { uid: 'u', resourceVersion: '1' } }],
    ['a name that is a number', { metadata: { name: 5, uid: 'u', resourceVersion: '1' } }],
    ['no uid', { metadata: { name: 'a', resourceVersion: '1' } }],
    ['no resourceVersion', { metadata: { name: 'a', uid: 'u' } }],
    ['another kind', { ...object(), kind: 'Node' }],
    ['another apiVersion', { ...object(), apiVersion: 'v2' }],
  ] as const) {
    test(`names the problem of an object with ${what}`, () => {
      assert.match(read(wrong).problem ?? '', /^it /);
    });
  }

  for (const broken of [
    '',
    '[]',
    '{',
    '{"metadata"',
    '{"metadata":{"name":"a"',
    '{"metadata":{"name":"a}}',
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{1:2}',
  ]) {
    test(`throws ScanError for ${JSON.stringify(broken)}`, () => {
      assert.throws(() => read(broken), ScanError);
    });
  }
});

describe('ScannedManifest.body()', () => {
  test('cuts metadata.managedFields at any position, and nothing else', () => {
    const managedFields = [{ manager: 'kubelet', fieldsV1: { 'f:metadata': {} } }];
    for (const more of [{ managedFields }, { managedFields, labels: {} }]) {
      const { managedFields: _, ...kept } = more as { managedFields: unknown };
      assert.deepEqual(body(object(more)), object(kept));
    }
    const only = { kind: 'Pod', apiVersion: 'v1', metadata: { managedFields } };
    assert.deepEqual(body(only), { ...only, metadata: {} });
    assert.deepEqual(body({ kind: 'Pod', apiVersion: 'v1', metadata: { managedFields, name: 'a' } }), {
      ...only,
      metadata: { name: 'a' },
    });
  });

  test('is not fooled by look-alikes in annotations, data and other places', () => {
    const lookAlike = '"managedFields":[{"manager":"x"}],"metadata":{"managedFields":[]}';
    const tricky = {
      ...object({ annotations: { managedFields: lookAlike, 'a"}],': '\\' } }),
      data: { metadata: lookAlike },
      spec: { metadata: { managedFields: ['kept'] } },
      managedFields: ['kept too'],
    };
    assert.deepEqual(body(tricky), tricky);
  });

  for (const name of ['a]', 'a],', 'a]}', ':{}]', ':{}}]}},"', '[', '\\"]', '\\\\"],"x":["', ' ]']) {
    test(`cuts managedFields exactly when a field or a manager is called ${JSON.stringify(name)}`, () => {
      const managedFields = [{ manager: name, fieldsV1: { [`f:${name}`]: { [name]: {} } } }, { manager: name }];
      const after = { labels: { 'x]': ']' } };
      assert.deepEqual(body({ ...object({ managedFields, ...after }), spec: { a: [1] } }), {
        ...object(after),
        spec: { a: [1] },
      });
      const read1 = read(object({ managedFields }));
      assert.deepEqual(JSON.parse(read1.managedFields()?.toString() ?? ''), managedFields);
    });
  }

  test('fills in the kind and apiVersion that lists leave out', () => {
    assert.deepEqual(body({ metadata, spec: {} }), { ...object(), spec: {} });
    assert.deepEqual(body({ kind: 'Pod', metadata }), object());
  });

  test('keeps every byte of what it does not cut, large integers too', () => {
    const text =
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"n":12345678901234567890,"e":1.0e2,"__proto__":{"x":1}}';
    assert.equal(read(text).body().toString(), text);
  });

  test('reads JSON with white space', () => {
    const spaced = JSON.stringify(object({ managedFields: [{ manager: 'a' }], labels: { a: 'b' } }), undefined, 2);
    assert.deepEqual(body(spaced), object({ labels: { a: 'b' } }));
    assert.equal(read(spaced).problem, undefined);
  });

  test('agrees with JSON.parse on pods of realistic size', () => {
    for (let n = 0; n < 20; n++) {
      const { managedFields, ...kept } = pod(n).metadata;
      assert.deepEqual(body(pod(n)), { ...pod(n), metadata: kept });
      assert.deepEqual(JSON.parse(read(pod(n)).managedFields()?.toString() ?? ''), managedFields);
    }
  });
});

describe('ScannedManifest.digest()', () => {
  const digest = (value: unknown, ...except: string[]) => read(value, { except }).digest();

  test('is a safe integer that any field changes', () => {
    const before = digest({ ...object(), spec: { replicas: 1 } });
    assert.ok(Number.isSafeInteger(before) && before >= 0);
    assert.notEqual(digest({ ...object(), spec: { replicas: 2 } }), before);
  });

  test('ignores resourceVersion, managedFields, kind and apiVersion', () => {
    const { kind: _, apiVersion: __, ...listed } = object({ resourceVersion: '8', managedFields: [{ manager: 'a' }] });
    assert.equal(digest(listed), digest(object()));
  });

  test('ignores the field roots left out of the interest, at any position, present or not', () => {
    const annotation = 'metadata.annotations["deployment.kubernetes.io/revision"]';
    const plain = digest(
      { ...object({ annotations: { a: 'b' } }), spec: { x: 1 } },
      'status',
      'metadata.generation',
      annotation,
    );
    const noisy = {
      ...object({ generation: 5, annotations: { 'deployment.kubernetes.io/revision': '3', a: 'b' } }),
      spec: { x: 1 },
      status: { ready: true },
    };
    assert.equal(digest(noisy, 'status', 'metadata.generation', annotation), plain);
    assert.equal(digest(Object.assign({ status: 1 }, noisy), 'status', 'metadata.generation', annotation), plain);
    assert.notEqual(digest(noisy, 'status', 'metadata.generation'), plain);
  });

  test('depends on a field of the same name elsewhere', () => {
    const at = (ready: boolean) => ({ ...object(), spec: { status: { ready } } });
    assert.notEqual(digest(at(true), 'status'), digest(at(false), 'status'));
  });

  test('depends on the digest key', () => {
    const bytes = Buffer.from(JSON.stringify(object()));
    const other = new ManifestReader(POD, EVERYTHING, new Digester(Buffer.alloc(32, 2)));
    assert.notEqual(other.read(bytes, 0, bytes.length).digest(), digest(object()));
  });

  test('handles objects larger than any before', () => {
    const large = { ...object(), data: 'x'.repeat(1_500_000) };
    assert.equal(digest(large), digest(large));
    assert.notEqual(digest({ ...large, data: `${large.data}y` }), digest(large));
  });
});
