/** The less obvious places of secrets; for the plain ones see `redact.test.ts`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nameMatcher, SECRET_ENV_NAMES } from './name-matcher.ts';
import { createRedactor } from './redact.ts';

const CANARY = 'hunter2-canary';
const kind = (name: string) => ({
  group: '',
  kind: name,
  resource: `${name.toLowerCase()}s`,
  singular: name.toLowerCase(),
  shortNames: [],
});

function redact(object: object, of = 'ConfigMap'): string {
  const redactor = createRedactor({ envNames: ['password', 'token'], paths: [] }, Buffer.alloc(32, 1));
  const once = redactor.forKind(kind(of))(Buffer.from(JSON.stringify(object)));
  assert.equal(redactor.forKind(kind(of))(once), once, 'redacting twice changes nothing');
  return once.toString();
}

describe('findSecretValues()', () => {
  const copies = {
    'example.com/json': `{"data":{"a":"${CANARY}"}}`,
    'example.com/yaml': `kind: Secret\nstringData:\n  a: ${CANARY}`,
    'example.com/quoted': `---\n"stringData":\n  "a": ${CANARY}`,
    'example.com/edits': `[{"type":"replace","path":"/data/a","value":"${CANARY}"}]`,
    'example.com/encoded': `eyJkYXRh${CANARY}`,
    'example.com/packed': `H4sIAAAA${CANARY}`,
  };
  for (const [annotation, value] of Object.entries(copies)) {
    test(`hides the copy of a Secret in ${annotation}, and no other annotation`, () => {
      const annotations = { [annotation]: value, 'example.com/owner': 'shop' };
      const text = redact({ metadata: { annotations } }, 'Secret');
      assert.ok(!text.includes(CANARY));
      assert.ok(text.includes('"example.com/owner":"shop"'));
      assert.ok(redact({ metadata: { annotations } }).includes(CANARY), 'of another kind it stays');
    });
  }
});

describe('findLastApplied()', () => {
  for (const annotation of [
    'kubectl.kubernetes.io/last-applied-configuration',
    'kapp.k14s.io/original',
    'kapp.k14s.io/original-diff',
    'objectset.rio.cattle.io/applied',
    'kopf.zalando.org/last-handled-configuration',
  ]) {
    test(`hides ${annotation}, which repeats a hidden variable`, () => {
      const env = [{ name: 'DB_PASSWORD', value: CANARY }];
      const annotations = { [annotation]: JSON.stringify({ spec: { env } }), 'example.com/owner': 'shop' };
      const text = redact({ metadata: { annotations }, spec: { env } }, 'Deployment');
      assert.ok(!text.includes(CANARY), text);
      assert.ok(text.includes('"example.com/owner":"shop"'));
    });
  }
});

describe('findEnvValues()', () => {
  test('hides by name in a map too, and leaves values that are not text', () => {
    const text = redact({ spec: { values: { env: { DB_PASSWORD: CANARY, MODE: 'fast', tokenFrom: { key: 'a' } } } } });
    assert.match(text, /"env":\{"DB_PASSWORD":"redacted:hmac-\w+","MODE":"fast","tokenFrom":\{"key":"a"\}\}/);
  });

  test('hides in every container of a template, at any depth, and leaves references', () => {
    const env = [
      { name: 'API_TOKEN', value: CANARY },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
    ];
    const spec = { initContainers: [{ env }], containers: [{ env }], ephemeralContainers: [{ env }] };
    const cronJob = { spec: { jobTemplate: { spec: { template: { spec } } } } };
    const text = redact(cronJob, 'CronJob');
    assert.ok(!text.includes(CANARY));
    assert.equal(text.split('"key":"password"').length, 4);
  });
});

test('SECRET_ENV_NAMES match the usual names of secrets, and no harmless ones', () => {
  const isSecret = nameMatcher(SECRET_ENV_NAMES);
  const usual =
    'DB_PASSWORD PGPASSWORD MYSQL_PWD SMTP_PASS DBPASS RABBITMQ_DEFAULT_PASS GITHUB_TOKEN api-key APIKEY AWS_SECRET_ACCESS_KEY ' +
    'RAILS_MASTER_KEY TS_AUTHKEY STORAGE_ACCOUNT_KEY ConnectionStrings__Default AZURE_STORAGE_CONNECTION_STRING ' +
    'SSH_KEY GIT_SSH_KEY_B64 DEPLOY_PRIVATE_KEY JWT USER_JWT_2 JWT_KEY DB_CREDS GCP_CREDENTIALS_JSON GPG_PASSPHRASE MYSQL_DSN ' +
    'sentryDsn api_key ACCESS_KEY GITHUB_PAT BASIC_AUTH DOCKER_AUTH_CONFIG SLACK_WEBHOOK_URL DD_APP_KEY NEW_RELIC_LICENSE_KEY ' +
    'AIRFLOW__CORE__FERNET_KEY SESSION_KEYS DB_CONN_STR';
  const harmless =
    'BYPASS_CACHE COMPASS_URL PASSENGER_APP_ENV KEY LOG_LEVEL CONNECTIONS AUTHOR ACCOUNT JWT_ISSUER JWT_AUDIENCE KEY_ID PUBLIC_KEY ' +
    'JWT_PUBLIC_KEY SSH_PUBLIC_KEY SSH_KEY_PATH TLS_KEY CREDIT_LIMIT SACRED PATH PATTERN FILE_PATH ENABLE_WEBHOOKS WEBHOOK_PORT ' +
    'BASIC_AUTH_ENABLED APP_KEYSPACE SERVICE_KEYWORD PARTITION_KEY SORT_KEY ROUTING_KEY DSN_TIMEOUT';
  assert.deepEqual(
    usual.split(' ').filter((name) => !isSecret(name)),
    [],
  );
  assert.deepEqual(harmless.split(' ').filter(isSecret), []);
});

describe('findUrlPasswords()', () => {
  for (const url of [
    `https://${CANARY}@git.example/a.git`,
    `https://${CANARY}:@api.example/v1`,
    `http://${CANARY}:x-oauth-basic@git.example/a.git`,
    `https://user:p:${CANARY}@host`,
    `"{\\"url\\":\\"https://u:${CANARY}@h\\"}"`,
  ]) {
    test(`hides the credential in ${url.replace(CANARY, 'SECRET')}`, () => {
      assert.ok(!redact({ args: [url] }).includes(CANARY));
    });
  }

  // Go escapes &, < and > in JSON, PHP each slash.
  const encoders = {
    Go: (value: unknown) => JSON.stringify(value).replaceAll('&', '\\u0026'),
    PHP: (value: unknown) => JSON.stringify(value).replaceAll('/', '\\/'),
  };
  for (const [writer, encode] of Object.entries(encoders)) {
    test(`hides the credential in JSON written by ${writer} in a string, also when nested twice`, () => {
      const inner = encode({ url: `https://u:a&${CANARY}&b@host/x`, token: `https://${CANARY}@host/x` });
      for (const text of [inner, encode({ inner })]) assert.ok(!redact({ data: { text } }).includes(CANARY), text);
    });
  }

  test('leaves a user name that is not a credential', () => {
    for (const url of ['ssh://git@github.com/a/b', 'https://host/path@2', 'git://me@host']) {
      assert.ok(redact({ url }).includes(url));
    }
  });
});
