import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SinkInstance } from '../../src/chain/handler.ts';
import { changeOf } from '../../src/testing/change.ts';
import { problemsOf, testContext, testEnvironment } from '../../src/testing/handler.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import { receiversFor } from '../../src/testing/test-sink.ts';
import { connected, deployment, event, failureOf, KEY, requestOf, scaled } from '../../src/testing/test-webhook.ts';
import webhook from './index.ts';

describe('webhook: the body', () => {
  test('is the change as JSON by default, with its members in a fixed order', async (t) => {
    const { method, path, headers, body } = await requestOf(t, {});
    assert.equal(`${method} ${path}`, 'POST /hook?x=1');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['idempotency-key'], KEY);
    assert.deepEqual(Object.entries(JSON.parse(body) as object), [
      ['headline', 'deployment shop/web updated'],
      ['id', 1],
      ['time', '2026-11-20T23:42:03.000Z'],
      ['cluster', 'test'],
      ['action', 'updated'],
      ['apiVersion', 'apps/v1'],
      ['kind', 'Deployment'],
      ['key', 'shop/web'],
      ['namespace', 'shop'],
      ['name', 'web'],
      ['uid', 'uid-1'],
      ['resourceVersion', '1'],
      ['by', []],
      ['flags', []],
      ['before', deployment(1)],
      ['after', deployment(3)],
    ]);
  });

  test('omits manifests that are too long, and names them', async (t) => {
    const annotations = { long: 'x'.repeat(5_000) };
    const change = changeOf({ before: deployment(1), after: deployment(3, { annotations }) });
    const { body } = await requestOf(t, { maxBodyBytes: 2_000 }, change);
    const { omitted, before, after, key } = JSON.parse(body) as Record<string, unknown>;
    assert.deepEqual([omitted, before, after, key], [['before', 'after'], undefined, undefined, 'shop/web']);
  });

  test('can be a layout, which keeps the types of its values', async (t) => {
    const layout = {
      text: '{{ event.reason }}: {{ event.message }}',
      count: '{{ event.count }}',
      host: '{{ event.host }}',
      v: 5,
    };
    const { headers, body } = await requestOf(t, { layout }, event('a "quote"\n<&>'));
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(body, '{"text":"BackOff: a \\"quote\\"\\n<&>","count":3,"v":5}');
  });

  test('has no half of a surrogate pair, as in a note that a handler cut inside an emoji: Loki refuses one', async (t) => {
    const change = event(`${'😀'.slice(0, 1)} 😀`);
    const { body } = await requestOf(t, { layout: { text: '{{ event.message }}', n: 1 } }, change);
    assert.deepEqual(JSON.parse(body), { text: '\ufffd 😀', n: 1 });
    const whole = await requestOf(t, {}, change);
    assert.ok(whole.body.includes('"\ufffd 😀"'));
  });

  test('can be a text of any content type', async (t) => {
    const options = {
      method: 'put',
      body: 'scaled to {{ change.after.spec.replicas }} → ok',
      headers: { 'CONTENT-TYPE': 'text/markdown' },
    };
    const { method, headers, body } = await requestOf(t, options);
    assert.equal(method, 'PUT');
    assert.equal(headers['content-type'], 'text/markdown');
    assert.equal(body, 'scaled to 3 → ok');
  });

  test('is terminal when a custom one exceeds maxBodyBytes, and nothing is sent', async (t) => {
    const failure = await failureOf(
      t,
      { layout: { text: '{{ event.message }}' }, maxBodyBytes: 1_024 },
      event('é'.repeat(600)),
    );
    assert.deepEqual([failure.requests, failure.code], [0, 'TERMINAL']);
    assert.match(failure.message, /^The body has 1211 bytes, more than maxBodyBytes \(1024\)/);
  });
});

