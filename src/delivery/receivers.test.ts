import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { describe, test, type TestContext } from 'node:test';
import { IncomingWebhook } from '@slack/webhook';
import { createLogger } from 'winston';
import { codeOf, RetryAfterError, TerminalError } from '../errors.ts';
import { createMetrics } from '../metrics.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { listening, tunnelTo } from '../testing/listening.ts';
import { logInto } from '../testing/log-into.ts';
import { startReceiver, type ReceiverAnswer } from '../testing/receiver.ts';
import { originalError } from './fetch-adapter.ts';
import type { Receiver, ReceiverOptions } from './receiver.ts';
import { createReceivers } from './receivers.ts';

const SECRET = 'XXXXSECRETXXXX';

interface Setup {
  readonly clock: FakeClock;
  readonly receiver: (url: string, options?: Partial<ReceiverOptions>) => Receiver;
}

function setUp(t: TestContext, env: NodeJS.ProcessEnv = {}, lookup?: LookupFunction): Setup {
  const clock = new FakeClock();
  const log = createLogger({ silent: true });
  const named = lookup === undefined ? {} : { lookup };
  const receivers = createReceivers({ clock, metrics: createMetrics(), log, env, ...named });
  t.after(() => receivers.close());
  return {
    clock,
    receiver: (url, options) => receivers.receiver({ name: 'slack', url: new URL(url), ...options }),
  };
}

let keys = 0;
function send(receiver: Receiver, key = `key-${++keys}`, signal = new AbortController().signal) {
  return receiver.send({ body: '{}', idempotencyKey: key, signal });
}

async function failureOf(
  sending: Promise<unknown>,
): Promise<Error & { readonly code?: string; retryAfterMs?: number }> {
  const failure = await sending.then(
    () => assert.fail('it was sent'),
    (thrown: unknown) => thrown,
  );
  assert.ok(failure instanceof Error);
  assert.doesNotMatch(inspect(failure, { depth: 10, showHidden: true }), new RegExp(SECRET), 'holds the URL');
  return failure;
}

async function failureOfAnswer(t: TestContext, answer: ReceiverAnswer) {
  const server = await startReceiver(() => answer);
  t.after(() => server.close());
  return failureOf(send(setUp(t).receiver(`${server.url}/services/T0/${SECRET}?token=${SECRET}`)));
}

describe('createReceivers().states()', () => {
  test('returns the sinks, the last success and failure, and the open breaker of each far end', async (t) => {
    const answers = [200, 404, 500, 500, 500, 500, 500];
    const server = await startReceiver(() => ({ status: answers.shift() ?? 200 }));
    t.after(() => server.close());
    const [clock, metrics] = [new FakeClock(), createMetrics()];
    const receivers = createReceivers({
      clock,
      metrics,
      log: createLogger({ silent: true }),
      env: {},
    });
    t.after(() => receivers.close());
    const url = new URL(`${server.url}/${SECRET}`);
    const one = receivers.receiver({ name: 'a/slack', url });
    const other = receivers.receiver({ name: 'b/slack', url });
    const fresh = { names: ['a/slack', 'b/slack'], host: url.host, lastOkAt: undefined, restsUntil: undefined };
    assert.deepEqual(receivers.states(), [{ ...fresh, lastFailure: undefined }]);
    await send(one);
    const okAt = clock.now();
    await clock.advance(1_000);
    await failureOf(send(other));
    const [state] = receivers.states();
    assert.equal(state?.lastOkAt, okAt);
    assert.equal(state.lastFailure?.at, okAt + 1_000);
    assert.match(state.lastFailure.error, /answered 404/);
    assert.doesNotMatch(JSON.stringify(state), new RegExp(SECRET));
    for (let n = 0; n < 5; n++) await failureOf(send(one));
    assert.equal(receivers.states()[0]?.restsUntil, clock.now() + 30_000);
    const { values } = await metrics.deliveries.get();
    assert.deepEqual(
      values.map(({ labels, value }) => [labels.receiver, labels.outcome, value]),
      [
        ['a/slack', 'ok', 1],
        ['b/slack', 'gone', 1],
        ['a/slack', 'failed', 4],
      ],
    );
    await one.close();
    assert.deepEqual(receivers.states()[0]?.names, ['b/slack']);
    await other.close();
    assert.deepEqual(receivers.states(), [], 'nobody sends there any more');
  });
});

