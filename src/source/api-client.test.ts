import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { after, describe, test, type TestContext } from 'node:test';
import { until } from '../../test/until.ts';
import { systemClock } from '../clock.ts';
import { createCertificates } from '../testing/certificates.ts';
import { clientOf } from '../testing/test-source.ts';
import { createApiClient } from './api-client.ts';
import type { ApiClient } from './api.ts';
import type { ConnectOptions, Credentials } from './credentials.ts';
import { checkContentType, describeResponse, errorOfResponse } from './failure.ts';

interface Made {
  readonly api: ApiClient;
  readonly server: Server;
  refreshes: number;
}

/** A server and a client for it, closed at the end; `token` is called for each request. */
async function withServer(
  listener: RequestListener,
  use: (made: Made) => Promise<void>,
  options: { token?: () => string; tls?: () => ConnectOptions; server?: Server; path?: string; proxy?: boolean } = {},
): Promise<void> {
  const server = options.server ?? createServer();
  server.on('request', listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const scheme = options.tls === undefined ? 'http' : 'https';
  const made: Made = { server, refreshes: 0, api: createApiClient(credentials()) };
  function credentials(): Credentials {
    let tls: ConnectOptions | undefined;
    return {
      server: new URL(`${scheme}://${options.proxy === true ? 'api.invalid' : address}${options.path ?? ''}`),
      clusterName: 'test',
      namespace: undefined,
      caFingerprint: '',
      proxy: options.proxy === true ? new URL(`http://${address}`) : undefined,
      warnings: [],
      headers: () => Promise.resolve({ authorization: `Bearer ${options.token?.() ?? 'token'}` }),
      tls: () => {
        const next = options.tls?.() ?? {};
        if (JSON.stringify(next) !== JSON.stringify(tls)) tls = next;
        return Promise.resolve(tls ?? next);
      },
      refresh: () => {
        made.refreshes += 1;
      },
      close: () => {},
    };
  }
  try {
    await use(made);
  } finally {
    await made.api.close();
    server.closeAllConnections();
    server.close();
  }
}

/** A local address at which connections hang: its accept backlog is full. */
async function silentAddress(t: TestContext): Promise<URL> {
  const program =
    'import socket, time\ns = socket.socket()\ns.bind(("127.0.0.1", 0))\ns.listen(0)\nprint(s.getsockname()[1], flush=True)\ntime.sleep(600)';
  const listener = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => listener.kill());
  const [line] = (await once(listener.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  const first = connect({ host: '127.0.0.1', port });
  const waiting = [first, ...[1, 2].map(() => connect({ host: '127.0.0.1', port }))];
  t.after(() => waiting.map((socket) => socket.on('error', () => {}).destroy()));
  await once(first, 'connect');
  return new URL(`http://127.0.0.1:${port}`);
}

describe('ApiClient.request()', () => {
  test('sends query, body, credentials and User-Agent', () =>
    withServer(
      (request, response) => {
        request.setEncoding('utf8').on('data', (body: string) => {
          const { url, method, headers } = request;
          response.end(
            JSON.stringify([method, url, body, headers.authorization, headers['user-agent'], headers['content-type']]),
          );
        });
      },
      async ({ api }) => {
        const query = { limit: 500, labelSelector: 'a in (b,c)', continue: undefined };
        const { status, body } = await api.request('POST', '/apis/x', { query, body: { a: 1 } });
        assert.equal(status, 200);
        const [method, url, sent, authorization, agent, type] = JSON.parse(body.toString()) as string[];
        assert.deepEqual([method, sent, authorization, type], ['POST', '{"a":1}', 'Bearer token', 'application/json']);
        assert.equal(url, '/k8s/c-1/apis/x?limit=500&labelSelector=a+in+%28b%2Cc%29');
        assert.match(agent ?? '', /^watchchain\/\d/);
      },
      { path: '/k8s/c-1/' },
    ));

  test('fails when its signal aborts it while connecting, and close() frees its socket', async (t) => {
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const api = clientOf({ url: (await silentAddress(t)).href });
    const others = sockets();
    const patient = api.request('GET', '/version').then(String, String);
    const stop = new AbortController();
    const stopped = api.request('GET', '/version', { signal: stop.signal }).then(String, String);
    await until('they connect', () => sockets() > others);
    stop.abort(new Error('stop'));
    assert.equal(await Promise.race([patient, stopped]), 'Error: stop');
    await api.close();
    await until('it is let go', () => sockets() === others);
  });

  test('returns any status to the caller, with header names in lower case', () =>
    withServer(
      (_request, response) => response.writeHead(429, { 'Retry-After': '3' }).end('slow down'),
      async ({ api }) => {
        const { status, headers, body } = await api.request('GET', '/api');
        assert.deepEqual([status, headers['retry-after'], body.toString()], [429, '3', 'slow down']);
      },
    ));

  test('retries exactly once with fresh credentials after a 401', async () => {
    const tokens = ['old', 'new', 'new', 'new'];
    await withServer(
      (request, response) =>
        response.writeHead(request.headers.authorization === 'Bearer new' && request.url === '/a' ? 200 : 401).end(),
      async (made) => {
        assert.equal((await made.api.request('GET', '/a')).status, 200);
        assert.equal(made.refreshes, 1);
        assert.equal((await made.api.request('GET', '/b')).status, 401);
        assert.equal(made.refreshes, 2);
      },
      { token: () => tokens.shift() ?? '' },
    );
  });

  test('fails at its deadline, both while waiting for headers and while reading the body', () =>
    withServer(
      (request, response) => {
        if (request.url === '/body') response.write('half');
      },
      async ({ api }) => {
        for (const path of ['/headers', '/body']) {
          await assert.rejects(api.request('GET', path, { timeoutMs: 30 }), {
            message: `Cannot GET ${path} on ${api.host}: no complete answer within 0.03 s`,
          });
        }
      },
    ));

  test("rejects with the signal's own reason when it is aborted", () =>
    withServer(
      () => undefined,
      async ({ api, server }) => {
        const stop = new AbortController();
        const asked = api.request('GET', '/api', { signal: stop.signal });
        await once(server, 'request');
        stop.abort(new Error('stopping'));
        await assert.rejects(asked, /^Error: stopping$/);
      },
    ));

  test('names the host and the cause when the connection fails', () =>
    withServer(
      (request) => request.socket.destroy(),
      async ({ api, server }) => {
        await assert.rejects(
          api.request('GET', '/api'),
          /^NoAnswerError: Cannot GET \/api on 127\.0\.0\.1:\d+: the connection was /,
        );
        server.close();
        await once(server, 'close');
        await assert.rejects(api.request('GET', '/api'), {
          code: 'ECONNREFUSED',
          message: /: connection refused \(ECONNREFUSED\)$/,
        });
      },
    ));

  test('sends the absolute URL to a proxy', () =>
    withServer(
      (request, response) => response.end(request.url),
      async ({ api }) => assert.equal((await api.request('GET', '/api')).body.toString(), 'http://api.invalid/api'),
      { proxy: true },
    ));

  test('names the proxy when a request through it fails', () =>
    withServer(
      (_request, response) => response.destroy(),
      async ({ api, server }) => {
        const { port } = server.address() as AddressInfo;
        const expected = `Cannot GET /api on api.invalid through the proxy 127.0.0.1:${port}: the connection was closed`;
        await assert.rejects(api.request('GET', '/api'), (error: Error) => error.message.startsWith(expected));
      },
      { proxy: true },
    ));
});

describe('ApiClient.stream()', () => {
  test('delivers bytes as they arrive, and frees the socket when its body is destroyed', () =>
    withServer(
      (_request, response) => void response.write('{"a":1}\n'),
      async ({ api, server }) => {
        const connected = once(server, 'connection') as Promise<[Socket]>;
        const { status, body } = await api.stream('/api/v1/pods', { watch: true }, new AbortController().signal);
        assert.equal(status, 200);
        const [bytes] = (await once(body, 'data')) as [Buffer];
        assert.equal(bytes.toString(), '{"a":1}\n');
        const [socket] = await connected;
        body.destroy();
        await once(socket, 'close');
      },
    ));

  test('ends with an error when it is aborted midway', () =>
    withServer(
      (_request, response) => void response.write('x'),
      async ({ api }) => {
        const stop = new AbortController();
        const { body } = await api.stream('/api/v1/pods', {}, stop.signal);
        const failed = once(body.resume(), 'error');
        stop.abort(new Error('stopping'));
        await failed;
        assert.ok(body.destroyed);
      },
    ));
});

describe('ApiClient over TLS', () => {
  const certificates = createCertificates();
  const pem = (file: string) => certificates.pem(file);
  for (const name of ['ca', 'other']) certificates.authority(name);
  certificates.certificate('api', 'ca', 'api.test');
  certificates.certificate('me', 'ca');
  after(() => certificates[Symbol.dispose]());

  const tlsServer = () =>
    createTlsServer({
      cert: pem('api.crt'),
      key: pem('api.key'),
      ca: pem('ca.crt'),
      requestCert: true,
      rejectUnauthorized: false,
    });
  const answer: RequestListener = (request, response) => {
    const { subject } = (
      request.socket as unknown as { getPeerCertificate(): { subject?: { CN: string } } }
    ).getPeerCertificate();
    response.end(subject?.CN ?? 'nobody');
  };

  test('trusts the given CA, verifies the given server name, and presents the client certificate', () =>
    withServer(answer, async ({ api }) => assert.equal((await api.request('GET', '/')).body.toString(), 'me'), {
      server: tlsServer(),
      tls: () => ({ ca: pem('ca.crt'), servername: 'api.test', cert: pem('me.crt'), key: pem('me.key') }),
    }));

  test('explains why a certificate of another CA or for another name is refused', async () => {
    await withServer(
      answer,
      async ({ api }) =>
        assert.rejects(api.request('GET', '/'), /its certificate is (self-signed|not signed|signed by an authority)/),
      { server: tlsServer(), tls: () => ({ ca: pem('other.crt'), servername: 'api.test' }) },
    );
    await withServer(
      answer,
      async ({ api }) =>
        assert.rejects(api.request('GET', '/'), /its certificate is for another host; see tls-server-name/),
      { server: tlsServer(), tls: () => ({ ca: pem('ca.crt'), servername: 'wrong.test' }) },
    );
  });

  test('says in words that the server does not speak TLS, or ends the handshake', async () => {
    await withServer(
      answer,
      async ({ api }) =>
        assert.rejects(
          api.request('GET', '/'),
          /: it does not speak TLS there; use `http:\/\/`.* \(ERR_SSL_[A-Z_]+\)$/,
        ),
      { tls: () => ({}) },
    );
    const strict = createTlsServer({ cert: pem('api.crt'), key: pem('api.key'), maxVersion: 'TLSv1.2' });
    await withServer(
      answer,
      async ({ api }) => assert.rejects(api.request('GET', '/'), /: TLS: [a-z0-9 ]+ \(ERR_SSL_[A-Z0-9_]+\)$/),
      { server: strict, tls: () => ({ ca: pem('ca.crt'), servername: 'api.test', minVersion: 'TLSv1.3' }) },
    );
  });

  test('reports a client certificate and key that cannot be used', async () => {
    for (const key of ['other.key', 'me.crt']) {
      await withServer(
        answer,
        async ({ api }) =>
          assert.rejects(
            api.request('GET', '/'),
            /the client certificate of the kubeconfig and its key cannot be used/,
          ),
        { server: tlsServer(), tls: () => ({ ca: pem('ca.crt'), cert: pem('me.crt'), key: pem(key) }) },
      );
    }
  });

  test('uses a CA that was replaced while running', async () => {
    let ca = 'other.crt';
    await withServer(
      answer,
      async ({ api }) => {
        await assert.rejects(api.request('GET', '/'));
        ca = 'ca.crt';
        assert.equal((await api.request('GET', '/')).status, 200);
      },
      { server: tlsServer(), tls: () => ({ ca: pem(ca), servername: 'api.test' }) },
    );
  });
});

describe('what a gateway before the API server answers', () => {
  const token = 'c4nary-cluster-token';
  const status = (text: string) =>
    JSON.stringify({ kind: 'Status', code: 403, reason: text, message: `denied ${text}` });
  const echo: RequestListener = ({ headers, url }, response) => {
    const sent = String(headers.authorization);
    if (url === '/login') return void response.setHeader('content-type', `text/html; ${sent}`).end('<html>');
    response.writeHead(403).end(url === '/page' ? `<pre>${encodeURIComponent(sent)}</pre>` : status(sent));
  };

  test('is told without the token that it repeats', () =>
    withServer(
      echo,
      async ({ api }) => {
        const { signal } = new AbortController();
        const failed = async (path: string) => errorOfResponse(await api.stream(path, {}, signal), systemClock);
        assert.equal((await failed('/status')).message, '403 ***: denied ***');
        assert.equal((await failed('/page')).message, '403: <pre>***</pre>');
        const login = await api.stream('/login', {}, signal);
        assert.throws(() => checkContentType(login), /content type text\/html; \*\*\*$/);
        assert.equal(describeResponse(await api.request('GET', '/status')), 'it answered 403: denied ***');
      },
      { token: () => token },
    ));

  test('to a watch is told without the token of before a renewal', () => {
    let [sent, count] = ['', 0];
    const late: RequestListener = ({ headers }, response) => {
      sent ||= String(headers.authorization);
      response.writeHead(500).end(`no luck with ${sent}`);
    };
    return withServer(
      late,
      async ({ api }) => {
        const { signal } = new AbortController();
        await api.stream('/', {}, signal);
        const { message } = await errorOfResponse(await api.stream('/', {}, signal), systemClock);
        assert.equal(message, '500: no luck with ***');
      },
      { token: () => `${token}-${count++}` },
    );
  });
});
