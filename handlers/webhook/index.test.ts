import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../../src/change.ts';
import { codeOf } from '../../src/errors.ts';
import { changeOf } from '../../src/testing/change.ts';
import { problemsOf, testContext } from '../../src/testing/handler.ts';
import type { CapturedRequest, ReceiverAnswer } from '../../src/testing/receiver.ts';
import { connectedSink } from '../../src/testing/sink.ts';
import webhook from './index.ts';

const KEY = 'cluster-1|uid-1|updated:1|default/webhook';

const deployment = (replicas: number, extra: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', ...extra },
  spec: { replicas },
});
const scaled = changeOf({ before: deployment(1), after: deployment(3) });

const event = (message: string) =>
  changeOf({
    after: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'web-1.17a', namespace: 'shop' },
      involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
      reason: 'BackOff',
      message,
      count: 3,
    },
  });

const connected = (t: TestContext, options: object = {}, answer: ReceiverAnswer = {}) =>
  connectedSink(
    t,
    webhook,
    (url) => ({ url: `${url}/hook?x=1`, ...options }),
    () => answer,
  );

/** The one request that the change makes. */
async function requestOf(t: TestContext, options: object, change: Change = scaled): Promise<CapturedRequest> {
  const { server, sink } = await connected(t, options);
  await sink.deliver(change, testContext({ idempotencyKey: KEY }));
  assert.equal(server.requests.length, 1);
  assert.ok(server.requests[0]);
  return server.requests[0];
}

async function failureOf(t: TestContext, options: object, change: Change, answer?: ReceiverAnswer) {
  const { server, sink } = await connected(t, options, answer);
  const thrown: unknown = await sink.deliver(change, testContext()).then(
    () => assert.fail('it was delivered'),
    (failure: unknown) => failure,
  );
  assert.ok(thrown instanceof Error);
  return { requests: server.requests.length, code: codeOf(thrown), message: thrown.message };
}

