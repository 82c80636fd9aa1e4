/** What another configuration at the next start means for the baseline and for pending deliveries. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PATIENCE_MS } from '../../src/testing/waiters.ts';
import { World, type Running } from './world.ts';

function configMap(name: string, namespace: string, value: string, labels: object = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data: { value } };
}

/** A chain that logs. */
const chain = (name: string, ...resources: readonly string[]) =>
  `[[chain]]\nname = "${name}"\n${resources.map((one) => `[[chain.resource]]\n${one}\n`).join('')}[[chain.handler]]\nname = "log"\n`;
const EVERYWHERE = 'kind = "configmap"';
const IN_SHOP = 'kind = "configmap"\nnamespaces = ["shop"]';

/** `action key` of each entry of the `log` handlers, sorted. */
async function told(running: Running): Promise<readonly string[]> {
  await running.app.idle();
  return running
    .entries()
    .map((entry) => `${String(entry['action'])} ${String(entry['key'])}`)
    .toSorted();
}

/** A cluster with two ConfigMaps, known to a service that has since stopped. */
async function known(...chains: readonly string[]): Promise<World> {
  const world = await World.start();
  world.server.create(configMap('a', 'shop', '1', { tier: 'web' }));
  world.server.create(configMap('b', 'web', '1'));
  const running = await world.run({ config: chains.join(''), keepState: true });
  assert.deepEqual(await told(running), []);
  await running.app.stop();
  return world;
}

describe('a configuration that changed between two starts', () => {
  test('an added chain gets the changes from then on, as the others do', async () => {
    await using world = await known(chain('one', EVERYWHERE));
    await using running = await world.run({
      config: chain('one', EVERYWHERE) + chain('two', EVERYWHERE),
      keepState: true,
    });
    assert.deepEqual(await told(running), []);
    world.server.update(configMap('a', 'shop', '2'));
    await world.server.waitForWatches(1);
    await until(running, 2);
    assert.deepEqual(await told(running), ['updated shop/a', 'updated shop/a']);
  });

  test('a removed chain does not affect the others', async () => {
    await using world = await known(chain('one', EVERYWHERE), chain('two', EVERYWHERE));
    world.server.update(configMap('a', 'shop', '2'));
    await using running = await world.run({ config: chain('two', EVERYWHERE), keepState: true });
    await until(running, 1);
    assert.deepEqual(await told(running), ['updated shop/a']);
  });

  test('an added scope does not announce existing objects; changes of the previous one are reported', async () => {
    await using world = await known(chain('one', EVERYWHERE));
    world.server.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'shop' } });
    world.server.update(configMap('b', 'web', '2'));
    await using running = await world.run({ config: chain('one', EVERYWHERE, 'kind = "secret"'), keepState: true });
    await until(running, 1);
    assert.deepEqual(await told(running), ['updated web/b']);
  });

  for (const [how, narrower] of [
    ['namespaces', IN_SHOP],
    ['a label selector', 'kind = "configmap"\nlabelSelector = "tier=web"'],
  ] as const) {
    test(`a scope narrowed by ${how} reports no deletions, and nothing outside of it`, async () => {
      await using world = await known(chain('one', EVERYWHERE));
      await using running = await world.run({ config: chain('one', narrower), keepState: true });
      assert.deepEqual(await told(running), []);
      world.server.update(configMap('b', 'web', '2'));
      world.server.update(configMap('a', 'shop', '2', { tier: 'web' }));
      await until(running, 1);
      assert.deepEqual(await told(running), ['updated shop/a']);
    });
  }

  test('a widened scope does not announce existing objects', async () => {
    await using world = await known(chain('one', IN_SHOP));
    await using running = await world.run({ config: chain('one', EVERYWHERE), keepState: true });
    assert.deepEqual(await told(running), []);
    world.server.delete('ConfigMap', 'b', 'web');
    await until(running, 1);
    assert.deepEqual(await told(running), ['deleted web/b']);
  });

  test('two configurations side by side on one cluster each have their own state', async () => {
    await using world = await known(chain('one', EVERYWHERE));
    await using first = await world.run({ config: chain('one', EVERYWHERE), keepState: true });
    await using second = await world.run({ config: chain('one', IN_SHOP), file: 'other.toml', keepState: true });
    world.server.update(configMap('a', 'shop', '2'));
    world.server.update(configMap('b', 'web', '2'));
    await until(first, 2);
    await until(second, 1);
    assert.deepEqual(await told(first), ['updated shop/a', 'updated web/b']);
    assert.deepEqual(await told(second), ['updated shop/a']);
    await second.app.stop();
    await using again = await world.run({ config: chain('one', IN_SHOP), file: 'other.toml', keepState: true });
    assert.deepEqual(await told(again), []);
  });

  test('[history] maxAge removes ended changes, and keeps the baseline for the next comparison', async () => {
    await using world = await known(chain('one', EVERYWHERE));
    world.server.update(configMap('a', 'shop', '2'));
    const history = (running: Running) => running.app.store.history({ limit: 10 });
    {
      await using first = await world.run({ config: chain('one', EVERYWHERE), keepState: true });
      await until(first, 1);
      assert.equal((await history(first)).length, 1);
    }
    const config = `[history]\nmaxAge = "0s"\n${chain('one', EVERYWHERE)}`;
    await using second = await world.run({ config, keepState: true });
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    while ((await history(second)).length > 0) deadline.throwIfAborted();
    world.server.update(configMap('a', 'shop', '3'));
    await until(second, 1);
    assert.deepEqual(await told(second), ['updated shop/a']);
  });

  for (const [how, one, other] of [
    ['in another script', '配置', '設定'],
    ['that differ in a blank', 'our team', 'our_team'],
  ] as const) {
    test(`two configurations with names ${how} have separate states, and neither loses pending changes`, async () => {
      await using world = await World.start();
      world.server.create(configMap('a', 'shop', '1'));
      const first = { config: chain('one', EVERYWHERE), file: `${one}.toml`, keepState: true };
      await (await world.run(first)).app.stop();
      world.server.update(configMap('a', 'shop', '2'));
      const second = { config: chain('one', 'kind = "secret"'), file: `${other}.toml`, keepState: true };
      await (await world.run(second)).app.stop();
      await using again = await world.run(first);
      await until(again, 1);
      assert.deepEqual(await told(again), ['updated shop/a']);
    });
  }
});

/** Waits until this many entries were logged. */
async function until(running: Running, entries: number): Promise<void> {
  const deadline = AbortSignal.timeout(PATIENCE_MS);
  while (running.entries().length < entries) {
    deadline.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
