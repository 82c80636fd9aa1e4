import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ApiClient, ApiResponse } from '../source/api.ts';
import { TestWeb, type WebResponse } from '../testing/test-web.ts';

const TOKEN = 'a-token-of-20-letters';
const LOCAL = '0.0.0.0:0';
const SCOPES = 'scopes.authorization.openshift.io';

/** The access to each route. A route that is missing here fails the tests: whoever adds one has to say who may use it. */
const POLICY: Readonly<Record<string, 'probe' | 'open' | 'read' | 'write'>> = {
  'GET /livez': 'probe',
  'GET /readyz': 'probe',
  'GET /metrics': 'probe',
  'GET /': 'read',
  'GET /fragments': 'read',
  'GET /assets/{name}': 'open',
  'POST /login': 'open',
  'POST /logout': 'open',
  'GET /api/changes': 'read',
  'GET /api/dead-letters': 'read',
  'POST /api/dead-letters/replay': 'write',
  'POST /api/dead-letters/discard': 'write',
  'GET /openapi.json': 'read',
  'GET /healthz': 'probe',
  'GET /-/healthy': 'probe',
  'GET /-/ready': 'probe',
  'GET /config': 'read',
  'GET /status': 'read',
  'GET /pod-restart-alerts': 'read',
  'GET /api/alerts': 'read',
  'POST /api/alerts/ack': 'write',
  'GET /events/{namespace}': 'read',
  'GET /events/{namespace}/{pod}': 'read',
  'GET /pods/{namespace}': 'read',
  'GET /pods/{namespace}/{pod}': 'read',
};

