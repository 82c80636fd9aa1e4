import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createLogger } from 'winston';
import { startApiServer } from '../testing/api-server.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { clientOf } from '../testing/test-source.ts';
import { createEvidence } from './cluster-evidence.ts';
import { redactText } from './redact-text.ts';

const LOG = '/api/v1/namespaces/shop/pods/web-1/log';
const EVENTS = '/api/v1/namespaces/shop/events';
const { signal } = new AbortController();

async function rig(t: TestContext) {
  const server = await startApiServer();
  const api = clientOf(server);
  const clock = new FakeClock();
  t.after(async () => {
    await api.close();
    await server.close();
  });
  const store = { history: () => Promise.resolve([]), baseline: () => Promise.resolve(undefined) };
  const secretNames = ['passw|token'];
  const log = createLogger({ silent: true });
  const evidence = createEvidence({ api, store, clock, log, secretNames: () => secretNames });
  const asked = (path: string) => server.requests.filter((request) => request.path === path);
  return { server, clock, evidence, asked };
}

const container = { namespace: 'shop', pod: 'web-1', container: 'web', previous: true, lines: 20 };

describe('eventsOf()', () => {
  const event = (name: string, uid: string, lastTimestamp: string) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: 'shop' },
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1', uid },
    type: 'Warning',
    reason: name,
    message: 'cannot log in with password=hunter22',
    lastTimestamp,
    count: 3,
  });

  test('returns the last Events of exactly this object, newest last, without secrets', async (t) => {
    const { server, evidence } = await rig(t);
    server.create(event('BackOff', 'uid-1', '2026-01-01T00:00:03Z'));
    server.create(event('Scheduled', 'uid-1', '2026-01-01T00:00:01Z'));
    server.create(event('Pulling', 'uid-1', '2026-01-01T00:00:02Z'));
    server.create(event('other', 'uid-2', '2026-01-01T00:00:04Z'));
    const events = await evidence.eventsOf({ namespace: 'shop', uid: 'uid-1' }, 2, signal);
    assert.deepEqual(
      events.map(({ reason }) => reason),
      ['Pulling', 'BackOff'],
    );
    assert.deepEqual(events[1], {
      time: '2026-01-01T00:00:03.000Z',
      type: 'Warning',
      reason: 'BackOff',
      message: 'cannot log in with password=***',
      count: 3,
    });
  });

  test('cuts a long message without showing part of a secret', async (t) => {
    const { server, evidence } = await rig(t);
    const message = `${'x'.repeat(1_000)} https://app:hunter22-hunter22@registry.example/`;
    server.create({ ...event('long', 'uid-1', '2026-01-01T00:00:01Z'), message });
    const [line] = await evidence.eventsOf({ namespace: 'shop', uid: 'uid-1' }, 1, signal);
    assert.equal(line?.message, `${'x'.repeat(1_000)} https://***@registry.ex`);
  });

  test('does not cut a long message inside a character', async (t) => {
    const { server, evidence } = await rig(t);
    const message = `${'x'.repeat(1_023)}😀 and more`;
    server.create({ ...event('long', 'uid-1', '2026-01-01T00:00:01Z'), message });
    const [line] = await evidence.eventsOf({ namespace: 'shop', uid: 'uid-1' }, 1, signal);
    assert.equal(line?.message, 'x'.repeat(1_023));
  });

  test('returns nothing for a failing or invalid answer', async (t) => {
    const { server, evidence } = await rig(t);
    const one = { namespace: 'shop', uid: 'uid-1' };
    server.fault({ effect: 'status', status: 500, path: EVENTS, times: 1 });
    assert.deepEqual(await evidence.eventsOf(one, 5, signal), []);
    server.fault({ effect: 'contentType', contentType: 'text/html', body: '<html>', path: EVENTS, times: 1 });
    assert.deepEqual(await evidence.eventsOf(one, 5, signal), []);
    await server.close();
    assert.deepEqual(await evidence.eventsOf(one, 5, signal), []);
  });
});