describe('webhook: headers', () => {
  test('are templates, override the default ones, and are not sent twice', async (t) => {
    const { server, sink } = await connected(t, {
      headers: {
        'content-TYPE': 'application/vnd.x+json',
        'X-Reason': '{{ event.reason }}',
        'X-Message': '{{ event.message }}',
        'User-Agent': 'mine',
      },
    });
    await sink.deliver(event('größer'), testContext());
    const { headers } = server.requests[0] ?? assert.fail();
    assert.equal(headers['content-type'], 'application/vnd.x+json');
    assert.equal(headers['x-reason'], 'BackOff');
    assert.equal(Buffer.from(String(headers['x-message']), 'latin1').toString('utf8'), 'größer');
    assert.equal(headers['user-agent'], 'mine');
  });

  test('that yield nothing are left out, as some servers refuse an empty one; the default stays', async (t) => {
    const headers = { 'X-Tenant': '{{ event.host }}', 'X-Blank': ' ', 'Content-Type': '{{ event.host }}' };
    const { headers: sent } = await requestOf(t, { headers }, event('m'));
    assert.deepEqual(
      Object.keys(sent).filter((name) => name.startsWith('x-')),
      [],
    );
    assert.equal(sent['content-type'], 'application/json');
  });

  test('with a line break from the cluster are refused, naming the header: nothing is sent', async (t) => {
    for (const message of ['a\r\nX-Admin: yes', 'a\nb', 'a\u0000b', 'a\u007fb']) {
      const failure = await failureOf(t, { headers: { 'X-Message': '{{ event.message }}' } }, event(message));
      assert.deepEqual([failure.requests, failure.code], [0, 'TERMINAL']);
      assert.match(failure.message, /^The template of headers\.X-Message yields a line break/);
    }
  });

  test('that cannot be rendered are terminal, and nothing is sent', async (t) => {
    const failure = await failureOf(t, { headers: { 'X-A': '{{ event.reason | append }}' } }, event('m'));
    assert.deepEqual([failure.requests, failure.code], [0, 'TERMINAL']);
    assert.match(failure.message, /^The template of headers\.X-A failed/);
  });
});

describe('webhook: answers', () => {
  for (const [status, code] of [
    [200, undefined],
    [204, undefined],
    [413, 'TERMINAL'],
    [400, 'TERMINAL'],
    [302, 'TERMINAL'],
    [429, 'DEFER'],
  ] as const) {
    test(`${status} ${code ?? 'is delivered'}`, async (t) => {
      if (code !== undefined) return assert.equal((await failureOf(t, {}, scaled, { status })).code, code);
      const { sink } = await connected(t, {}, { status });
      await sink.deliver(scaled, testContext());
    });
  }
});

test('webhook: a refused token in a header holds up no sink with another one, as after a reload', async (t) => {
  const receivers = receiversFor(t);
  const server = await startReceiver(({ headers }) => ({ status: headers.authorization === 'Bearer new' ? 200 : 401 }));
  t.after(() => server.close());
  const sinkWith = (token: string): SinkInstance => {
    assert.equal(webhook.type, 'sink');
    const options = webhook.options.parse({ url: server.url, headers: { Authorization: `Bearer ${token}` } });
    return webhook.create(options, testEnvironment({ receivers }));
  };
  const before = sinkWith('old');
  for (let n = 0; n < 6; n++) await assert.rejects(before.deliver(scaled, testContext()));
  assert.equal(server.requests.length, 5, 'the breaker is open');
  await before.stop?.();
  await sinkWith('new').deliver(scaled, testContext());
});