describe('webhook: the body', () => {
  test('by default the change as JSON, its members in this order', async (t) => {
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

  test('manifests that are too long are left out, and named', async (t) => {
    const annotations = { long: 'x'.repeat(5_000) };
    const change = changeOf({ before: deployment(1), after: deployment(3, { annotations }) });
    const { body } = await requestOf(t, { maxBodyBytes: 2_000 }, change);
    const { omitted, before, after, key } = JSON.parse(body) as Record<string, unknown>;
    assert.deepEqual([omitted, before, after, key], [['before', 'after'], undefined, undefined, 'shop/web']);
  });

  test('a layout, with its types', async (t) => {
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

  test('a text of any content type', async (t) => {
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

  test('one of the user that is too long is a dead letter, and nothing is sent', async (t) => {
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
  test('are templates, override what is sent anyway, and each is sent once', async (t) => {
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

  test('with a line break from the cluster are refused, naming the header: nothing is sent', async (t) => {
    for (const message of ['a\r\nX-Admin: yes', 'a\nb', 'a\u0000b', 'a\u007fb']) {
      const failure = await failureOf(t, { headers: { 'X-Message': '{{ event.message }}' } }, event(message));
      assert.deepEqual([failure.requests, failure.code], [0, 'TERMINAL']);
      assert.match(failure.message, /^The template of headers\.X-Message gave a line break/);
    }
  });

  test('that cannot be rendered are a dead letter, never their raw text', async (t) => {
    const failure = await failureOf(t, { headers: { 'X-A': '{{ event.reason | append }}' } }, event('m'));
    assert.deepEqual([failure.requests, failure.code], [0, 'TERMINAL']);
    assert.match(failure.message, /^The template of headers\.X-A failed/);
  });
});

describe('webhook: CloudEvents', () => {
  const subject = '/apis/apps/v1/namespaces/shop/deployments/web';

  test('structured: one document, the body as data', async (t) => {
    const { headers, body } = await requestOf(t, {
      cloudEvents: 'structured',
      layout: { n: '{{ change.after.spec.replicas }}' },
    });
    assert.equal(headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    const { id, ...rest } = JSON.parse(body) as Record<string, unknown>;
    assert.match(String(id), /^msg_[\w-]{43}$/);
    assert.deepEqual(rest, {
      specversion: '1.0',
      source: '/clusters/test',
      type: 'io.github.watchchain.change.updated',
      subject,
      time: '2026-11-20T23:42:03.000Z',
      datacontenttype: 'application/json',
      data: { n: 3 },
    });
  });

  test('structured: a text is data as a string', async (t) => {
    const { body } = await requestOf(t, { cloudEvents: 'structured', body: 'a "text"' });
    const { data, datacontenttype } = JSON.parse(body) as Record<string, unknown>;
    assert.deepEqual([data, datacontenttype], ['a "text"', 'text/plain; charset=utf-8']);
  });

  test('binary: attributes as headers, percent-encoded; the body as it is', async (t) => {
    const change = { ...scaled, cluster: { id: 'c', name: 'größe "1"' }, name: 'a%b c' };
    const { headers, body } = await requestOf(t, { cloudEvents: 'binary', layout: { n: 1 } }, change);
    assert.equal(body, '{"n":1}');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['ce-specversion'], '1.0');
    assert.equal(headers['ce-source'], '/clusters/gr%25C3%25B6%25C3%259Fe%2520%25221%2522');
    assert.equal(headers['ce-subject'], '/apis/apps/v1/namespaces/shop/deployments/a%25b%20c');
  });

  test('source and id are the same for each attempt, and for no other change', async (t) => {
    const { server, sink } = await connected(t, { cloudEvents: 'binary' });
    for (const idempotencyKey of ['k1', 'k1', 'k2']) await sink.deliver(scaled, testContext({ idempotencyKey }));
    const [first, again, other] = server.requests.map(({ headers }) => headers['ce-id']);
    assert.equal(first, again);
    assert.notEqual(first, other);
  });
});

describe('webhook: batches', () => {
  const named = (name: string, extra: object = {}) =>
    changeOf({ after: { apiVersion: 'v1', kind: 'Pod', metadata: { name, ...extra } } });

  async function batchOf(t: TestContext, options: object) {
    const { server, sink } = await connected(t, { batch: true, ...options });
    return {
      server,
      sink,
      fits: (changes: readonly Change[]) => sink.fits?.(changes) ?? assert.fail('it takes no batches'),
      tell: (...changes: readonly Change[]) =>
        sink.deliverMany?.(changes, testContext({ idempotencyKey: KEY })) ?? assert.fail('it takes no batches'),
    };
  }

  test('are one JSON list in one request, and one change is a list of one', async (t) => {
    const { server, sink, tell } = await batchOf(t, { layout: { name: '{{ change.name }}' } });
    await tell(named('a'), named('b'));
    await sink.deliver(named('c'), testContext());
    const [both, one] = server.requests;
    assert.equal(both?.headers['content-type'], 'application/json');
    assert.equal(both?.headers['idempotency-key'], KEY);
    assert.deepEqual([both?.body, one?.body], ['[{"name":"a"},{"name":"b"}]', '[{"name":"c"}]']);
  });

  test('of CloudEvents have the batch format, each event under its own id', async (t) => {
    const { server, sink, tell } = await batchOf(t, {
      cloudEvents: 'structured',
      layout: { name: '{{ change.name }}' },
    });
    await tell(named('a', { uid: 'a' }), named('b', { uid: 'b' }));
    await sink.deliver(named('a', { uid: 'a' }), testContext());
    const [both, again] = server.requests;
    assert.equal(both?.headers['content-type'], 'application/cloudevents-batch+json; charset=utf-8');
    const ids = [both, again].map(({ body = '' } = assert.fail()) =>
      (JSON.parse(body) as { id: string }[]).map(({ id }) => id),
    );
    assert.equal(ids[0]?.length, 2);
    assert.deepEqual(ids[1], [ids[0]?.[0]]);
    assert.notEqual(ids[0]?.[0], ids[0]?.[1]);
  });

  test('hold what fits into maxBodyBytes, and what cannot be rendered stands alone', async (t) => {
    const annotations = { long: 'x'.repeat(400) };
    const layout = {
      name: '{{ change.name }}',
      long: '{{ change.object.metadata.annotations.long }}',
      odd: "{% if change.name == 'bad' %}{{ change.name | append }}{% endif %}",
    };
    const { server, fits, tell } = await batchOf(t, { layout, maxBodyBytes: 1_024 });
    const long = ['a', 'b', 'c'].map((name) => named(name, { annotations }));
    assert.equal(fits(long), 2);
    await tell(...long.slice(0, 2));
    assert.ok(Buffer.byteLength(server.requests[0]?.body ?? '') <= 1_024);
    assert.equal(fits([named('a'), named('bad'), named('c')]), 1);
    assert.equal(fits([named('bad'), named('c')]), 1);
    assert.equal(fits([named('a'), named('b')]), 2);
  });
});

/** A receiver in another language, with the algorithm written anew from the specification. */
const VERIFIER = `
import base64, hashlib, hmac, http.server, sys
KEYS = [base64.b64decode(secret.removeprefix("whsec_")) for secret in sys.argv[1:]]
class Verifier(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        given = [part.split(",", 1)[1] for part in self.headers["webhook-signature"].split(" ") if part.startswith("v1,")]
        wanted = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in KEYS]
        self.send_response(200 if any(hmac.compare_digest(a, b) for a in given for b in wanted) else 401)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Verifier)
print(server.server_address[1], flush=True)
server.serve_forever()
`;

describe('webhook: signatures', () => {
  const [old, current, unknown] = [1, 2, 3].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`);
  const python = spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is not installed';

  test('are verified by a receiver that knows one of the secrets, and by no other', { skip: python }, async (t) => {
    const verifier = spawn('python3', ['-c', VERIFIER, String(current)], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => verifier.kill());
    const [port] = (await once(createInterface({ input: verifier.stdout }), 'line')) as [string];
    const signedWith = async (secret: unknown) => {
      const { sink } = await connected(t, {
        url: `http://127.0.0.1:${port}/`,
        secret,
        body: 'größe {{ change.name }}',
      });
      return sink.deliver(scaled, testContext());
    };
    await signedWith(current);
    await signedWith([old, current]);
    await assert.rejects(signedWith(unknown), /answered 401/);
  });

  test('sign the document of a CloudEvent, under its id', async (t) => {
    const { headers, body } = await requestOf(t, { secret: current, cloudEvents: 'structured' });
    assert.equal((JSON.parse(body) as { readonly id: string }).id, headers['webhook-id']);
  });

  test('a header that the receiver echoes is not told', async (t) => {
    const headers = { Authorization: 'Bearer t0k3n-t0k3n', 'X-Kind': 'deployment' };
    const failure = await failureOf(t, { headers }, scaled, {
      status: 400,
      body: 'bad Bearer t0k3n-t0k3n, t0k3n-t0k3n deployment',
    });
    assert.match(failure.message, /answered 400: bad \*\*\*, \*\*\* deployment$/);
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

describe('webhook: mistakes in the configuration', () => {
  const url = 'https://hooks.example/x';
  for (const [given, problem] of [
    [{}, /^url: /],
    [{ url: 'ftp://x' }, /^url: must be an https:\/\/ or http:\/\/ URL/],
    [{ url, method: 'CONNECT' }, /^method: must not be CONNECT/],
    [{ url, method: 'PO ST' }, /^method: must be an HTTP method/],
    [
      { url, layout: { a: [{ b: '{{ chagne.name }}' }] } },
      /^layout\.a\.0\.b: must be a Liquid template: unknown name "chagne"/,
    ],
    [{ url, body: 'x', layout: {} }, /^body: must not be given together with layout/],
    [{ url, headers: { 'X A': 'x' } }, /^headers\.X A: must be the name of a header/],
    [{ url, headers: { 'Content-Length': '5' } }, /^headers\.Content-Length: must not be set/],
    [{ url, headers: { 'x-a': '1', 'X-A': '2' } }, /^headers\.X-A: must be given once/],
    [{ url, headers: { 'X-A': '{{ x' } }, /^headers\.X-A: must be a Liquid template/],
    [{ url, cloudEvents: 'batch' }, /^cloudEvents: /],
    [{ url, batch: true, body: 'x' }, /^body: must not be given together with batch/],
    [{ url, batch: true, cloudEvents: 'binary' }, /^cloudEvents: must be "structured" with batch/],
    [{ url, batch: true, headers: { 'X-A': '{{ change.name }}' } }, /^headers\.X-A: must not be a template with batch/],
    [{ url, secret: 'short' }, /^secret: /],
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
