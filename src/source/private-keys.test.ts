import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRedactor } from './redact.ts';

const BODY = 'MIIEvc4n4ry';
const redactor = createRedactor({ envNames: [], paths: [] }, Buffer.alloc(32, 1));
const SETTINGS = { group: '', kind: 'ConfigMap', resource: 'configmaps', singular: 'configmap', shortNames: [] };
const WORK = { group: 'example.com', kind: 'Work', resource: 'works', singular: 'work', shortNames: [] };

function redact(text: string, kind = SETTINGS): string {
  const redacted = redactor.forKind(kind);
  const once = redacted(Buffer.from(JSON.stringify({ data: { text, next: 'kept' } })));
  assert.equal(redacted(once), once, 'redacting twice changes nothing');
  assert.match(once.toString(), /"next":"kept"/);
  return (JSON.parse(once.toString()) as { readonly data: { readonly text: string } }).data.text;
}

const pem = (name: string, body = BODY) => `-----BEGIN ${name}-----\n${body}\n-----END ${name}-----`;

describe('a private key', () => {
  for (const name of [
    'PRIVATE KEY',
    'RSA PRIVATE KEY',
    'EC PRIVATE KEY',
    'OPENSSH PRIVATE KEY',
    'PGP PRIVATE KEY BLOCK',
  ]) {
    test(`is hidden with its lines ${name}, and the text around it is not`, () => {
      const text = `mode=fast\n${pem(name)}\n${pem('CERTIFICATE', 'public')}\n${pem(name)}\nend`;
      const hidden = redact(text);
      assert.equal(hidden.replace(/redacted:hmac-\w{12}/g, pem(name)), text);
      assert.ok(!hidden.includes(BODY));
      assert.equal(redact(text, WORK), hidden);
    });
  }

  test('is hidden in JSON in a string, with Windows line ends, and when its end is missing', () => {
    const json = redact(JSON.stringify({ key: `${pem('PRIVATE KEY')}\n`, mode: 'fast' }));
    assert.match(json, /^\{"key":"redacted:hmac-\w{12}\\n","mode":"fast"\}$/);
    assert.match(redact(`a ${pem('PRIVATE KEY').replaceAll('\n', '\r\n')} b`), /^a redacted:hmac-\w{12} b$/);
    assert.match(redact(`a -----BEGIN PRIVATE KEY-----\n${BODY}\n"quoted"`), /^a redacted:hmac-\w{12}$/);
  });

  test('is not seen in a public key, or where only its first line is named', () => {
    for (const text of [
      pem('PUBLIC KEY'),
      'grep -q "BEGIN PRIVATE KEY-----" && echo',
      `grep '-----BEGIN PRIVATE KEY-----' k`,
    ]) {
      assert.equal(redact(text), text);
    }
  });

  test('is found in linear time', () => {
    for (const text of [
      'PRIVATE KEY'.repeat(100_000),
      '-----BEGIN PRIVATE KEY-----\n'.repeat(40_000),
      pem('PRIVATE KEY').repeat(20_000),
    ]) {
      redact(text);
    }
  });
});