test('the breaker metric of a sink is 1 while one of its far ends fails, and moves to a renamed sink', async (t) => {
  const down = new Set(['/post', '/update']);
  const server = await startReceiver(({ path }) => ({ status: down.has(path) ? 500 : 200 }));
  t.after(() => server.close());
  const [clock, metrics] = [new FakeClock(), createMetrics()];
  const said: string[] = [];
  const log = logInto(({ message, receiver }) => said.push(`${String(receiver)}: ${message}`));
  const receivers = createReceivers({ clock, metrics, log, env: {} });
  t.after(() => receivers.close());
  const open = (name: string) =>
    ['post', 'update'].map((path) => receivers.receiver({ name, url: new URL(path, server.url) }));
  const shown = async () =>
    (await metrics.breakerOpen.get()).values.map(({ labels, value }) => `${labels.receiver} ${value}`);

  const before = open('a/slack');
  for (const receiver of before) for (let n = 0; n < 5; n++) await failureOf(send(receiver));
  assert.deepEqual(await shown(), ['a/slack 1']);
  down.delete('/update');
  await clock.advance(30_000);
  await send(before[1] as Receiver);
  assert.deepEqual(await shown(), ['a/slack 1'], 'the other far end still fails');
  await Promise.all(before.map((receiver) => receiver.close()));
  assert.deepEqual(await shown(), []);

  const [post] = open('b/slack');
  assert.deepEqual(await shown(), ['b/slack 1'], 'a renamed sink takes over the far end');
  down.delete('/post');
  said.length = 0;
  await send(post as Receiver);
  assert.deepEqual([await shown(), said], [['b/slack 0'], ['b/slack: Receiver works again']]);
});

describe('receiver: how an answer is classified', () => {
  test('2xx resolves with status, headers and body', async (t) => {
    const server = await startReceiver(() => ({ status: 202, headers: { 'X-Id': '7' }, body: 'accepted' }));
    t.after(() => server.close());
    const response = await send(setUp(t).receiver(`${server.url}/a?b=c`));
    assert.equal(response.status, 202);
    assert.equal(response.headers['x-id'], '7');
    assert.equal(response.body, 'accepted');
    assert.equal(server.requests[0]?.path, '/a?b=c');
    assert.match(String(server.requests[0]?.headers['idempotency-key']), /^key-/);
  });

  for (const status of [400, 401, 403, 404, 410, 422]) {
    test(`${status} is terminal, and the error quotes the answer`, async (t) => {
      const failure = await failureOfAnswer(t, { status, body: `no_service at /services/T0/${SECRET}` });
      assert.equal(failure.code, 'TERMINAL');
      assert.match(failure.message, new RegExp(`^slack \\(127\\.0\\.0\\.1:\\d+\\) answered ${status}: no_service at`));
    });
  }

  for (const status of [408, 425, 500, 502, 503, 504]) {
    test(`${status} is a failed attempt`, async (t) => {
      assert.equal((await failureOfAnswer(t, { status })).code, undefined);
    });
  }

  test('429 defers for its Retry-After in seconds, as a date, and without one', async (t) => {
    const now = Date.UTC(2026, 0, 1);
    const date = new Date(now + 90_000).toUTCString();
    for (const [value, expected] of [
      ['30', 30_000],
      [date, 90_000],
      ['0', 0],
      ['soon', undefined],
      ['-1', undefined],
      ['10, 20', undefined],
      ['9999999', 3_600_000],
    ] as const) {
      const failure = await failureOfAnswer(t, { status: 429, headers: { 'retry-after': value } });
      assert.equal(failure.code, 'DEFER');
      assert.equal(failure.retryAfterMs, expected, `Retry-After: ${value}`);
    }
    assert.equal((await failureOfAnswer(t, { status: 429 })).retryAfterMs, undefined);
  });

  test('503 with Retry-After defers', async (t) => {
    const failure = await failureOfAnswer(t, { status: 503, headers: { 'retry-after': '5' } });
    assert.equal(failure.code, 'DEFER');
    assert.equal(failure.retryAfterMs, 5_000);
  });

  test('a long error body is cut visibly, and not inside a character', async (t) => {
    const { message } = await failureOfAnswer(t, { status: 400, body: `${'x'.repeat(199)}😀 and more` });
    assert.match(message, /answered 400: x{199}…$/);
  });

  test('a redirect is terminal, and the error names only the host that it leads to', async (t) => {
    const location = `https://elsewhere.example/${SECRET}`;
    const failure = await failureOfAnswer(t, { status: 302, headers: { location } });
    assert.equal(failure.code, 'TERMINAL');
    assert.match(failure.message, /a redirect to elsewhere\.example; redirects are not followed/);
  });

  test('a 3xx without a Location is not a redirect, and its body is shown', async (t) => {
    const unmodified = await failureOfAnswer(t, { status: 304, headers: {}, body: '' });
    assert.equal(unmodified.code, 'TERMINAL');
    assert.match(unmodified.message, /answered 304 without a Location$/);
    const choices = await failureOfAnswer(t, { status: 300, headers: {}, body: 'choose /v1 or /v2' });
    assert.match(choices.message, /answered 300 without a Location: choose \/v1 or \/v2$/);
  });

  test('at most 1 MiB of an answer is read', async (t) => {
    const server = await startReceiver(() => ({ body: 'x'.repeat(10_000_000) }));
    t.after(() => server.close());
    assert.equal((await send(setUp(t).receiver(server.url))).body.length, 1_048_576);
  });

  test('an endless answer is judged by its status, and its socket is closed', async (t) => {
    const chunk = Buffer.alloc(65_536, 'x');
    const server = createServer((_, response) => {
      const more = (): void => void response.write(chunk, (error) => (error ? undefined : more()));
      more();
    });
    const gone = once(server, 'connection').then(
      ([socket]) => new Promise((resolve) => (socket as Socket).on('error', () => {}).on('close', resolve)),
    );
    const { status } = await send(setUp(t).receiver(`http://${await listening(t, server)}`));
    await gone;
    assert.equal(status, 200);
  });
});

