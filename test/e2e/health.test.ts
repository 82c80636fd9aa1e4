/** What the service reports when something is wrong. A full disk is row 28 of test/faults. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig } from './main-job.ts';
import { World, type Running } from './world.ts';

const OBJECTS = 6;
const DEPLOYMENTS = '/apis/apps/v1/deployments';

async function ask({ app }: Running, path: string) {
  const response = await fetch(`http://${app.listening}${path}`);
  return { status: response.status, body: await response.text() };
}

async function startWorld(status = 200): Promise<World> {
  const world = await World.start(() => ({ status }));
  for (let n = 0; n < OBJECTS; n++) world.server.create(deployment(`web-${n}`, 'nginx', 1));
  return world;
}

/** Advances time minute by minute until the condition holds, an hour at most. */
async function pass(clock: FakeClock, condition: () => Promise<boolean>): Promise<void> {
  for (let minute = 0; minute < 60; minute++) {
    if (await condition()) return;
    await clock.advance(60_000);
  }
  assert.fail('an hour passed in vain');
}

describe('health', () => {
  test('a silent watch is degraded after 15 minutes, and ready again after a bookmark', async () => {
    await using world = await startWorld();
    const clock = new FakeClock();
    const config = kwatchmanConfig(world.slack.url, ['deployment']);
    await using running = await world.run({ config, listen: '127.0.0.1:0', clock });
    assert.deepEqual(await ask(running, '/readyz'), { status: 200, body: 'ok\n' });
    const silentFrom = clock.now();
    await pass(clock, async () => /stale/.test((await ask(running, '/readyz')).body));
    const { status, body } = await ask(running, '/readyz');
    assert.equal(status, 503, 'nothing else is watched');
    assert.match(body, /^degraded: apps\/v1\/deployments: stale: nothing received for 1[5-9] minutes/m);
    assert.match(
      (await ask(running, '/metrics')).body,
      new RegExp(`^watchchain_scope_last_heard_timestamp_seconds\\{.*\\} ${silentFrom / 1_000}$`, 'm'),
    );
    await pass(clock, async () => {
      world.server.bookmark();
      return (await ask(running, '/readyz')).status === 200;
    });
  });

  test('a server without bookmarks stays ready, as it ends each watch in time', async () => {
    await using world = await startWorld();
    const clock = new FakeClock();
    const config = kwatchmanConfig(world.slack.url, ['deployment']);
    await using running = await world.run({ config, listen: '127.0.0.1:0', clock });
    const heard = () => running.app.health().scopes[0]?.lastHeardAt;
    for (let n = 0; n < 3; n++) {
      await clock.advance(299_000);
      world.server.fault({ path: DEPLOYMENTS, watch: true, times: 1, effect: 'end' });
      await pass(clock, () => Promise.resolve((heard() ?? 0) >= clock.now() - 60_000));
    }
    assert.deepEqual(await ask(running, '/readyz'), { status: 200, body: 'ok\n' });
  });

  test('a receiver that fails shows in the metrics and on the page, and the service stays ready', async () => {
    await using world = await startWorld(500);
    const clock = new FakeClock();
    const config = kwatchmanConfig(world.slack.url, ['deployment']);
    await using running = await world.run({ config, listen: '127.0.0.1:0', clock });
    for (let n = 0; n < OBJECTS; n++) world.server.update(deployment(`web-${n}`, 'nginx', 2));
    const opened = async () => /^watchchain_breaker_open\{.*\} 1$/m.test((await ask(running, '/metrics')).body);
    await pass(clock, async () => {
      world.server.bookmark();
      return opened();
    });
    assert.match((await ask(running, '/')).body, />paused</);
    assert.deepEqual(await ask(running, '/readyz'), { status: 200, body: 'ok\n' });
    assert.equal((await running.app.store.balances())[0]?.pending, OBJECTS, 'nothing is lost');
    await clock.advance(15_000);
    await pass(clock, async () => {
      world.server.bookmark();
      return /^watchchain_pending\{.*\} 6$/m.test((await ask(running, '/metrics')).body);
    });
  });

  test('requests during the stop are answered, without an error in the log', async (t) => {
    await using world = await startWorld();
    await using running = await world.run({ listen: '127.0.0.1:0' });
    const { store } = running.app;
    const [close, statuses] = [store.close.bind(store), [] as number[]];
    t.mock.method(store, 'close', async () => {
      await close();
      for (const path of ['/', '/fragments', '/status', '/api/changes', '/api/dead-letters'])
        statuses.push((await ask(running, path)).status);
    });
    await running.app.stop();
    assert.deepEqual(statuses, [200, 200, 200, 503, 503]);
    assert.doesNotMatch(running.serviceLog(), /"level":"(error|warn)"/);
  });
});
