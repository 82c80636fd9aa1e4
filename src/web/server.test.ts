import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, test } from 'node:test';
import type { ScopeHealth } from '../source/source.ts';
import { claim } from '../store/conformance/fixture.ts';
import { healthOf, TestWeb, WATCHING } from '../testing/test-web.ts';
import { parseListen } from './server.ts';

const DEGRADED: ScopeHealth = {
  ...WATCHING,
  resource: 'v1/secrets',
  namespace: 'shop',
  state: 'degraded',
  problem: 'forbidden',
};

describe('startWeb()', () => {
  test('answers /livez, /readyz and /metrics, with or without a query', async (t) => {
    const web = await TestWeb.start(t);
    assert.equal((await web.ask('/livez')).body, 'ok\n');
    assert.equal((await web.ask('/readyz?verbose')).body, 'ok\n');
    const metrics = await web.ask('/metrics');
    assert.equal(metrics.status, 200);
    assert.match(metrics.body, /^# HELP watchchain_changes_total /m);
  });

  test('/readyz answers 200, and names degraded scopes and a configuration that was not reloaded', async (t) => {
    const web = await TestWeb.start(t, { health: healthOf(WATCHING, DEGRADED) });
    const { status, body } = await web.ask('/readyz');
    assert.deepEqual(
      { status, body },
      { status: 200, body: 'ok, degraded\ndegraded: v1/secrets in shop: forbidden\n' },
    );
    const configured = await TestWeb.start(t, { health: { ...healthOf(WATCHING), configProblem: 'config.toml:3: x' } });
    assert.equal((await configured.ask('/readyz')).body, 'ok\nconfiguration not reloaded: config.toml:3: x\n');
  });

  test('/readyz answers 503, and names what is still listing', async (t) => {
    const web = await TestWeb.start(t, { health: healthOf({ ...WATCHING, state: 'listing' }) });
    const { status, body } = await web.ask('/readyz');
    assert.deepEqual({ status, body }, { status: 503, body: 'not ready: running\nlisting: v1/pods\n' });
  });

  test('answers HEAD without a body, other methods with 405, other paths with 404', async (t) => {
    const web = await TestWeb.start(t);
    const head = await web.ask('/livez', { method: 'HEAD' });
    assert.deepEqual([head.status, head.body], [200, '']);
    const post = await web.ask('/livez', { method: 'POST' });
    assert.deepEqual([post.status, post.headers.allow], [405, 'GET, HEAD']);
    const wrongVerb = await web.post('/api/changes', {});
    assert.deepEqual([wrongVerb.status, wrongVerb.headers.allow], [405, 'GET, HEAD']);
    for (const method of ['OPTIONS', 'TRACE', 'DELETE', 'PROPFIND', 'POST'])
      for (const [path, allow] of [
        ['/api/changes', 'GET, HEAD'],
        ['/livez', 'GET, HEAD'],
        ...(method === 'POST' ? [] : [['/api/dead-letters/replay', 'POST']]),
      ] as const) {
        const { status, headers } = await web.ask(path, { method });
        assert.deepEqual([status, headers.allow], [405, allow], `${method} ${path}`);
      }
    assert.equal((await web.ask('/nothing', { method: 'DELETE' })).status, 404);
    assert.equal((await web.ask('/nothing')).status, 404);
    assert.equal((await web.ask('//')).status, 404, 'a path that is not a URL');
    assert.doesNotMatch(web.log, /"level":"error"/, 'mistakes of a client are not logged as errors');
  });

  test('answers probes without a Host header, and nothing else', async (t) => {
    const web = await TestWeb.start(t);
    for (const path of ['/livez', '/readyz', '/metrics'])
      assert.match(await rawAnswer(web, `GET ${path} HTTP/1.0\r\n\r\n`), / 200 /, path);
    assert.match(await rawAnswer(web, 'GET /api/changes HTTP/1.0\r\n\r\n'), / 421 /);
  });

  test('continues without a listener when the address is in use', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    const web = await TestWeb.start(t, { listen: `127.0.0.1:${port}` });
    assert.equal(web.address, undefined);
    assert.match(web.log, /the address is in use/);
  });

  const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
  test('listens on every address without a host, IPv6 included', async (t) => {
    const web = await TestWeb.start(t, { listen: ':0' });
    for (const host of hasIPv6 ? ['127.0.0.1', '[::1]'] : ['127.0.0.1'])
      assert.equal((await fetch(`http://${host}:${web.endpoint.port}/livez`)).status, 200, host);
    assert.match(web.log, /"access":"closed"/);
  });

  test('sends restrictive security headers with every answer', async (t) => {
    const web = await TestWeb.start(t);
    for (const path of ['/', '/livez', '/api/changes', '/nothing', '/assets/page.js']) {
      const { headers } = await web.ask(path);
      const policy = headers['content-security-policy'] ?? '';
      for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
        assert.ok(policy.includes(part), `${path}: ${part}`);
      assert.equal(headers['x-content-type-options'], 'nosniff', path);
      assert.equal(headers['cache-control'], 'no-store', path);
    }
  });

  test('compresses the page if the client accepts it', async (t) => {
    const web = await TestWeb.start(t);
    const { headers } = await web.ask('/', { headers: { 'accept-encoding': 'br, gzip' } });
    assert.equal(headers['content-encoding'], 'gzip');
  });
});

