import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRedactor } from './redact.ts';

const BODY = 'MIIEvc4n4ry';
const redactor = createRedactor({ envNames: [], paths: [] }, Buffer.alloc(32, 1));
const SETTINGS = { group: '', kind: 'ConfigMap', resource: 'configmaps', singular: 'configmap', shortNames: [] };
const POD = { group: '', kind: 'Pod', resource: 'pods', singular: 'pod', shortNames: [] };
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
      for (const kind of [WORK, POD]) assert.equal(redact(text, kind), hidden);
    });
  }

  test('is hidden in JSON in a string, with Windows line ends, and when its end is missing', () => {
    const json = redact(JSON.stringify({ key: `${pem('PRIVATE KEY')}\n`, mode: 'fast' }));
    assert.match(json, /^\{"key":"redacted:hmac-\w{12}\\n","mode":"fast"\}$/);
    assert.match(redact(`a ${pem('PRIVATE KEY').replaceAll('\n', '\r\n')} b`), /^a redacted:hmac-\w{12} b$/);
    assert.match(redact(`a -----BEGIN PRIVATE KEY-----\n${BODY}\n"quoted"`), /^a redacted:hmac-\w{12}$/);
  });

  test('is hidden in base64, in one line or in several, and a certificate beside it is not', () => {
    const encoded = (text: string) => Buffer.from(text).toString('base64');
    const certificate = encoded(pem('CERTIFICATE', 'public'));
    for (const name of ['PRIVATE KEY', 'EC PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'OPENSSH PRIVATE KEY']) {
      const key = encoded(`${pem(name, BODY.repeat(9))}\n`);
      const kubeconfig = (data: string) =>
        `client-certificate-data: ${certificate}\nclient-key-data: ${data}\nuser: ci\n`;
      const shown = kubeconfig('redacted:hmac-0').replace('hmac-0', String.raw`hmac-\w{12}`);
      assert.match(redact(kubeconfig(key)), new RegExp(`^${shown.replaceAll('+', String.raw`\+`)}$`));
      const wrapped = redact(kubeconfig(`|\n  ${key.replace(/.{64}/g, '$&\n  ')}`));
      assert.ok(!wrapped.includes(key.slice(64, 128)));
      assert.match(wrapped, /user: ci\n$/);
    }
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
      'LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t,'.repeat(30_000),
      pem('PRIVATE KEY').repeat(20_000),
    ]) {
      redact(text);
    }
  });
});
