import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, test, type TestContext } from 'node:test';
import { systemClock } from '../clock.ts';
import type { Health } from '../health.ts';
import { createLogger } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import type { ScopeHealth } from '../source/source.ts';
import type { Outlook } from './outlook.ts';
import { parseListen, startWeb } from './server.ts';

const WATCHING: ScopeHealth = {
  kind: 'pod',
  resource: 'pods',
  namespace: '',
  state: 'watching',
  problem: undefined,
  objects: 0,
  lastHeardAt: undefined,
};
const DEGRADED: ScopeHealth = {
  ...WATCHING,
  resource: 'secrets',
  namespace: 'shop',
  state: 'degraded',
  problem: 'forbidden',
};

function healthOf(...scopes: ScopeHealth[]): Health {
  const degraded = scopes.filter(({ state }) => state === 'degraded');
  return {
    ready: scopes.some(({ state }) => state === 'watching'),
    phase: 'running',
    scopes,
    degraded,
    configProblem: undefined,
  };
}

async function serve(t: TestContext, health: Health, listen = '127.0.0.1:0') {
  const stream = new PassThrough();
  const lines: string[] = [];
  stream.setEncoding('utf8').on('data', (line: string) => lines.push(line));
  const log = createLogger({ level: 'info', json: true, color: false, stream });
  const outlook: Outlook = {
    log,
    clock: systemClock,
    metrics: createMetrics(),
    health: () => health,
    receivers: () => [],
    clusterName: () => 'test',
    store: () => undefined,
    api: () => undefined,
  };
  const settings = { token: undefined, clusterAccess: false, hosts: [], basePath: '' };
  const web = await startWeb({ listen, outlook, settings });
  t.after(() => web.close());
  return { address: web.address, lines };
}

/** Not fetch: it would mend the path first. */
async function ask(
  address: string | undefined,
  path: string,
  method = 'GET',
): Promise<{ status?: number; body: string }> {
  const [host, port] = (address ?? '').split(':');
  const [response] = await once(request({ host, port, path, method, agent: false }).end(), 'response');
  const { statusCode: status } = response as { statusCode?: number };
  let body = '';
  for await (const chunk of response as AsyncIterable<Buffer>) body += chunk.toString();
  return { ...(status === undefined ? {} : { status }), body };
}

describe('startWeb()', () => {
  test('answers /livez, /readyz and /metrics, with or without a query', async (t) => {
    const { address } = await serve(t, healthOf(WATCHING));
    assert.deepEqual(await ask(address, '/livez'), { status: 200, body: 'ok\n' });
    assert.deepEqual(await ask(address, '/readyz?verbose'), { status: 200, body: 'ok\n' });
    const metrics = await ask(address, '/metrics');
    assert.equal(metrics.status, 200);
    assert.match(metrics.body, /^# HELP watchchain_changes_total /m);
  });

  test('/readyz names what is degraded and stays ready for the others', async (t) => {
    const { address } = await serve(t, healthOf(WATCHING, DEGRADED));
    assert.deepEqual(await ask(address, '/readyz'), {
      status: 200,
      body: 'ok, degraded\ndegraded: secrets in shop: forbidden\n',
    });
  });

  test('/readyz answers 503 with what is still under way', async (t) => {
    const { address } = await serve(t, healthOf({ ...WATCHING, state: 'listing' }));
    assert.deepEqual(await ask(address, '/readyz'), { status: 503, body: 'not ready: running\nlisting: pods\n' });
  });

  test('answers HEAD without a body, other methods with 405, other paths with 404', async (t) => {
    const { address, lines } = await serve(t, healthOf(WATCHING));
    assert.deepEqual(await ask(address, '/livez', 'HEAD'), { status: 200, body: '' });
    assert.equal((await ask(address, '/livez', 'POST')).status, 405);
    assert.equal((await ask(address, '/nothing')).status, 404);
    assert.equal((await ask(address, '//')).status, 404, 'which is no URL');
    assert.equal(lines.filter((line) => line.includes('"error"')).length, 0, 'what a client asks is no error of ours');
  });

  test('goes on without when the address is taken', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    const { address, lines } = await serve(t, healthOf(WATCHING), `127.0.0.1:${port}`);
    assert.equal(address, undefined);
    assert.match(lines.join(''), /the address is in use/);
  });
});

test('parseListen() takes a host, none, and IPv6 in brackets, and says what it wants', () => {
  assert.deepEqual(parseListen('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 });
  assert.deepEqual(parseListen(':8080'), { host: '0.0.0.0', port: 8080 });
  assert.deepEqual(parseListen('[::1]:8080'), { host: '::1', port: 8080 });
  for (const wrong of ['8080', 'localhost', '127.0.0.1:70000', '::1:8080']) {
    assert.throws(() => parseListen(wrong), /expected HOST:PORT/, wrong);
  }
});