describe('behind a proxy', () => {
  test('serves everything below the base path, with links to it, and probes at the root too', async (t) => {
    const web = await TestWeb.start(t, { settings: { basePath: '/ops/watch' } });
    for (const path of ['/ops/watch', '/ops/watch/', '/ops/watch/api/changes', '/ops/watch/livez', '/livez'])
      assert.equal((await web.ask(path)).status, 200, path);
    assert.equal((await web.ask('/api/changes')).status, 404);
    const { body } = await web.ask('/ops/watch/');
    assert.match(body, /href="\/ops\/watch\/assets\/icon\.svg"/);
    assert.match(body, /data-base="\/ops\/watch"/);
  });

  test('uses a valid X-Forwarded-Prefix in links, and ignores an invalid one', async (t) => {
    const web = await TestWeb.start(t);
    const pageFor = async (prefix: string) => (await web.ask('/', { headers: { 'x-forwarded-prefix': prefix } })).body;
    assert.match(await pageFor('/tools/'), /src="\/tools\/assets\/page\.js"/);
    for (const wrong of ['//evil.example', '/"><script>', 'https://evil.example', '/a/../..//b'])
      assert.match(await pageFor(wrong), /src="\/assets\/page\.js"/, wrong);
  });
});

async function rawAnswer(web: TestWeb, text: string): Promise<string> {
  const socket = connect(web.endpoint);
  socket.setEncoding('utf8').end(text);
  let answer = '';
  for await (const chunk of socket as AsyncIterable<string>) answer += chunk;
  return answer.split('\r\n')[0] ?? '';
}

