import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';
import { codeOf } from '../errors.ts';
import { listening, tunnelTo } from '../testing/listening.ts';
import { startReceiver } from '../testing/receiver.ts';
import { failureOf, failureOfAnswer, SECRET, send, testReceivers } from '../testing/test-receivers.ts';

describe('receiver: how a missing answer is classified', () => {
  test('a refused connection defers, as nothing was sent', async (t) => {
    const server = await startReceiver();
    const { url } = server;
    await server.close();
    const failure = await failureOf(send(testReceivers(t).receiver(`${url}/${SECRET}`)));
    assert.equal(failure.code, 'DEFER');
    assert.match(failure.message, /^slack \(127\.0\.0\.1:\d+\) cannot be reached: connect ECONNREFUSED/);
    assert.equal(codeOf(failure.cause), 'ECONNREFUSED');
  });

  test('five refused connections in a row open the breaker', async (t) => {
    const server = await startReceiver();
    const { url } = server;
    await server.close();
    const { receiver } = testReceivers(t);
    const slack = receiver(url);
    for (let n = 0; n < 5; n++) assert.match((await failureOf(send(slack))).message, /ECONNREFUSED/);
    assert.match((await failureOf(send(slack))).message, /has failed repeatedly, deliveries to it are paused/);
  });

  test('an unreachable host with several addresses reports the error of each', async (t) => {
    const server = await startReceiver();
    const { port } = new URL(server.url);
    await server.close();
    const found = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
    const { receiver } = testReceivers(t, {}, (_name, _options, callback) => callback(null, found));
    const failure = await failureOf(
      send(receiver(`http://hooks.example:${port}/${SECRET}`, { allowAddresses: ['127.0.0.0/8'] })),
    );
    assert.equal(failure.code, 'DEFER');
    const said = found.map(({ address }) => `connect ECONNREFUSED ${address}:${port}`).join(', ');
    assert.equal(failure.message, `slack (hooks.example:${port}) cannot be reached: ${said}`);
  });

  test('a name that does not resolve defers', async (t) => {
    const failure = await failureOf(send(testReceivers(t).receiver(`http://no-such-host.invalid/${SECRET}`)));
    assert.equal(failure.code, 'DEFER');
    assert.match(failure.message, /no-such-host\.invalid/);
  });

  test('a failed TLS handshake defers', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const failure = await failureOf(
      send(testReceivers(t).receiver(`${server.url.replace('http', 'https')}/${SECRET}`)),
    );
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
    const receiver = testReceivers(t).receiver(server.url);
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
    const { clock, receiver } = testReceivers(t);
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
    const failing = failureOf(send(testReceivers(t).receiver(server.url), 'key', stop.signal));
    await server.waitFor(1);
    stop.abort();
    assert.match((await failing).message, /the handler was stopped/);
  });

  test('aborted requests do not count against the receiver', async (t) => {
    const server = await startReceiver((_, n) => (n <= 5 ? { hang: true } : {}));
    t.after(() => server.close());
    const receiver = testReceivers(t).receiver(server.url);
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
    const receiver = testReceivers(t).receiver(server.url);
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
    await send(testReceivers(t, { HTTP_PROXY }).receiver('http://slack.example/x'));
    assert.equal(tunnels, 1);
    await send(testReceivers(t, { HTTP_PROXY, NO_PROXY: '127.0.0.1' }).receiver(server.url));
    await send(testReceivers(t, { HTTP_PROXY, NO_PROXY: '10.0.0.0/8, 127.0.0.0/8' }).receiver(server.url));
    assert.equal(tunnels, 1);
    // HTTPS has its own proxy variable, so this fails at the receiver, which has no TLS, and not at the proxy.
    const tls = testReceivers(t, { HTTP_PROXY }, (_name, _options, found) => found(null, '127.0.0.1', 4));
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
    const refused = await failureOf(send(testReceivers(t, { HTTPS_PROXY }).receiver('https://hook.example/x')));
    const said = `slack (hook.example) cannot be reached: through the proxy ${host}: `;
    assert.ok(refused.message.startsWith(said), refused.message);
    assert.match(refused.message, /403/);
    proxy.close();
    await once(proxy, 'close');
    const absent = await failureOf(send(testReceivers(t, { HTTPS_PROXY }).receiver('https://hook.example/x')));
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
      const { message } = await failureOf(send(testReceivers(t, { HTTP_PROXY }).receiver('http://hook.example/x')));
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
  const { receiver } = testReceivers(t, { HTTP_PROXY: url, HTTPS_PROXY: url });
  for (const scheme of ['http', 'https']) {
    const failure = await failureOf(send(receiver(`${scheme}://hook.example/x`)));
    assert.equal(failure.code, 'DEFER', scheme);
    assert.match(failure.message, /^slack \(hook\.example\) cannot be reached: through the proxy .*407/);
  }
});
