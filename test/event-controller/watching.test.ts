/** The Event Controller's acceptance list, A5: what it watches, and how it continues. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { ApiServer } from '../../src/testing/api-server.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { until } from '../until.ts';
import { environmentFor, LEGACY_ROUTES, route, ROUTES, start, startCluster, type Controller } from './controller.ts';

/** The paths of a server's watches. */
function watched({ requests }: ApiServer): readonly string[] {
  const watches = requests.filter(({ query }) => query.get('watch') === 'true' || query.get('watch') === '1');
  return [...new Set(watches.map(({ path }) => path))];
}

const said = (controller: Controller) => controller.lines().filter((line) => /Event Type/.test(line));
const DEMO = '/apis/route.openshift.io/v1/namespaces/demo/routes';

describe('event controller: what it watches', () => {
  for (const [what, env, path] of [
    ['a namespace', {}, DEMO],
    ['a namespace, K8S_NAMESPACED in any case', { K8S_NAMESPACED: 'TRUE' }, DEMO],
    ['all namespaces', { K8S_NAMESPACED: 'false', K8S_NAMESPACE: '' }, '/apis/route.openshift.io/v1/routes'],
    ['a literal path', { K8S_API_PATH: 'api/v1/namespaces/shop/configmaps' }, '/api/v1/namespaces/shop/configmaps'],
    ['a literal path of a group', { K8S_API_PATH: '/apis/apps/v1/deployments' }, '/apis/apps/v1/deployments'],
    ['a named group', { K8S_API_GROUP: 'api', K8S_RESOURCE: 'pods' }, '/api/v1/namespaces/demo/pods'],
  ] as const) {
    test(`6: ${what}: the request goes to ${path}`, async (t) => {
      const { server, env: own } = await startCluster(t);
      const controller = await start(t, { env: { ...own, ...env } });
      await controller.app.idle();
      await server.waitForWatches(1, path);
      assert.deepEqual(watched(server), [path]);
    });
  }

  test('7: routes are those of route.openshift.io, found by discovery', async (t) => {
    const { server, env } = await startCluster(t);
    await start(t, { env });
    await server.waitForWatches(1, DEMO);
  });

  test('7: with only oapi/v1, as on OpenShift 3, its routes are watched, and reported as Route', async (t) => {
    const { server, env } = await startCluster(t, { resources: [LEGACY_ROUTES] });
    const controller = await start(t, { env });
    await server.waitForWatches(1, '/oapi/v1/namespaces/demo/routes');
    server.create(route('web', 'demo', 'v1'));
    await controller.line(/^\[INFO\] Kind: Route; Name: web; Event Type:ADDED$/);
  });

  test('7: a named group wins over a newer one', async (t) => {
    const { server, env } = await startCluster(t, { resources: [ROUTES, LEGACY_ROUTES] });
    await start(t, { env: { ...env, K8S_API_GROUP: 'oapi' } });
    await server.waitForWatches(1, '/oapi/v1/namespaces/demo/routes');
  });
});

