import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RedactConfig } from '../config/config.ts';
import { createRedactor } from './redact.ts';
import { ScanError } from './scan.ts';

const KEY = Buffer.alloc(32, 1);
const NAMES = ['PASSWORD|TOKEN|API_?KEY'];
const SECRET = { group: '', kind: 'Secret', resource: 'secrets', singular: 'secret', shortNames: [] };
const POD = { group: '', kind: 'Pod', resource: 'pods', singular: 'pod', shortNames: ['po'] };
const CANARY = 'c4n4ry';
const MASK = /^redacted:hmac-[0-9a-f]{12}$/;

const redactor = (rules: Partial<RedactConfig> = {}, key: Uint8Array = KEY) =>
  createRedactor({ envNames: NAMES, paths: [], ...rules }, key);
const redact = (object: unknown, kind = POD, rules: Partial<RedactConfig> = {}) => {
  const once = redactor(rules).forKind(kind)(Buffer.from(JSON.stringify(object)));
  const twice = redactor(rules).forKind(kind)(once);
  assert.equal(twice, once, 'redacting twice changes nothing');
  return { text: once.toString(), value: JSON.parse(once.toString()) as unknown };
};
/** The value at a path, as text. */
const at = (value: unknown, ...path: readonly (string | number)[]) =>
  String(path.reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], value));
const env = (name: string, value: unknown) => ({ spec: { containers: [{ env: [{ name, value }] }] } });