describe('limits', () => {
  test('a body over 1 MiB is 413, headers over 16 KiB are 431', async (t) => {
    const web = await TestWeb.start(t);
    assert.equal((await web.post('/api/dead-letters/replay', { ids: 'x'.repeat(1024 * 1024) })).status, 413);
    const headers = `GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(17 * 1024)}\r\n\r\n`;
    assert.match(await rawAnswer(web, headers), /^HTTP\/1\.1 431 /);
  });

  test('malformed HTTP gets 400', async (t) => {
    const web = await TestWeb.start(t);
    assert.match(await rawAnswer(web, 'what?\r\n\r\n'), /^HTTP\/1\.1 400 /);
  });

  test('unfinished headers are cut off earlier than by a server with a timeout of 20 s', async (t) => {
    const web = await TestWeb.start(t);
    const patient = createHttpServer({ headersTimeout: 20_000, connectionsCheckingInterval: 1_000 });
    await once(patient.listen(0, '127.0.0.1'), 'listening');
    t.after(() => patient.close());
    const { port } = patient.address() as AddressInfo;
    const ended = async (place: { readonly host: string; readonly port: number }): Promise<number> => {
      const socket = connect(place);
      t.after(() => socket.destroy());
      socket.resume().write('GET / HT');
      await once(socket, 'close');
      return place.port;
    };
    const first = await Promise.race([ended(web.endpoint), ended({ host: '127.0.0.1', port })]);
    assert.equal(first, web.endpoint.port);
  });

  test('hundreds of idle or half-sent requests block no probe, and cut off no open stream', async (t) => {
    const web = await TestWeb.start(t);
    const begin = async (): Promise<Socket> => {
      const socket = connect(web.endpoint);
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      await once(socket, 'connect');
      return socket;
    };
    const onlooker = await begin();
    onlooker.write('GET /api/changes HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n');
    await once(onlooker, 'data');
    const withoutBody =
      'POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\nX-Watchchain: x\r\n\r\n';
    const answeredUnread = 'POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}';
    for (const sent of ['', withoutBody, answeredUnread]) {
      for (let n = 0; n < 300; n++) (await begin()).write(sent);
      assert.equal((await web.ask('/livez')).status, 200);
    }
    assert.equal(onlooker.closed, false);
  });

  test('requests sent before the answer to the first end the connection: unread answers would fill the memory', async (t) => {
    const web = await TestWeb.start(t);
    const socket = connect(web.endpoint);
    t.after(() => socket.destroy());
    let answered = '';
    socket.on('error', () => {}).on('data', (data: Buffer) => (answered += data.toString()));
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1_000));
    await once(socket, 'close');
    assert.ok(answered.split('HTTP/1.1 200').length <= 2, 'no second answer');
    assert.equal((await web.ask('/livez')).status, 200);
  });

  test('200 unfinished requests hold up no probe', async (t) => {
    const web = await TestWeb.start(t);
    const slow = await Promise.all(
      Array.from({ length: 200 }, async (): Promise<Socket> => {
        const socket = connect(web.endpoint);
        await once(socket, 'connect');
        socket.write('GET / HT');
        return socket;
      }),
    );
    assert.equal((await web.ask('/livez')).status, 200);
    for (const socket of slow) socket.destroy();
  });

  test('long lists are read from the store at most 20 items at a time, each item once', async (t) => {
    const web = await TestWeb.start(t);
    const names = Array.from({ length: 45 }, (_, n) => `c${n}`);
    await web.change(...names.map((name) => ({ name, text: '1' })));
    const given = { handler: 'slack', error: 'no', attempts: 4 };
    const { deliveries } = await claim(web.store);
    await Promise.all(deliveries.map(({ id }) => web.store.deadLetter(id, given)));
    const [history, letters] = [t.mock.method(web.store, 'history'), t.mock.method(web.store, 'deadLetters')];
    const keysOf = async (path: string): Promise<string[]> => {
      const body = JSON.parse((await web.ask(path)).body) as Record<
        string,
        { key?: string; change?: { key: string } }[]
      >;
      return Object.values(body)
        .flat()
        .flatMap(({ key, change }) => key ?? change?.key ?? []);
    };
    const newestFirst = names.map((name) => `shop/${name}`).toReversed();
    assert.deepEqual(await keysOf('/api/changes?limit=500'), newestFirst);
    assert.deepEqual(await keysOf('/api/changes?limit=21'), newestFirst.slice(0, 21));
    assert.deepEqual(await keysOf('/api/dead-letters'), newestFirst.toReversed());
    assert.match((await web.ask('/')).body, /45 given up/);
    const asked = [...history.mock.calls, ...letters.mock.calls].map(
      ({ arguments: [query] }) => query?.limit ?? Infinity,
    );
    assert.ok(Math.max(...asked) <= 20, asked.join());
  });

  test('invisible characters in a name are escaped', async (t) => {
    const web = await TestWeb.start(t);
    await web.change({ name: 'admin\u202egnp\u061c', text: '1' });
    for (const path of ['/', '/api/changes']) {
      const { body } = await web.ask(path);
      assert.match(body, /shop\/admin\\+u202egnp\\+u061c/, path);
      assert.doesNotMatch(body, /shop\/admin\u202e/, path);
    }
  });

  test('a malformed query gets 400 with the reason, on the page too', async (t) => {
    const web = await TestWeb.start(t);
    const limits = /^limit: must be a whole number from 1 to 500$/;
    for (const [query, reason] of [
      ['limit=0', limits],
      ['limit=x', limits],
      ['since=yesterday', /^since: must be a time such as /],
      ['nonsense=1', /^unknown parameter "nonsense"; known are kind, /],
      ['kid=pod', /^unknown parameter "kid"; did you mean "kind"\?$/],
      ['kind=nosuchkind', /"nosuchkind"/],
      ['before=-1', /^before: must be the id of a change$/],
    ] as const) {
      const { status, body } = await web.ask(`/api/changes?${query}`);
      assert.equal(status, 400, query);
      assert.match((JSON.parse(body) as { error: string }).error, reason, query);
      assert.match((await web.ask(`/?${query}`)).body, /class="notice"/, query);
    }
    const { body } = await web.ask('/api/changes?after=1');
    assert.match(body, /after: is for a stream, which needs the header Accept: text\/event-stream/);
  });

  test('a stream after what is no id gets 400 with the reason', async (t) => {
    const web = await TestWeb.start(t);
    const accept = 'text/event-stream';
    for (const id of ['x', '-1', '1.5', '99999999999999999999']) {
      const byQuery = await web.ask(`/api/changes?after=${id}`, { headers: { accept } });
      const byHeader = await web.ask('/api/changes', { headers: { accept, 'last-event-id': id } });
      assert.deepEqual([byQuery.status, byHeader.status], [400, 400], id);
      assert.match(byQuery.body, /after: must be the id of a change/);
      assert.match(byHeader.body, /Last-Event-ID: must be the id of a change/);
    }
  });
});

test('parseListen() accepts a host, no host, and IPv6 in brackets, and names the expected form', () => {
  assert.deepEqual(parseListen('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 });
  assert.deepEqual(parseListen(':8080'), { host: '', port: 8080 });
  assert.deepEqual(parseListen('[::1]:8080'), { host: '::1', port: 8080 });
  for (const wrong of ['8080', 'localhost', '127.0.0.1:70000', '::1:8080']) {
    assert.throws(() => parseListen(wrong), /expected HOST:PORT/, wrong);
  }
});

test('a standby answers 503 for changes and dead letters, not empty lists', async (t) => {
  const web = await TestWeb.start(t, { service: { store: () => undefined } });
  for (const path of ['/api/changes', '/api/dead-letters']) {
    const { status, body } = await web.ask(path);
    assert.deepEqual([status, JSON.parse(body)], [503, { error: 'the service is not running' }], path);
  }
});

test('what the end of the service cuts short is answered 503, and is no error', async (t) => {
  const web = await TestWeb.start(t);
  await web.store.close();
  for (const path of ['/api/changes', '/api/dead-letters']) {
    const { status, body } = await web.ask(path);
    assert.deepEqual([status, JSON.parse(body)], [503, { error: 'the service is not running' }], path);
  }
  assert.doesNotMatch(web.log, /"level":"error"/);
});