describe('webhook: the option accepted', () => {
  const accepted = '"errcode":\\s*0\\b';

  test('delivers when the answer matches', async (t) => {
    const { sink } = await connected(t, { accepted }, { body: '{"errcode": 0,"errmsg":"ok"}' });
    await sink.deliver(scaled, testContext());
  });

  for (const body of ['{"errcode":310000,"errmsg":"keywords not in content, /hook?x=1"}', ''])
    test(`is a failed attempt when the answer is ${body || 'empty'}`, async (t) => {
      const failure = await failureOf(t, { accepted }, scaled, { body });
      assert.deepEqual([failure.requests, failure.code], [1, undefined]);
      const wanted =
        /^default\/test \(127\.0\.0\.1:\d+\) answered 200, and did not accept the message: wanted "errcode":/;
      assert.match(failure.message, wanted);
      assert.match(failure.message, body === '' ? /, got nothing$/ : /, got \{"errcode":310000,/);
      assert.doesNotMatch(failure.message, /x=1/);
    });

  test('is a failed attempt when the answer is truncated', async (t) => {
    const raw = 'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"errmsg":';
    assert.equal((await failureOf(t, { accepted }, scaled, { raw })).code, undefined);
  });
});

describe('webhook: mistakes in the configuration', () => {
  const url = 'https://hooks.example/x';
  for (const [given, problem] of [
    [{}, /^url: /],
    [{ url: 'ftp://x' }, /^url: must be an https:\/\/ or http:\/\/ URL/],
    [{ url: 'https://x/{{ change.namespace }}' }, /^url: must not contain a template/],
    [{ url, method: 'CONNECT' }, /^method: must not be CONNECT/],
    [{ url, method: 'PO ST' }, /^method: must be an HTTP method/],
    [
      { url, layout: { a: [{ b: '{{ chagne.name }}' }] } },
      /^layout\.a\.0\.b: must be a Liquid template: unknown name "chagne"/,
    ],
    [{ url, body: 'x', layout: {} }, /^body: cannot be combined with layout/],
    [{ url, headers: { 'X A': 'x' } }, /^headers\.X A: must be the name of a header/],
    [{ url, headers: { 'Content-Length': '5' } }, /^headers\.Content-Length: must not be set/],
    [{ url, headers: { 'x-a': '1', 'X-A': '2' } }, /^headers\.X-A: must be set once/],
    [{ url, headers: { 'X-A': '{{ x' } }, /^headers\.X-A: must be a Liquid template/],
    [{ url, cloudEvents: 'batch' }, /^cloudEvents: /],
    [{ url, batch: true, body: 'x' }, /^body: cannot be combined with batch/],
    [{ url, batch: true, cloudEvents: 'binary' }, /^cloudEvents: must be "structured" with batch/],
    [{ url, batch: true, headers: { 'X-A': '{{ change.name }}' } }, /^headers\.X-A: must not be a template with batch/],
    [{ url, batch: true, path: ['x', '{{ change.name }}'] }, /^path\.1: must not be a template with batch/],
    [{ url, batch: true, query: { a: '{{ change.name }}' } }, /^query\.a: must not be a template with batch/],
    [{ url, path: ['v2', '..'] }, /^path\.1: must be a segment of a path: this one is "\." or "\.\."/],
    [{ url, path: [''] }, /^path\.0: must be a segment of a path: this one is empty$/],
    [{ url, query: { a: '{{ chagne.name }}' } }, /^query\.a: must be a Liquid template: unknown name "chagne"/],
    [{ url, secret: 'short' }, /^secret: /],
    [{ url, accepted: '(' }, /^accepted: /],
    [{ url, verdict: true, accepted: 'ok' }, /^accepted: cannot be combined with verdict/],
    [{ url, allowAddresses: ['localhost'] }, /^allowAddresses\.0: must be an IP address or a range/],
    [{ url, allowAddresses: ['10.0.0.0/33'] }, /^allowAddresses\.0: must be an IP address or a range/],
    [{ url, tls: { certFile: '/etc/hostname' } }, /^tls\.keyFile: is missing: certFile needs it/],
    [{ url, tls: { caFile: '/no/such/ca.crt' } }, /^tls\.caFile: cannot be read \(ENOENT\)$/],
  ] as const) {
    test(String(problem), () => {
      const problems = problemsOf(webhook, given);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', problem);
    });
  }
});