describe('receiver: an answer whose body', () => {
  const headOf = (status: number) => `HTTP/1.1 ${status} X\r\nretry-after: 7\r\ncontent-length: 20\r\n\r\nhalf`;

  test('breaks off is judged by its status, unless the body is needed', async (t) => {
    const server = await startReceiver(({ path }) => ({ raw: headOf(Number(path.slice(1))) }));
    t.after(() => server.close());
    const { receiver } = setUp(t);
    assert.deepEqual((await send(receiver(`${server.url}/202`))).status, 202);
    assert.match((await failureOf(send(receiver(`${server.url}/413`)))).message, /answered 413: half$/);
    const limited = await failureOf(send(receiver(`${server.url}/429`, { needsBody: true })));
    assert.deepEqual([limited.code, limited.retryAfterMs], ['DEFER', 7_000]);
    for (const options of [{ needsBody: true }, { accept: () => undefined }]) {
      assert.match((await failureOf(send(receiver(`${server.url}/202`, options)))).message, /did not answer/);
    }
  });

  test('does not end in time is judged by its status, and its socket is closed', async (t) => {
    const server = createServer((_, response) => void response.write('{'));
    const gone = once(server, 'connection').then(([socket]) => once(socket as Socket, 'close'));
    const { clock, receiver } = setUp(t);
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    const onHeaders = (): void => resolve();
    diagnostics.subscribe('undici:request:headers', onHeaders);
    t.after(() => diagnostics.unsubscribe('undici:request:headers', onHeaders));
    const sending = send(receiver(`http://${await listening(t, server)}`, { timeoutMs: 3_000 }));
    await answered;
    await clock.advance(3_000);
    assert.equal((await sending).status, 200);
    await gone;
  });
});