describe('logTail()', () => {
  test('requests the last lines of the previous container, and returns them without secrets', async (t) => {
    const { server, evidence, asked } = await rig(t);
    const body = `listening\npanic: TOKEN=abc123 refused\n`;
    server.fault({ effect: 'contentType', contentType: 'text/plain', body, path: LOG });
    assert.equal(await evidence.logTail(container, signal), 'listening\npanic: TOKEN=*** refused');
    const query = Object.fromEntries(asked(LOG)[0]?.query ?? []);
    assert.deepEqual(query, { container: 'web', previous: 'true', tailLines: '20', limitBytes: '131072' });
  });

  test('keeps the end of a long log, in whole lines', async (t) => {
    const { server, evidence } = await rig(t);
    const lines = Array.from({ length: 20 }, (_, n) => `line ${n} ${'é'.repeat(1_000)}`);
    server.fault({ effect: 'contentType', contentType: 'text/plain', body: lines.join('\n'), path: LOG });
    assert.equal(await evidence.logTail(container, signal), lines.slice(-8).join('\n'));
  });

  test('keeps the end of a line that is longer than all it may return', async (t) => {
    const { server, evidence } = await rig(t);
    const body = `x${'é'.repeat(20_000)}`;
    server.fault({ effect: 'contentType', contentType: 'text/plain', body: `${body}y`, path: LOG });
    assert.equal(await evidence.logTail(container, signal), `${'é'.repeat(8_191)}y`);
  });

  test('returns undefined for a container that printed nothing', async (t) => {
    const { server, evidence } = await rig(t);
    server.fault({ effect: 'contentType', contentType: 'text/plain', body: '\n', path: LOG });
    assert.equal(await evidence.logTail(container, signal), undefined);
  });

  test('does not ask again for ten minutes after a 403', async (t) => {
    const { server, clock, evidence, asked } = await rig(t);
    server.fault({ effect: 'status', status: 403, path: LOG });
    assert.equal(await evidence.logTail(container, signal), undefined);
    assert.equal(await evidence.logTail(container, signal), undefined);
    assert.equal(asked(LOG).length, 1);
    await clock.advance(600_000);
    await evidence.logTail(container, signal);
    assert.equal(asked(LOG).length, 2);
  });

  test('limits a storm to 40 requests at once, then 10 per second', async (t) => {
    const { clock, evidence, asked } = await rig(t);
    await Promise.all(Array.from({ length: 100 }, () => evidence.logTail(container, signal)));
    assert.equal(asked(LOG).length, 40);
    await clock.advance(1_000);
    await Promise.all(Array.from({ length: 100 }, () => evidence.logTail(container, signal)));
    assert.equal(asked(LOG).length, 50);
  });
});

describe('redactText()', () => {
  const isSecretName = (name: string) => /passw|token|secret/i.test(name);
  const cases: readonly (readonly [string, string])[] = [
    ['PASSWORD=hunter22 retrying', 'PASSWORD=*** retrying'],
    ['{"token": "a b\\"c", "user": "ada"}', '{"token": ***, "user": "ada"}'],
    ["secret: 'two words' next", 'secret: *** next'],
    ['password="a token=b hunter22"', 'password=***'],
    ['dial postgres://app:p@ss@db:5432/shop', 'dial postgres://***@db:5432/shop'],
    ['Authorization: Bearer abcdef0123456789', 'Authorization: Bearer ***'],
    ['X-Auth-Token: Bearer abcdef0123456789 sent', 'X-Auth-Token: *** sent'],
    ['token=basic YWRhOmh1bnRlcjIy, next', 'token=***, next'],
    ['jwt eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.sig', 'jwt ***'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nbye', '***\nbye'],
    ['-----BEGIN PRIVATE KEY-----\nMIIE, cut off', '***'],
    ['MIIE\nAbC=\n-----END RSA PRIVATE KEY-----\nbye', '***\nbye'],
    ['-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOY\n-----END PGP PRIVATE KEY BLOCK-----\nbye', '***\nbye'],
    ['key AKIAABCDEFGHIJKLMNOP', 'key ***'],
    ['args: --db-password=hunter22 --port=80', 'args: --db-password=*** --port=80'],
    ['{"log":"{\\"token\\":\\"a b\\",\\"user\\":\\"ada\\"}"}', '{"log":"{\\"token\\":***,\\"user\\":\\"ada\\"}"}'],
    ['{"password"=>"hunter22", "user"=>"ada"}', '{"password"=>***, "user"=>"ada"}'],
    ['\x1b[36mpassword\x1b[0m=hunter22 \x1b[36muser\x1b[0m=ada', 'password=*** user=ada'],
    ['\x1b[36mtoken=\x1b[0mhunter22', 'token=***'],
    ['dsn "https:\\/\\/app:hunter22@db\\/shop"', 'dsn "https:\\/\\/***@db\\/shop"'],
    ['GET https://example.test/path 500 in 3ms', 'GET https://example.test/path 500 in 3ms'],
    ['level=info msg="all is well"', 'level=info msg="all is well"'],
  ];
  for (const [given, wanted] of cases) {
    test(JSON.stringify(given), () => assert.equal(redactText(given, isSecretName), wanted));
  }

  test('matches the name of a header like that of a variable', () => {
    const isKey = (name: string) => /api_?key/i.test(name);
    assert.equal(redactText('X-Api-Key: hunter22', isKey), 'X-Api-Key: ***');
  });
});