describe('event controller: restarts and failures', () => {
  test('existing objects arrive as ADDED at the first start only; 12: deletions in the meantime are reported', async (t) => {
    await using workdir = await Workdir.make();
    const { server, env } = await startCluster(t);
    server.create(route('a'));
    server.create(route('b'));
    const first = await start(t, { env, state: workdir.path });
    await first.app.idle();
    assert.deepEqual(said(first), [
      '[INFO] Kind: Route; Name: a; Event Type:ADDED',
      '[INFO] Kind: Route; Name: b; Event Type:ADDED',
    ]);
    await first.app.stop();
    server.delete('Route', 'a', 'demo');
    const second = await start(t, { env, state: workdir.path });
    await second.line(/Name: a; Event Type:DELETED/);
    assert.equal(said(second).length, 1);
  });

  for (const effect of ['end', 'resetMidLine', 'endMidLine'] as const) {
    test(`12: a watch that ends (${effect}) resumes where it was, and nothing is reported twice`, async (t) => {
      const { server, env } = await startCluster(t);
      server.create(route('a'));
      const controller = await start(t, { env });
      await controller.app.idle();
      await server.waitForWatches(1, DEMO);
      server.fault({ effect, watch: true, times: 1 });
      server.create(route('b'));
      await controller.line(/Name: b; Event Type:ADDED/);
      server.create(route('c'));
      await controller.line(/Name: c; Event Type:ADDED/);
      assert.equal(said(controller).length, 3);
    });
  }

  test('13: a 410 leads to one list; no bookmark and no ERROR reaches the plug-in', async (t) => {
    const { server, env } = await startCluster(t);
    server.create(route('a'));
    const controller = await start(t, { env });
    await controller.app.idle();
    await server.waitForWatches(1, DEMO);
    server.bookmark();
    const lists = () => server.requests.filter(({ path, query }) => path === DEMO && !query.has('watch')).length;
    const before = lists();
    server.fault({ effect: 'errorEvent', status: 410, watch: true, times: 1 });
    server.create(route('b'));
    await controller.line(/Name: b; Event Type:ADDED/);
    assert.equal(lists() - before, 1);
    assert.equal(said(controller).length, 2);
  });

  test('14: after a 401 the token is read again; a 403 is logged, and it recovers', async (t) => {
    await using workdir = await Workdir.make();
    const { server, env } = await startCluster(t);
    await writeFile(workdir.file('token'), 's3cr3t-token\n');
    const { K8S_TOKEN: _, ...others } = env;
    const controller = await start(t, { env: others, serviceAccountDir: workdir.path });
    await controller.app.idle();
    await server.waitForWatches(1, DEMO);
    await writeFile(workdir.file('token'), 'next\n');
    server.rotateToken('next');
    server.fault({ effect: 'end', watch: true, times: 1 });
    server.create(route('web'));
    await controller.line(/Name: web; Event Type:ADDED/);
    server.allow(() => false);
    server.fault({ effect: 'end', watch: true, times: 1 });
    server.create(route('later'));
    const line = await controller.line(/\[WARNING\].*(403|forbidden)/i);
    assert.match(line, /watch.*routes.*demo/);
    server.allow(() => true);
    await controller.line(/Name: later; Event Type:ADDED/);
  });

  test('14: a resource that is not served is one line, and is watched once it is served', async (t) => {
    const { server, env } = await startCluster(t, { resources: [] });
    const clock = new FakeClock();
    const controller = await start(t, { env: { ...env, K8S_API_GROUP: 'apis/route.openshift.io' }, clock });
    assert.match(await controller.line(/\[WARNING\].*routes/), /route\.openshift\.io/);
    assert.equal(controller.lines().filter((line) => /^\[(WARNING|ERROR)\].*routes/.test(line)).length, 1);
    server.addResource(ROUTES);
    server.create(route('web'));
    for (let told = false; !told; told = said(controller).length > 0) {
      await clock.advance(1_000);
      t.signal.throwIfAborted();
    }
    assert.deepEqual(said(controller), ['[INFO] Kind: Route; Name: web; Event Type:ADDED']);
  });

  test('15: a server that falls silent is noticed within 60 s, and the watch is resumed', async (t) => {
    const { server, env } = await startCluster(t);
    const clock = new FakeClock();
    const controller = await start(t, { env, clock });
    await controller.app.idle();
    await server.waitForWatches(1, DEMO);
    const stall = server.fault({ effect: 'stall', watch: true, times: 1 });
    server.create(route('web'));
    assert.equal(stall.hits, 1);
    await clock.advance(60_000);
    const restarts = await controller.app.metrics.watchRestarts.get();
    assert.deepEqual(
      restarts.values.map(({ labels }) => labels.reason),
      ['stalled'],
    );
    // What remains is the backoff of the first failure, at most 0.8 s, and the change's wait to be accepted.
    for (let told = false; !told; told = said(controller).length > 0) {
      await clock.advance(100);
      t.signal.throwIfAborted();
    }
    assert.deepEqual(said(controller), ['[INFO] Kind: Route; Name: web; Event Type:ADDED']);
  });

  test('21: SIGTERM exits with 0; /readyz is 503 while the cluster refuses', async (t) => {
    const { server } = await startCluster(t);
    await using workdir = await Workdir.make();
    const env = environmentFor(server);
    await using program = new Program(
      ['--compat', 'event-controller', '--log-format', 'json', '--listen', '127.0.0.1:0'],
      {
        cwd: workdir.path,
        env,
      },
    );
    await program.ready();
    server.fault({ effect: 'status', status: 403 });
    server.fault({ effect: 'end', watch: true, times: 1 });
    server.create(route('web'));
    await program.until('the outage', ({ stderr }) => /403/.test(stderr));
    await until('not being ready', async () => (await fetch(`${program.url()}/readyz`)).status === 503);
    const { code } = await program.stop();
    assert.equal(code, 0);
  });
});