async function servedRoutes(web: TestWeb, headers: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const { body } = await web.ask('/openapi.json', { headers });
  const { paths } = JSON.parse(body) as { paths: Record<string, Record<string, object>> };
  return Object.entries(paths).flatMap(([path, verbs]) =>
    Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path}`),
  );
}

/** A request that is valid apart from its token. */
function visit(web: TestWeb, route: string, token: string | undefined): Promise<WebResponse> {
  const [method = '', path = ''] = route.split(' ');
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const place = path.replace('{name}', 'page.js').replaceAll(/\{\w+\}/g, 'default');
  return method === 'POST'
    ? web.post(place, { ids: [path.includes('alerts') ? 'a/b' : 1] }, headers)
    : web.ask(place, { headers });
}

function answer(status: object): ApiResponse {
  return { status: 201, headers: {}, body: Buffer.from(JSON.stringify({ status })) };
}

/** A cluster that knows `reader`, `writer` and `guest`, who has no rights. Records what it was asked. */
function cluster(): ApiClient & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    host: 'api',
    asked,
    request(_method, path, { body } = {}) {
      const { spec } = body as {
        spec: { token?: string; user?: string; nonResourceAttributes?: { verb: string; path: string } };
      };
      if (path.endsWith('/tokenreviews')) {
        asked.push(`review ${spec.token}`);
        const known = ['reader', 'writer', 'guest'].includes(spec.token ?? '');
        return Promise.resolve(
          answer(
            known ? { authenticated: true, user: { username: spec.token, groups: ['g'] } } : { authenticated: false },
          ),
        );
      }
      const { verb, path: wanted } = spec.nonResourceAttributes ?? { verb: '', path: '' };
      asked.push(`${spec.user} ${verb} ${wanted}`);
      return Promise.resolve(answer({ allowed: spec.user === 'writer' || (verb === 'get' && spec.user !== 'guest') }));
    },
    stream: () => Promise.reject(new Error('not asked for')),
    close: () => Promise.resolve(),
  };
}

describe('access', () => {
  test('has a policy in this test for every served route, and a route for every policy', async (t) => {
    const web = await TestWeb.start(t);
    assert.deepEqual((await servedRoutes(web, {})).toSorted(), Object.keys(POLICY).toSorted());
  });

  test('on loopback is open to everyone on this machine', async (t) => {
    const web = await TestWeb.start(t);
    for (const route of Object.keys(POLICY)) {
      const { status } = await visit(web, route, undefined);
      assert.ok(![401, 403, 404, 405].includes(status) || route === 'POST /login', `${route}: ${status}`);
    }
    const named = await TestWeb.start(t, { listen: 'localhost:0' });
    assert.equal((await visit(named, 'GET /', undefined)).status, 200);
  });

  test('with a token is limited to its holder, except for probes and what the login needs', async (t) => {
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { token: TOKEN } });
    for (const [route, access] of Object.entries(POLICY)) {
      const isOpen = access === 'probe' || access === 'open';
      for (const wrong of [undefined, 'another', `${TOKEN}x`, '']) {
        const { status } = await visit(web, route, wrong);
        if (route !== 'POST /login') assert.equal(status === 401, !isOpen, `${route} with ${wrong}: ${status}`);
      }
      const { status } = await visit(web, route, TOKEN);
      assert.ok(![401, 403].includes(status), `${route}: ${status}`);
    }
  });

  test('with clusterAccess requires get to read and update to write', async (t) => {
    const api = cluster();
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { clusterAccess: true }, api });
    for (const [route, access] of Object.entries(POLICY)) {
      if (access === 'probe' || access === 'open') continue;
      assert.equal((await visit(web, route, 'stranger')).status, 401, route);
      assert.equal((await visit(web, route, undefined)).status, 401, route);
      assert.equal((await visit(web, route, 'reader')).status === 403, access === 'write', route);
      assert.ok(![401, 403].includes((await visit(web, route, 'writer')).status), route);
    }
    assert.ok(api.asked.includes('writer update /api/dead-letters/replay'));
    assert.ok(!api.asked.includes('reader get /assets/page.js'), 'an open route needs no access review');
  });

  test('configured as open is granted to everyone, and a warning is logged', async (t) => {
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { open: true } });
    for (const route of Object.keys(POLICY)) {
      const { status } = await visit(web, route, undefined);
      assert.ok(![401, 403].includes(status) || route === 'POST /login', `${route}: ${status}`);
    }
    assert.match(web.log, /Anyone who can reach this address may see and do everything/);
  });

  test('without token or clusterAccess is limited to probes outside of loopback, which is explained', async (t) => {
    const web = await TestWeb.start(t, { listen: LOCAL });
    for (const [route, access] of Object.entries(POLICY)) {
      const { status, body } = await visit(web, route, 'anything');
      assert.equal(status === 403, access !== 'probe', `${route}: ${status}`);
      if (status === 403) assert.match(body, /set \[web\] token or clusterAccess, or listen on loopback/);
    }
    assert.match(web.log, /only \/livez, \/readyz and \/metrics are served/);
  });
});

describe('an access review by the cluster', () => {
  test('is cached: the user for 1 minute, yes for 5 minutes, no for 30 s', async (t) => {
    const api = cluster();
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { clusterAccess: true }, api });
    const count = (what: string) => api.asked.filter((asked) => asked === what).length;
    const get = () => visit(web, 'GET /api/changes', 'reader');
    const replay = () => visit(web, 'POST /api/dead-letters/replay', 'reader');
    await Promise.all([get(), get(), get()]);
    assert.equal(count('review reader'), 1, 'the same question at the same time is asked once');
    await replay();
    await web.clock.advance(31_000);
    await get();
    await replay();
    assert.equal(count('reader get /api/changes'), 1);
    assert.equal(count('reader update /api/dead-letters/replay'), 2);
    await web.clock.advance(30_000);
    await get();
    assert.equal(count('review reader'), 2);
    await web.clock.advance(240_000);
    await get();
    assert.equal(count('reader get /api/changes'), 2);
  });

  test('includes the scopes of the token', async (t) => {
    const extra = { [SCOPES]: ['user:info'] };
    const request: ApiClient['request'] = async (_method, path, { body } = {}) => {
      const { spec } = body as { spec: { extra?: Readonly<Record<string, unknown>> } };
      if (path.endsWith('/tokenreviews')) return answer({ authenticated: true, user: { username: 'writer', extra } });
      return answer({ allowed: spec.extra?.[SCOPES] === undefined });
    };
    const limited = { ...cluster(), request };
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { clusterAccess: true }, api: limited });
    assert.equal((await visit(web, 'GET /api/changes', 'limited')).status, 403);
  });

  test('is requested for at most 50 tokens at once', async (t) => {
    const held = Promise.withResolvers<void>();
    let [asked, refused] = [0, 0];
    const request: ApiClient['request'] = async () => {
      if (++asked > 50) held.resolve();
      await held.promise;
      return answer({ authenticated: false });
    };
    const web = await TestWeb.start(t, {
      listen: LOCAL,
      settings: { clusterAccess: true },
      api: { ...cluster(), request },
    });
    const stranger = async (_: unknown, n: number): Promise<number> => {
      const { status } = await visit(web, 'GET /api/changes', `stranger-${n}`);
      if (status === 403 && ++refused === 10) held.resolve();
      return status;
    };
    await Promise.all(Array.from({ length: 60 }, stranger));
    assert.deepEqual([asked, refused], [50, 10]);
    assert.equal(await stranger(undefined, 60), 401, 'reviews go on once those under way are answered');
  });

  test('that is unavailable admits nobody, while probes still answer', async (t) => {
    const api = cluster();
    let isDown = true;
    const request: ApiClient['request'] = (...asked) =>
      isDown ? Promise.reject(new Error('connection refused')) : api.request(...asked);
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { clusterAccess: true }, api: { ...api, request } });
    assert.partialDeepStrictEqual(await visit(web, 'GET /', 'reader'), {
      status: 403,
      body: 'you may not see this, or the cluster cannot be asked whether you may\n',
    });
    assert.equal((await visit(web, 'GET /readyz', undefined)).status, 200);
    isDown = false;
    assert.equal((await visit(web, 'GET /', 'reader')).status, 200);
  });

  test('is requested for the path without the base path', async (t) => {
    const api = cluster();
    const settings = { clusterAccess: true, basePath: '/w' };
    const web = await TestWeb.start(t, { listen: LOCAL, settings, api });
    for (const path of ['/w/api/changes', '/w']) await visit(web, `GET ${path}`, 'reader');
    assert.deepEqual(
      api.asked.filter((asked) => asked.startsWith('reader')),
      ['reader get /api/changes', 'reader get /'],
    );
  });
});

describe('login', () => {
  const cookieOf = ({ headers }: WebResponse): string => headers['set-cookie']?.[0] ?? '';

  test('gives a browser a form, and for the token an HttpOnly, SameSite cookie', async (t) => {
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { token: TOKEN, basePath: '/w' } });
    const page = await web.ask('/w/', { headers: { accept: 'text/html' } });
    assert.deepEqual([page.status, /<form[^>]+id="login"/.test(page.body)], [401, true]);
    const wrong = await web.post('/w/login', { token: 'wrong' });
    assert.deepEqual([wrong.status, cookieOf(wrong)], [401, '']);
    const cookie = cookieOf(await web.post('/w/login', { token: TOKEN }, { 'x-forwarded-proto': 'https' }));
    assert.match(cookie, /^watchchain=[\w-]{43}; Path=\/w; HttpOnly; SameSite=Strict; Max-Age=28800; Secure$/);
    assert.doesNotMatch(cookie, new RegExp(TOKEN));
    const headers = { cookie: cookie.split(';')[0] ?? '' };
    assert.equal((await web.ask('/w/', { headers })).status, 200);
    const besides = { cookie: `watchchain=${'A'.repeat(43)}; ${headers.cookie}; watchchain=${'B'.repeat(43)}` };
    assert.equal(
      (await web.ask('/w/', { headers: besides })).status,
      200,
      'cookies of the same name from elsewhere are ignored',
    );
    await web.clock.advance(8 * 3_600_000 + 1);
    assert.equal((await web.ask('/w/', { headers })).status, 401);
  });

  test('sets a Secure cookie if the browser used https, however many proxies there are', async (t) => {
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { token: TOKEN } });
    const isSecure = async (scheme: string): Promise<boolean> =>
      cookieOf(await web.post('/login', { token: TOKEN }, { 'x-forwarded-proto': scheme })).endsWith('; Secure');
    assert.deepEqual([await isSecure('https,http'), await isSecure('https, https')], [true, true]);
    assert.deepEqual(
      [await isSecure('http,https'), await isSecure('http')],
      [false, false],
      'a browser would not keep a Secure cookie',
    );
  });

  test('ends on logout for a copy of the cookie too, but not for other sessions', async (t) => {
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { token: TOKEN, basePath: '/w' } });
    const login = async () => ({
      cookie: cookieOf(await web.post('/w/login', { token: TOKEN })).split(';')[0] ?? '',
      accept: 'text/html',
    });
    const [mine, another] = [await login(), await login()];
    assert.match((await web.ask('/w/', { headers: mine })).body, /Log out/);
    assert.doesNotMatch((await web.ask('/w/', { headers: { authorization: `Bearer ${TOKEN}` } })).body, /Log out/);
    const out = await web.post('/w/logout', {}, { cookie: mine.cookie });
    assert.deepEqual([out.status, cookieOf(out)], [204, 'watchchain=; Path=/w; HttpOnly; SameSite=Strict; Max-Age=0']);
    assert.equal((await web.ask('/w/', { headers: mine })).status, 401);
    assert.equal((await web.ask('/w/', { headers: another })).status, 200);
  });

  test('keeps 100 sessions: the 101st ends the oldest', async (t) => {
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { token: TOKEN } });
    const cookies: string[] = [];
    for (let n = 0; n <= 100; n++)
      cookies.push(cookieOf(await web.post('/login', { token: TOKEN })).split(';')[0] ?? '');
    const statusOf = async (cookie = ''): Promise<number> => (await web.ask('/', { headers: { cookie } })).status;
    assert.deepEqual([await statusOf(cookies[0]), await statusOf(cookies[1])], [401, 200]);
  });

  test('shows the form again to a browser whose token has lost access', async (t) => {
    const api = cluster();
    let user = 'reader';
    const asNow: ApiClient['request'] = (method, path, options) =>
      api.request(method, path, path.endsWith('/tokenreviews') ? { body: { spec: { token: user } } } : options);
    const web = await TestWeb.start(t, {
      listen: LOCAL,
      settings: { clusterAccess: true },
      api: { ...api, request: asNow },
    });
    const headers = {
      cookie: cookieOf(await web.post('/login', { token: 'a' })).split(';')[0] ?? '',
      accept: 'text/html',
    };
    assert.equal((await web.ask('/', { headers })).status, 200);
    user = 'guest';
    await web.clock.advance(5 * 60_000 + 1);
    const page = await web.ask('/', { headers });
    assert.deepEqual([page.status, /<form[^>]+id="login"/.test(page.body)], [403, true]);
    assert.match(page.body, /may not see this/);
  });

  test('without access starts no session and ends none of others, even while the cluster is down', async (t) => {
    const api = cluster();
    let isDown = false;
    const request: ApiClient['request'] = (...asked) =>
      isDown ? Promise.reject(new Error('connection refused')) : api.request(...asked);
    const web = await TestWeb.start(t, { listen: LOCAL, settings: { clusterAccess: true }, api: { ...api, request } });
    const headers = { cookie: cookieOf(await web.post('/login', { token: 'reader' })).split(';')[0] ?? '' };
    const guest = await web.post('/login', { token: 'guest' });
    assert.deepEqual([guest.status, cookieOf(guest)], [403, '']);
    isDown = true;
    for (let n = 0; n < 100; n++) await web.post('/login', { token: `stranger-${n}` });
    isDown = false;
    assert.equal((await web.ask('/', { headers })).status, 200);
  });
});

describe('cross-site requests', () => {
  const REPLAY = '/api/dead-letters/replay';

  test('with a foreign Host header are refused with 421', async (t) => {
    const web = await TestWeb.start(t, { settings: { hosts: ['Watch.example'] } });
    for (const host of ['localhost:1', '127.0.0.1', '[::1]:80', 'watch.example', 'WATCH.example:8443', '10.1.2.3'])
      assert.equal((await web.ask('/', { headers: { host } })).status, 200, host);
    for (const host of ['evil.example', 'localhost.evil.example', 'watch.example.evil', '127.0.0.1.nip.io'])
      assert.equal((await web.ask('/', { headers: { host } })).status, 421, host);
    const { body } = await web.ask('/', { headers: { host: 'new.example:8443' } });
    assert.match(body, /"new\.example": see \[web\] hosts/, 'the host as the configuration wants it');
    assert.equal((await web.ask('/livez', { headers: { host: 'watchchain.monitoring.svc' } })).status, 200);
  });

  test('that change something need our origin, JSON and our header', async (t) => {
    const web = await TestWeb.start(t, { settings: { hosts: ['watch.example'] } });
    const host = `127.0.0.1:${web.endpoint.port}`;
    const statusOf = async (headers: Readonly<Record<string, string>>) =>
      (await web.post(REPLAY, { ids: [1] }, { host, ...headers })).status;
    assert.equal(await statusOf({}), 200);
    assert.equal(await statusOf({ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }), 200);
    assert.equal(await statusOf({ origin: 'https://watch.example' }), 200, 'a proxy has put its own name into Host');
    assert.equal(await statusOf({ origin: 'https://evil.example' }), 403);
    assert.equal(await statusOf({ origin: 'null' }), 403);
    assert.equal(await statusOf({ 'sec-fetch-site': 'cross-site' }), 403);
    assert.equal(await statusOf({ 'sec-fetch-site': 'same-site' }), 403);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=a'])
      assert.equal(await statusOf({ 'content-type': type }), 415, type);
    const headers = { host, 'content-type': 'application/json' };
    assert.equal((await web.ask(REPLAY, { method: 'POST', headers, body: '{"ids":[1]}' })).status, 403);
  });
});