describe('receiver: how a missing answer is classified', () => {
  test('a refused connection defers, as nothing was sent', async (t) => {
    const server = await startReceiver();
    const { url } = server;
    await server.close();
    const failure = await failureOf(send(setUp(t).receiver(`${url}/${SECRET}`)));
    assert.equal(failure.code, 'DEFER');
    assert.match(failure.message, /^slack \(127\.0\.0\.1:\d+\) cannot be reached: connect ECONNREFUSED/);
    assert.equal(codeOf(failure.cause), 'ECONNREFUSED');
  });

  test('five refused connections in a row open the breaker', async (t) => {
    const server = await startReceiver();
    const { url } = server;
    await server.close();
    const { receiver } = setUp(t);
    const slack = receiver(url);
    for (let n = 0; n < 5; n++) assert.match((await failureOf(send(slack))).message, /ECONNREFUSED/);
    assert.match((await failureOf(send(slack))).message, /has failed repeatedly, deliveries to it are paused/);
  });

  test('an unreachable host with several addresses reports the error of each', async (t) => {
    const server = await startReceiver();
    const { port } = new URL(server.url);
    await server.close();
    const found = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
    const { receiver } = setUp(t, {}, (_name, _options, callback) => callback(null, found));
    const failure = await failureOf(
      send(receiver(`http://hooks.example:${port}/${SECRET}`, { allowAddresses: ['127.0.0.0/8'] })),
    );
    assert.equal(failure.code, 'DEFER');
    const said = found.map(({ address }) => `connect ECONNREFUSED ${address}:${port}`).join(', ');
    assert.equal(failure.message, `slack (hooks.example:${port}) cannot be reached: ${said}`);
  });

  test('a name that does not resolve defers', async (t) => {
    const failure = await failureOf(send(setUp(t).receiver(`http://no-such-host.invalid/${SECRET}`)));
    assert.equal(failure.code, 'DEFER');
    assert.match(failure.message, /no-such-host\.invalid/);
  });

  test('a failed TLS handshake defers', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const failure = await failureOf(send(setUp(t).receiver(`${server.url.replace('http', 'https')}/${SECRET}`)));
    assert.equal(failure.code, 'DEFER');
    assert.match(
      failure.message,
      /^slack \(127\.0\.0\.1:\d+\) cannot be reached: it does not speak TLS there; use `http:\/\/` for a server without TLS$/,
    );
    assert.equal(server.requests.length, 0);
  });

  test('an invalid header is terminal, and does not count against the receiver', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const receiver = setUp(t).receiver(server.url);
    const { signal } = new AbortController();
    for (let n = 0; n < 6; n++) {
      const headers = { 'x-name': 'two\r\nlines' };
      const failure = await failureOf(receiver.send({ body: '', headers, idempotencyKey: `k${n}`, signal }));
      assert.equal(failure.code, 'TERMINAL');
      assert.match(failure.message, /cannot be sent: invalid x-name header/);
    }
    assert.equal(server.requests.length, 0);
  });

  test('a reset after the request is a failed attempt, as it may have arrived', async (t) => {
    assert.equal((await failureOfAnswer(t, { reset: true })).code, undefined);
  });

  test('a receiver that hangs is a failed attempt after the timeout, and its socket is closed', async (t) => {
    const server = await startReceiver(() => ({ hang: true }));
    t.after(() => server.close());
    const { clock, receiver } = setUp(t);
    const failing = failureOf(send(receiver(`${server.url}/${SECRET}`, { timeoutMs: 3_000 })));
    await server.waitFor(1);
    await clock.advance(3_000);
    const failure = await failing;
    assert.equal(failure.code, undefined);
    assert.match(failure.message, /did not answer: no complete answer within 3000 ms/);
    while (server.openSockets > 0) await new Promise(setImmediate);
  });

  test("the handler's signal ends the request", async (t) => {
    const server = await startReceiver(() => ({ hang: true }));
    t.after(() => server.close());
    const stop = new AbortController();
    const failing = failureOf(send(setUp(t).receiver(server.url), 'key', stop.signal));
    await server.waitFor(1);
    stop.abort();
    assert.match((await failing).message, /the handler was stopped/);
  });

  test('aborted requests do not count against the receiver', async (t) => {
    const server = await startReceiver((_, n) => (n <= 5 ? { hang: true } : {}));
    t.after(() => server.close());
    const receiver = setUp(t).receiver(server.url);
    for (let n = 1; n <= 5; n++) {
      const stop = new AbortController();
      const failing = failureOf(send(receiver, `key ${n}`, stop.signal));
      await server.waitFor(n);
      stop.abort();
      await failing;
    }
    assert.equal((await send(receiver)).status, 200);
  });
});

describe('receiver: connections', () => {
  test('28: 1,000 posts leave no more sockets open than the pool holds', async (t) => {
    const server = await startReceiver((_, n) => (n % 3 === 0 ? { status: 400, body: 'x'.repeat(2_000) } : {}));
    t.after(() => server.close());
    const receiver = setUp(t).receiver(server.url);
    for (let n = 0; n < 125; n++) await Promise.allSettled(Array.from({ length: 8 }, () => send(receiver)));
    assert.equal(server.requests.length, 1_000);
    assert.ok(server.openSockets <= 16, `${server.openSockets} sockets are open`);
  });

  test('uses the proxy of the environment, except for hosts in NO_PROXY', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    let tunnels = 0;
    const proxy = tunnelTo(Number(new URL(server.url).port));
    proxy.on('connect', () => tunnels++);
    proxy.on('request', (request, response) => {
      tunnels++;
      request.resume();
      response.end('via proxy');
    });
    const HTTP_PROXY = `http://${await listening(t, proxy)}`;
    await send(setUp(t, { HTTP_PROXY }).receiver('http://slack.example/x'));
    assert.equal(tunnels, 1);
    await send(setUp(t, { HTTP_PROXY, NO_PROXY: '127.0.0.1' }).receiver(server.url));
    await send(setUp(t, { HTTP_PROXY, NO_PROXY: '10.0.0.0/8, 127.0.0.0/8' }).receiver(server.url));
    assert.equal(tunnels, 1);
    // HTTPS has its own proxy variable, so this fails at the receiver, which has no TLS, and not at the proxy.
    const tls = setUp(t, { HTTP_PROXY }, (_name, _options, found) => found(null, '127.0.0.1', 4));
    await failureOf(send(tls.receiver(server.url.replace('http://127.0.0.1', 'https://hook.localhost'))));
    assert.equal(tunnels, 1);
  });
});

