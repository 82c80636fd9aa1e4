/** Secrets in what custom resources carry: whole Secrets, and variables under any name. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../json.ts';
import { createRedactor } from './redact.ts';
import { ScanError } from './scan.ts';

const CANARY = 'c4n4ry';
const MASK = /redacted:hmac-[0-9a-f]{12}/g;
const redactor = createRedactor({ envNames: ['password', 'token'], paths: [] }, Buffer.alloc(32, 1));

function redactAs(group: string, kind: string, text: string): string {
  const names = { resource: `${kind.toLowerCase()}s`, singular: kind.toLowerCase(), shortNames: [] };
  const redact = redactor.forKind({ group, kind, ...names });
  const once = redact(Buffer.from(text));
  assert.equal(redact(once), once, 'redacting twice changes nothing');
  return once.toString();
}

function redact(object: JsonObject): string {
  return redactAs('example.com', 'Bundle', JSON.stringify(object));
}

const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'db', annotations: { 'example.com/copy': `{"data":{"a":"${CANARY}"}}` } },
  data: { password: CANARY },
  stringData: { user: CANARY },
  type: 'Opaque',
};
const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { mode: 'fast' } };

describe('a Secret within another object', () => {
  const carriers: Readonly<Record<string, JsonObject>> = {
    List: { kind: 'List', items: [configMap, secret] },
    ManifestWork: { kind: 'ManifestWork', spec: { workload: { manifests: [configMap, secret] } } },
    Template: { kind: 'Template', objects: [configMap, secret], parameters: [] },
    Object: {
      kind: 'Object',
      spec: { forProvider: { manifest: secret } },
      status: { atProvider: { manifest: configMap } },
    },
    ClusterResourceSetBinding: { spec: { bindings: [{ resources: [{ object: secret, also: configMap }] }] } },
  };
  for (const [kind, object] of Object.entries(carriers)) {
    test(`is hidden in a ${kind}, and nothing else is`, () => {
      const text = redact(object);
      assert.ok(!text.includes(CANARY), text);
      assert.equal(text.match(MASK)?.length, 3);
      assert.equal(
        text.replace(MASK, CANARY),
        JSON.stringify(object).replace(JSON.stringify(secret.metadata.annotations['example.com/copy']), `"${CANARY}"`),
      );
      assert.match(text, /"mode":"fast"/);
    });
  }

  test('is hidden in a ControllerRevision, which any controller may fill', () => {
    const text = redactAs(
      'apps',
      'ControllerRevision',
      JSON.stringify({ kind: 'ControllerRevision', data: { spec: secret } }),
    );
    assert.ok(!text.includes(CANARY));
  });

  test('is hidden whatever the order of its members and the white space between them', () => {
    const text = redactAs(
      'example.com',
      'Bundle',
      `{ "spec" : [ { "stringData" : { "a" : "${CANARY}" } , "kind" : "Secret" } ] }`,
    );
    assert.match(
      text,
      /^\{ "spec" : \[ \{ "stringData" : \{ "a" : "redacted:hmac-\w+" \} , "kind" : "Secret" \} \] \}$/,
    );
  });

  test('gets the masks that it has as an object of its own', () => {
    const own = redactAs('', 'Secret', JSON.stringify(secret));
    assert.deepEqual((JSON.parse(redact({ manifest: secret })) as JsonObject)['manifest'], JSON.parse(own));
  });

  test('is left alone where it is only named, or looks like one in a text', () => {
    for (const object of [
      { spec: { valuesFrom: [{ kind: 'Secret', name: 'db', valuesKey: 'password' }] } },
      { spec: { refs: [{ kind: 'Secret', name: 'db' }, { data: { a: 'b' } }], kind: 'Secret ' } },
      { spec: { script: '{"kind":"Secret","data":{"a":"b"}}' } },
      { kind: 'Secret', apiVersion: 'example.com/v1', data: { a: 'b' } },
    ]) {
      assert.equal(redact(object), JSON.stringify(object));
    }
  });
});

describe('variables in a custom resource', () => {
  for (const field of ['env', 'extraEnv', 'extraEnvVars', 'envVars', 'env_vars', 'environment', 'parameters']) {
    test(`are hidden by name in the list ${field}`, () => {
      const list = [
        { name: 'DB_PASSWORD', value: CANARY },
        { value: CANARY, secure: true, name: 'API_TOKEN' },
        { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } },
        { name: 'MODE', value: 'fast' },
        { name: 'PASSWORD', value: null },
      ];
      const text = redact({ spec: { [field]: list } });
      assert.equal(text.replace(MASK, CANARY), JSON.stringify({ spec: { [field]: list } }));
      assert.equal(text.match(MASK)?.length, 2);
    });
  }

  for (const field of ['extraEnv', 'envVars', 'environment', 'environmentVariables', 'app.env']) {
    test(`are hidden by name in the map ${field}, itself or with a value each`, () => {
      const map = {
        DB_PASSWORD: CANARY,
        MODE: 'fast',
        API_TOKEN: { value: CANARY, name: 'x' },
        TOKEN: { secretKeyRef: {} },
      };
      const text = redact({ spec: { [field]: map } });
      assert.equal(text.replace(MASK, CANARY), JSON.stringify({ spec: { [field]: map } }));
      assert.equal(text.match(MASK)?.length, 2);
    });
  }

  test('are not looked for in maps of another name', () => {
    for (const field of ['envoy', 'envFrom', 'settings', 'inventory']) {
      const object = { spec: { [field]: { token: 'a', passwordSecret: { name: 'db' } } } };
      assert.equal(redact(object), JSON.stringify(object));
    }
  });
});

test('time stays linear with hostile nesting, and the innermost Secret is hidden', () => {
  const nested = (open: string, inner: string, close: string) => `${open.repeat(5_000)}${inner}${close.repeat(5_000)}`;
  for (const text of [
    nested('{"kind":"Secret","a":', `{"kind":"Secret","data":{"a":"${CANARY}"}}`, '}'),
    nested('{"a":', `{"kind":"Secret","data":{"a":"${CANARY}"}}`, ',"kind":"Secret"}'),
    nested('{"name":"token","value":', `"${CANARY}"`, '}'),
    nested('[{"extraEnv":{"token":', `{"value":"${CANARY}"}`, '}}]'),
  ]) {
    assert.ok(!redactAs('example.com', 'Bundle', text).includes(CANARY));
  }
});

test('broken bytes are refused', () => {
  for (const text of ['{"a":{"kind":"Secret","data":{"a":"x"}}', '{"a":[{"name":"a","value":"x"}]}}', '{"env":"x']) {
    assert.throws(() => redactAs('example.com', 'Bundle', text), ScanError, text);
  }
});
