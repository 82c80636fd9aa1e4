/** Kubernetes Events through the whole program: what each chain is told, and what a restart tells. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { World, type Running } from './world.ts';

const EVENTS = '/api/v1/events';

const event = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name, namespace: 'shop' },
  involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web', uid: 'pod-1' },
  reason: 'BackOff',
  type: 'Warning',
  message: 'Back-off restarting failed container',
  ...more,
});

const LOGGED = '[[resource]]\nkind = "event"\n[[handler]]\nname = "log"\n';

/** `shop/web.1 added`, once `n` entries are there. */
async function entries(run: Running, n: number): Promise<string[]> {
  for (;;) {
    await run.app.idle();
    const found = run.entries();
    if (found.length >= n) return found.map(({ key, action }) => `${String(key)} ${String(action)}`);
    await new Promise(setImmediate);
  }
}

describe('Kubernetes Events', { timeout: 60_000 }, () => {
  test('two chains with other wishes share one watch, and each is told what it wants', async () => {
    await using world = await World.start();
    const chain = (name: string, repeats: string) =>
      `[[chain]]\nname = "${name}"\nresource = [{ kind = "event", repeats = "${repeats}" }]\nhandler = [{ name = "log" }]\n`;
    await using run = await world.run({
      config: `${chain('few', 'powers')}${chain('none', 'first')}${chain('all', 'every')}`,
    });
    world.server.create(event('web.1', { count: 1 }));
    for (const count of [2, 3, 4]) world.server.update(event('web.1', { count }));
    await entries(run, 3 + 1 + 4);
    const balances = (await run.app.store.balances()).map(({ chain, accepted, completed, halted, pending }) => {
      return `${chain}: ${accepted} = ${completed} told + ${halted} halted + ${pending}`;
    });
    assert.deepEqual(balances.toSorted(), [
      'all: 4 = 4 told + 0 halted + 0',
      'few: 4 = 3 told + 1 halted + 0',
      'none: 4 = 1 told + 3 halted + 0',
    ]);
    assert.equal(world.server.requests.filter(({ path, query }) => path === EVENTS && query.has('watch')).length, 1);
  });

  test('those of before the first start are silent; those of a stop are told once; one that expires is nothing', async () => {
    await using world = await World.start();
    world.server.create(event('before'));
    {
      await using run = await world.run({ config: LOGGED, keepState: true });
      world.server.create(event('live'));
      assert.deepEqual(await entries(run, 1), ['shop/live added']);
    }
    world.server.create(event('meanwhile'));
    world.server.delete('Event', 'before', 'shop');
    {
      await using run = await world.run({ config: LOGGED, keepState: true });
      assert.deepEqual(await entries(run, 1), ['shop/meanwhile added']);
    }
    await using run = await world.run({ config: LOGGED, keepState: true });
    world.server.create(event('last'));
    assert.deepEqual(await entries(run, 1), ['shop/last added']);
  });

  test('a chain that names both groups gets each Event once', async () => {
    await using world = await World.start();
    const both = '[[resource]]\nkind = "event"\n[[resource]]\nkind = "event"\napiVersion = "events.k8s.io/v1"\n';
    await using run = await world.run({ config: `${both}[[handler]]\nname = "log"\n` });
    for (const name of ['web.1', 'web.2']) world.server.create(event(name));
    assert.deepEqual(await entries(run, 2), ['shop/web.1 added', 'shop/web.2 added']);
  });

  test('with maxAge an old Event is held back, one without any time is told', async () => {
    await using world = await World.start();
    await using run = await world.run({ config: LOGGED.replace('"event"', '"event"\nmaxAge = "1h"') });
    world.server.create(event('old', { lastTimestamp: '2020-01-01T00:00:00Z' }));
    world.server.create(event('seed'));
    assert.deepEqual(await entries(run, 1), ['shop/seed added']);
    assert.deepEqual(
      (await run.app.store.balances()).map(({ completed, halted }) => [completed, halted]),
      [[1, 1]],
    );
  });
});