describe('receiver: behind a proxy', () => {
  test('failures of the proxy are attributed to it, without its password', async (t) => {
    const proxy = createServer();
    proxy.on('connect', (_, client) => {
      client.on('error', () => client.destroy());
      client.end('HTTP/1.1 403 Forbidden\r\n\r\n', () => client.destroy());
    });
    const host = await listening(t, proxy);
    const HTTPS_PROXY = `http://me:c4nary@${host}`;
    const refused = await failureOf(send(setUp(t, { HTTPS_PROXY }).receiver('https://hook.example/x')));
    const said = `slack (hook.example) cannot be reached: through the proxy ${host}: `;
    assert.ok(refused.message.startsWith(said), refused.message);
    assert.match(refused.message, /403/);
    proxy.close();
    await once(proxy, 'close');
    const absent = await failureOf(send(setUp(t, { HTTPS_PROXY }).receiver('https://hook.example/x')));
    assert.ok(absent.message.startsWith(said), absent.message);
    assert.match(absent.message, /ECONNREFUSED/);
    assert.doesNotMatch(refused.message + absent.message, /c4nary/);
  });

  for (const [status, location, said] of [
    [403, '', 'answered 403: no'],
    [502, '', 'answered 502: no'],
    [302, 'http://login.example/', 'answered 302, a redirect to login.example;'],
    [304, '', 'answered 304 without a Location'],
  ] as const) {
    test(`an answer over http:// may come from the proxy, which the error names: ${status}`, async (t) => {
      const headers = location === '' ? {} : { location };
      const proxy = await startReceiver(() => ({ status, headers, body: 'no' }));
      t.after(() => proxy.close());
      const HTTP_PROXY = proxy.url.replace('//', '//me:c4nary@');
      const { message } = await failureOf(send(setUp(t, { HTTP_PROXY }).receiver('http://hook.example/x')));
      const who = `slack (hook.example) or the proxy ${new URL(proxy.url).host} before it`;
      assert.ok(message.startsWith(`${who} ${said}`), message);
      assert.doesNotMatch(message, /c4nary/);
    });
  }
});

test('receiver: a 407 of the proxy defers, for http and https', async (t) => {
  const proxy = createServer((_, response) => void response.writeHead(407).end());
  proxy.on('connect', (_, client) => {
    client.on('error', () => client.destroy());
    client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', () => client.destroy());
  });
  const url = `http://me:c4nary@${await listening(t, proxy)}`;
  const { receiver } = setUp(t, { HTTP_PROXY: url, HTTPS_PROXY: url });
  for (const scheme of ['http', 'https']) {
    const failure = await failureOf(send(receiver(`${scheme}://hook.example/x`)));
    assert.equal(failure.code, 'DEFER', scheme);
    assert.match(failure.message, /^slack \(hook\.example\) cannot be reached: through the proxy .*407/);
  }
});