describe('createRedactor()', () => {
  test('hides every value of data and stringData of a Secret, and keeps the keys', () => {
    const { value, text } = redact(
      { kind: 'Secret', data: { a: CANARY, b: CANARY, c: null }, stringData: { d: CANARY }, type: 'Opaque' },
      SECRET,
    );
    assert.ok(!text.includes(CANARY));
    assert.match(at(value, 'data', 'a'), MASK);
    assert.match(at(value, 'stringData', 'd'), MASK);
    assert.equal(at(value, 'data', 'c'), 'null');
    assert.equal(at(value, 'type'), 'Opaque');
  });

  test('hides all data of a Secret that is not a map of strings', () => {
    for (const data of [CANARY, [CANARY], 5]) assert.match(at(redact({ data }, SECRET).value, 'data'), MASK);
    const nested = redact({ data: { a: { b: [CANARY] } } }, SECRET);
    assert.ok(!nested.text.includes(CANARY));
  });

  test('leaves the data of other kinds alone, including a Secret of another group', () => {
    for (const kind of [POD, { ...SECRET, group: 'example.com' }]) {
      assert.deepEqual(redact({ data: { a: CANARY } }, kind).value, { data: { a: CANARY } });
    }
  });

  test('hides what kubectl last applied, at any depth', () => {
    const annotations = {
      'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ data: { a: CANARY } }),
      kept: 'yes',
    };
    const { value, text } = redact({ metadata: { annotations }, spec: { template: { metadata: { annotations } } } });
    assert.ok(!text.includes(CANARY));
    assert.equal(at(value, 'metadata', 'annotations', 'kept'), 'yes');
  });

  test('hides environment variables by name, in any case, and no others', () => {
    for (const name of ['DB_PASSWORD', 'github_token', 'ApiKey', 'MY_API_KEY_2']) {
      assert.ok(!redact(env(name, CANARY)).text.includes(CANARY), name);
    }
    assert.deepEqual(redact(env('LOG_LEVEL', CANARY)).value, env('LOG_LEVEL', CANARY));
    const reference = {
      spec: { containers: [{ env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } }] }] },
    };
    assert.deepEqual(redact(reference).value, reference);
  });

  test('hides the headers of probes that contain credentials, and no others', () => {
    const probe = (name: string) => ({ livenessProbe: { httpGet: { httpHeaders: [{ name, value: CANARY }] } } });
    for (const name of ['Authorization', 'proxy-authorization', 'Cookie', 'X-Api-Token'])
      assert.ok(!redact({ spec: { containers: [probe(name)] } }).text.includes(CANARY), name);
    assert.deepEqual(redact(probe('X-Forwarded-For')).value, probe('X-Forwarded-For'));
  });

  test('finds environment variables at any depth, in any order, with any white space', () => {
    const text = `{"spec": {"template" : {"initContainers": [ {"env" : [ {"value": "${CANARY}", "name": "TOKEN"} ] } ] } } }`;
    assert.ok(!redactor().forKind(POD)(Buffer.from(text)).toString().includes(CANARY));
  });

  test('hides passwords in URLs wherever a string holds one', () => {
    const urls = {
      a: `postgres://user:${CANARY}@db.example/shop?x=y`,
      b: [`see https://u:${CANARY}@h/ and amqp://u:p@${CANARY}@h:5672`],
      c: `redis://:${CANARY}@h`,
      d: `line\nhttp://u:${CANARY}&<x>@h\nline`,
    };
    const { value, text } = redact(urls);
    assert.ok(!text.includes(CANARY));
    assert.match(at(value, 'a'), /^postgres:\/\/user:redacted:hmac-[0-9a-f]{12}@db\.example\/shop\?x=y$/);
  });

  test('leaves what only looks like a password in a URL', () => {
    const plain = {
      image: 'registry.example:5000/a/b@sha256:abcdef',
      mail: 'mailto:someone@example.com',
      git: 'ssh://git@github.com/a/b',
      text: 'https://example.com:8443/x?y=a:b@c me@example.com',
      path: 'https://example.com/a:b@c',
      site: 'https://example.com',
      owner: 'me@example.com',
      words: 'https://example.com or me@example.com',
      lines: 'https://example.com:\nme@example.com',
      at: '@',
    };
    assert.deepEqual(redact(plain).value, plain);
  });

  test('hides the values at configured paths, for one kind or for all', () => {
    const object = {
      spec: {
        containers: [
          { name: 'web', args: ['--x', CANARY] },
          { name: 'side', args: ['kept'] },
        ],
      },
      metadata: { annotations: { 'example.com/token': CANARY, other: 'kept' } },
    };
    const paths = [
      { kind: 'po', path: 'spec.containers[web].args[1]' },
      { kind: '*', path: 'metadata.annotations["example.com/token"]' },
      { kind: 'Deployment', path: 'metadata' },
    ];
    const { value, text } = redact(object, POD, { paths });
    assert.ok(!text.includes(CANARY));
    assert.equal(at(value, 'spec', 'containers', 1, 'args', 0), 'kept');
    assert.equal(at(value, 'metadata', 'annotations', 'other'), 'kept');
    const all = redact({ a: [{ b: CANARY }, { b: { c: CANARY } }] }, POD, { paths: [{ kind: 'Pod', path: 'a[*].*' }] });
    assert.ok(!all.text.includes(CANARY));
  });

  test('applies several rules to one object, also where their matches are nested', () => {
    const paths = [
      { kind: '*', path: 'first' },
      { kind: '*', path: 'spec.outer' },
    ];
    const url = `amqp://u:${CANARY}@h`;
    const object = {
      first: CANARY,
      url,
      spec: { outer: { env: [{ name: 'TOKEN', value: CANARY }], url }, env: { TOKEN: url } },
      last: url,
      metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ url }) } },
    };
    const { value, text } = redact(object, POD, { paths });
    assert.ok(!text.includes(CANARY), text);
    for (const part of [at(value, 'first'), at(value, 'spec', 'outer'), at(value, 'spec', 'env', 'TOKEN')])
      assert.match(part, MASK);
    assert.match(at(value, 'last'), /^amqp:\/\/u:redacted:hmac-[0-9a-f]{12}@h$/);
  });

  test('gives a value that older rules hid in part the mask of a fresh one, and does not change that of one they hid whole', () => {
    const url = `amqp://u:${CANARY}@h`;
    const object = { data: { url, quoted: `"${url}"`, list: [url, { env: [{ name: 'LINK', value: url }] }] } };
    const fresh = Buffer.from(JSON.stringify(object));
    for (const path of ['data.*', 'data', 'data.list[*]', 'data.list[1].env[*].value']) {
      const paths = [{ kind: '*', path }];
      const newer = redactor({ envNames: ['LINK'], paths }).forKind(POD);
      for (const older of [redactor(), redactor({ paths })]) {
        assert.equal(newer(older.forKind(POD)(fresh)).toString(), newer(fresh).toString(), path);
      }
    }
  });

  test('accepts a kind with its group, as a resource is named', () => {
    const certificate = { group: 'cert-manager.io', kind: 'Certificate', resource: 'certificates' };
    const own = { ...POD, ...certificate, singular: 'certificate', shortNames: ['cert'] };
    const object = { spec: { keystore: CANARY } };
    const hides = (kind: string) =>
      !redact(object, own, { paths: [{ kind, path: 'spec.keystore' }] }).text.includes(CANARY);
    for (const kind of ['certificates.cert-manager.io', 'Certificate.v1.cert-manager.io', 'cert'])
      assert.ok(hides(kind), kind);
    assert.ok(!hides('certificates.networking.internal.knative.dev'));
  });

  test('finds an item of a list by its name, written in either way', () => {
    const object = { spec: { args: [{ name: 'a', value: CANARY }] } };
    for (const path of ['spec.args[a].value', 'spec.args[name="a"].value'])
      assert.ok(!redact(object, POD, { paths: [{ kind: '*', path }] }).text.includes(CANARY), path);
  });

  test('refuses an invalid path', () => {
    const jsonPaths = ["data['licence']", '{.data.licence}', '$.data.licence'];
    // Read as the steps `example`, `com/token` and `5432/TCP`, these would hide nothing.
    const misread = ['metadata.annotations.example.com/token', 'spec.ports[port=5432,protocol="TCP"].name'];
    for (const path of ['', 'a..b', 'a[', 'a["b]', ...jsonPaths, ...misread]) {
      assert.throws(() => redactor({ paths: [{ kind: '*', path }] }), /Cannot read field path/);
    }
  });

  test('gives the same mask only to the same value under the same key', () => {
    const mask = (value: string, key?: Uint8Array) =>
      redactor({}, key)
        .forKind(SECRET)(Buffer.from(JSON.stringify({ data: { a: value } })))
        .toString();
    assert.equal(mask('one'), mask('one'));
    assert.notEqual(mask('one'), mask('two'));
    assert.notEqual(mask('one'), mask('one', Buffer.alloc(32, 2)));
  });

  test('returns the same bytes when nothing is hidden, and otherwise changes only the hidden values', () => {
    const plain = Buffer.from('{"n":12345678901234567890, "__proto__":{"a":1}}');
    assert.equal(redactor().forKind(POD)(plain), plain);
    const text = redactor().forKind(SECRET)(Buffer.from('{"n":12345678901234567890, "data":{"a":"x"}}')).toString();
    assert.match(text, /^\{"n":12345678901234567890, "data":\{"a":"redacted:hmac-\w+"\}\}$/);
  });

  test('throws ScanError rather than pass on a broken Secret', () => {
    assert.throws(() => redactor().forKind(SECRET)(Buffer.from('{"data":{"a":"x"')), ScanError);
  });

  test('changes its fingerprint with the rules and the key, and the key fingerprint only with the key', () => {
    const { fingerprint, keyFingerprint } = redactor();
    const otherRules = redactor({ envNames: [] });
    const otherKey = redactor({}, Buffer.alloc(32, 2));
    assert.notEqual(otherRules.fingerprint, fingerprint);
    assert.equal(otherRules.keyFingerprint, keyFingerprint);
    assert.notEqual(otherKey.fingerprint, fingerprint);
    assert.notEqual(otherKey.keyFingerprint, keyFingerprint);
  });

  test('runs in linear time on hostile input', () => {
    const hostile = [
      '@'.repeat(1_000_000),
      'a://'.repeat(250_000),
      'a://b@'.repeat(160_000),
      JSON.stringify('"env":['.repeat(100_000)),
    ];
    // A quadratic search would take minutes: the test's own time limit is the assertion.
    for (const text of hostile) redact({ text });
    for (const [open, close] of [
      ['{"env":[{"name":"a","value":', '}]}'],
      ['{"annotations":', '}'],
    ] as const) {
      const nested = `${open.repeat(5_000)}1${close.repeat(5_000)}`;
      redactor().forKind(POD)(Buffer.from(nested));
    }
  });
});