describe('receiver: rate and breaker', () => {
  test('sinks of the same far end share its rate, and the slowest applies', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const { clock, receiver } = setUp(t);
    const [one, other] = [receiver(`${server.url}/a`, { perSecond: 2 }), receiver(`${server.url}/a`, { perSecond: 1 })];
    await send(one, 'k1');
    const waiting = await failureOf(send(other, 'k2'));
    assert.equal(waiting.code, 'WAIT');
    assert.equal((waiting as Error & { until?: number }).until, clock.now() + 1_000);
    await send(receiver(`${server.url}/b`, { perSecond: 1 }));
    await clock.advance(1_000);
    await send(other, 'k2');
  });

  test('refused credentials hold up no sink that has others at the same address', async (t) => {
    const server = await startReceiver(({ headers }) => ({ status: headers.authorization === 'good' ? 200 : 401 }));
    t.after(() => server.close());
    const { receiver } = setUp(t);
    const { signal } = new AbortController();
    const as = (token: string) => {
      const headers = { authorization: token };
      const of = receiver(server.url, { secrets: [token] });
      return (key: string) => of.send({ headers, body: '', idempotencyKey: key, signal });
    };
    const [revoked, good] = [as('revoked'), as('good')];
    for (let n = 0; n < 6; n++) await failureOf(revoked(`k${n}`));
    assert.equal(server.requests.length, 5, 'the breaker is open');
    assert.equal((await good('other')).status, 200);
    const failed = receiver(server.url.replace('//', '//me:revoked@'));
    for (let n = 0; n < 6; n++) await failureOf(send(failed));
    assert.equal(server.requests.length, 11);
    assert.equal((await failureOf(send(receiver(server.url.replace('//', '//you:revoked@'))))).code, 'TERMINAL');
  });

  test('refused credentials in the query hold up no sink that has others at the same address', async (t) => {
    const server = await startReceiver(({ path }) => ({ status: path.endsWith('=good') ? 200 : 403 }));
    t.after(() => server.close());
    const { receiver } = setUp(t);
    const revoked = receiver(`${server.url}/send?access_token=revoked`, { perSecond: 1, burst: 9 });
    for (let n = 0; n < 6; n++) await failureOf(send(revoked, `k${n}`));
    assert.equal(server.requests.length, 5, 'the breaker is open');
    const [one, other] = [1, 2].map(() => receiver(`${server.url}/send?access_token=good`, { perSecond: 1 }));
    assert.ok(one !== undefined && other !== undefined);
    await send(one, 'first');
    assert.equal((await failureOf(send(other, 'second'))).code, 'WAIT', 'both share the rate');
  });

  test('the Retry-After of a 429 holds back other changes too', async (t) => {
    const server = await startReceiver((_, n) => (n === 1 ? { status: 429, headers: { 'retry-after': '20' } } : {}));
    t.after(() => server.close());
    const { clock, receiver } = setUp(t);
    const slack = receiver(server.url);
    assert.equal((await failureOf(send(slack, 'k1'))).code, 'DEFER');
    const held = (await failureOf(send(slack, 'k2'))) as Error & { code?: string; until?: number };
    assert.deepEqual([held.code, held.until], ['WAIT', clock.now() + 20_000]);
    await clock.advance(20_000);
    await send(slack, 'k1');
    assert.equal(server.requests.length, 2);
  });

  test('five failures in a row open the breaker; probes follow after 30 s and 60 s; a success closes it', async (t) => {
    let healthy = false;
    const server = await startReceiver(() => ({ status: healthy ? 200 : 500 }));
    t.after(() => server.close());
    const { clock, receiver } = setUp(t);
    const slack = receiver(server.url);
    for (let n = 0; n < 5; n++) assert.equal((await failureOf(send(slack))).code, undefined);
    const open = (await failureOf(send(slack))) as RetryAfterError;
    assert.deepEqual([open.code, open.retryAfterMs, open.openForMs], ['DEFER', 30_000, 0]);
    assert.equal(server.requests.length, 5);

    await clock.advance(30_000);
    const probe = failureOf(send(slack));
    assert.match((await failureOf(send(slack))).message, /is being probed with another change/);
    assert.equal((await probe).code, undefined);
    const stillOpen = (await failureOf(send(slack))) as RetryAfterError;
    assert.deepEqual([stillOpen.retryAfterMs, stillOpen.openForMs], [60_000, 30_000]);

    healthy = true;
    await clock.advance(60_000);
    await send(slack);
    await Promise.all(Array.from({ length: 5 }, () => send(slack)));
  });

  for (const gone of [410, 302]) {
    test(`a refused payload does not count against the receiver, but a gone address does: ${gone}`, async (t) => {
      let status = 400;
      const server = await startReceiver(() => ({ status }));
      t.after(() => server.close());
      const slack = setUp(t).receiver(server.url);
      for (let n = 0; n < 10; n++) assert.equal((await failureOf(send(slack))).code, 'TERMINAL');
      status = gone;
      for (let n = 0; n < 5; n++) assert.equal((await failureOf(send(slack))).code, 'TERMINAL');
      assert.equal((await failureOf(send(slack))).code, 'DEFER');
    });
  }
});

describe('receiver: where a name may resolve to', () => {
  const answering =
    (...answers: readonly string[]): LookupFunction =>
    (_name, _options, callback) => {
      const [address = ''] = answers.length > 1 ? (answers as string[]).splice(0, 1) : answers;
      callback(null, [{ address, family: isIP(address) }]);
    };

  test('a name that resolves to this machine or to metadata defers before anything is sent', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    for (const address of ['127.0.0.1', '169.254.169.254', '::1', '0.0.0.0']) {
      const { receiver } = setUp(t, {}, answering(address));
      const failure = await failureOf(send(receiver(server.url.replace('127.0.0.1', 'hooks.example'))));
      assert.equal(failure.code, 'DEFER');
      assert.ok(failure.message.includes(`hooks.example resolves to ${address}`), failure.message);
    }
    assert.equal(server.requests.length, 0);
  });

  test('an address in the configuration is allowed in any spelling, and so is localhost', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const { receiver } = setUp(t);
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '①②⑦.0.0.1', 'localhost']) {
      await send(receiver(server.url.replace('127.0.0.1', host)));
    }
    assert.equal(server.requests.length, 5);
  });

  test('a rebound name is checked again for each connection', async (t) => {
    const server = await startReceiver(() => ({ headers: { connection: 'close' } }));
    t.after(() => server.close());
    const { receiver } = setUp(t, {}, answering('127.0.0.1', '127.0.0.2'));
    const options = { allowAddresses: ['127.0.0.1'] };
    const rebound = receiver(server.url.replace('127.0.0.1', 'hooks.example'), options);
    await send(rebound);
    assert.match((await failureOf(send(rebound))).message, /hooks\.example resolves to 127\.0\.0\.2/);
    assert.equal(server.requests.length, 1);
  });

  test('a redirect is not followed, wherever it leads', async (t) => {
    const inside = await startReceiver();
    t.after(() => inside.close());
    for (const status of [301, 302, 303, 307, 308]) {
      assert.equal((await failureOfAnswer(t, { status, headers: { location: inside.url } })).code, 'TERMINAL');
    }
    assert.equal(inside.requests.length, 0);
  });
});

describe('receiver: what it adds to a request', () => {
  test('a new signature for each attempt, under the same id', async (t) => {
    const server = await startReceiver((_, n) => ({ status: n === 1 ? 500 : 200 }));
    t.after(() => server.close());
    const { clock, receiver } = setUp(t);
    const signed = receiver(server.url, { signingSecrets: [Buffer.alloc(24, 1).toString('base64')] });
    await failureOf(send(signed, 'key'));
    await clock.advance(1_000);
    await send(signed, 'key');
    const [first, again] = server.requests.map(({ headers }) => headers);
    assert.equal(first?.['webhook-id'], again?.['webhook-id']);
    assert.equal(Number(again?.['webhook-timestamp']) - Number(first?.['webhook-timestamp']), 1);
    assert.notEqual(first?.['webhook-signature'], again?.['webhook-signature']);
  });

  test('credentials in the URL become basic authentication unless a header is set, and errors mask them', async (t) => {
    const server = await startReceiver((_, n) => ({
      status: n === 1 ? 200 : 401,
      body: 'who is m\u00fcller or pa:ss-word?',
    }));
    t.after(() => server.close());
    const url = server.url.replace('//', '//m%C3%BCller:pa%3Ass-word@');
    const receiver = setUp(t).receiver(url);
    await send(receiver);
    const { authorization = '' } = server.requests[0]?.headers ?? {};
    assert.equal(Buffer.from(authorization.replace('Basic ', ''), 'base64').toString(), 'm\u00fcller:pa:ss-word');
    assert.match((await failureOf(send(receiver))).message, /answered 401: who is \*\*\* or \*\*\*\?$/);
    const { signal } = new AbortController();
    await failureOf(receiver.send({ body: '', headers: { Authorization: 'Bearer x' }, idempotencyKey: 'k', signal }));
    assert.equal(server.requests[2]?.headers.authorization, 'Bearer x');
  });

  test('errors mask the credentials of the URL as they were sent', async (t) => {
    const server = await startReceiver(({ headers }) => ({ status: 401, body: `who is ${headers.authorization}?` }));
    t.after(() => server.close());
    const receiver = setUp(t).receiver(server.url.replace('//', '//app:hunter2@'));
    assert.match((await failureOf(send(receiver))).message, /answered 401: who is Basic \*\*\*\?$/);
  });

  test('errors mask a secret that the receiver echoes', async (t) => {
    const server = await startReceiver(({ headers }) => ({ status: 400, body: `who is ${headers.authorization}?` }));
    t.after(() => server.close());
    const receiver = setUp(t).receiver(server.url, { secrets: [SECRET] });
    const { signal } = new AbortController();
    const headers = { authorization: `Bearer ${SECRET}` };
    const failure = await failureOf(receiver.send({ body: '', headers, idempotencyKey: 'k', signal }));
    assert.match(failure.message, /answered 400: who is Bearer \*\*\*\?$/);
  });
});

describe('receiver: an error inside a 2xx answer', () => {
  test('masks a secret that the answer echoes', async (t) => {
    const server = await startReceiver(({ path }) => ({ body: `nobody at ${path}` }));
    t.after(() => server.close());
    const accept = ({ body }: { readonly body: string }): void => {
      throw new TerminalError(`refused: ${body}`);
    };
    const failure = await failureOf(send(setUp(t).receiver(`${server.url}/services/${SECRET}`, { accept })));
    assert.equal(failure.message, 'refused: nobody at ***');
  });

  for (const [error, code, breaks] of [
    [new RetryAfterError('slow down', { retryAfterMs: 20_000 }), 'DEFER', false],
    [new TerminalError('never'), 'TERMINAL', false],
    [new TerminalError('nothing ever', { isGone: true }), 'TERMINAL', true],
    [new Error('try again'), undefined, true],
  ] as const) {
    test(`${code ?? 'a failed attempt'} ${breaks ? 'opens' : 'does not open'} the breaker: ${error.message}`, async (t) => {
      const server = await startReceiver(() => ({ body: 'ok:false' }));
      t.after(() => server.close());
      const { clock, receiver } = setUp(t);
      const accept = ({ body }: { readonly body: string }): void => {
        if (body === 'ok:false') throw error;
      };
      const picky = receiver(server.url, { accept });
      for (let n = 0; n < 5; n++) {
        assert.equal((await failureOf(send(picky))).code, code);
        await clock.advance(20_000);
      }
      const next = await failureOf(send(picky));
      assert.equal(next.message.includes('deliveries to it are paused'), breaks);
      assert.equal(server.requests.length, breaks ? 5 : 6);
    });
  }

  test('a rate limit in the body holds back other sinks too', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const { clock, receiver } = setUp(t);
    const accept = (): void => {
      throw new RetryAfterError('slow down', { retryAfterMs: 20_000 });
    };
    await failureOf(send(receiver(server.url, { accept })));
    const held = (await failureOf(send(receiver(server.url)))) as Error & { code?: string; until?: number };
    assert.deepEqual([held.code, held.until], ['WAIT', clock.now() + 20_000]);
  });
});

describe('receiver.fetch() behind @slack/webhook', () => {
  async function webhook(t: TestContext, answer: ReceiverAnswer) {
    const server = await startReceiver(() => answer);
    t.after(() => server.close());
    const url = `${server.url}/services/T0/${SECRET}`;
    const fetch = setUp(t).receiver(url).fetch('key-1', new AbortController().signal);
    return { server, client: new IncomingWebhook(url, { fetch }) };
  }

  test('sends the message, with the idempotency key', async (t) => {
    const { server, client } = await webhook(t, {});
    assert.deepEqual(await client.send({ text: 'hello' }), { text: 'ok' });
    assert.equal(server.requests[0]?.body, '{"text":"hello"}');
    assert.equal(server.requests[0]?.headers['idempotency-key'], 'key-1');
    assert.equal(server.requests[0]?.headers['content-type'], 'application/json');
  });

  test('originalError() returns our error, with its code, from inside the client library', async (t) => {
    for (const [answer, code] of [
      [{ status: 404 }, 'TERMINAL'],
      [{ status: 429 }, 'DEFER'],
      [{ status: 500 }, undefined],
    ] as const) {
      const { client } = await webhook(t, answer);
      const thrown = await failureOf(client.send('hello'));
      const original = originalError(thrown) as Error;
      assert.equal(codeOf(original), code);
      assert.match(original.message, new RegExp(`answered ${answer.status}`));
    }
    assert.equal(originalError('text'), 'text');
  });

  test('refuses any address but its own', async (t) => {
    const { server } = await webhook(t, {});
    const fetch = setUp(t).receiver(server.url).fetch('key', new AbortController().signal);
    await assert.rejects(fetch('https://elsewhere.example/x'), /Refused to send to elsewhere\.example/);
  });
});
