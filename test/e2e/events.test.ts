/** Kubernetes Events through the whole program: what each chain gets, also after a restart. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../until.ts';
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

/** Waits until `n` changes have ended. */
async function ended({ app }: Running, n: number): Promise<void> {
  await until(`${n} changes have ended`, async () => {
    await app.idle();
    return (await app.store.balances()).some(({ accepted, pending }) => accepted >= n && pending === 0);
  });
}

const LOGGED = '[[resource]]\nkind = "event"\n[[handler]]\nname = "log"\n';

/** The entries, such as `shop/web.1 added`, once there are `n`. */
async function entries(run: Running, n: number): Promise<string[]> {
  await until(`${n} entries`, () => run.entries().length >= n);
  await run.app.idle();
  return run.entries().map(({ key, action }) => `${String(key)} ${String(action)}`);
}

describe('Kubernetes Events', { timeout: 60_000 }, () => {
  test('chains with different repeats share one watch, and each gets what it asks for', async () => {
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

  test('those before the first start are silent; those during a stop are reported once; an expired one is no change', async () => {
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

  test('with maxAge an old Event is halted, and one without any time is reported', async () => {
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

describe('the objects that Events involve', { timeout: 60_000 }, () => {
  const about = (n: number, reason: string) =>
    event(`${reason}.${n}`, {
      reason,
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: `web-${n}` },
    });
  const WANTED = `[[resource]]
kind = "event"
[[handler]]
name = "match"
reason = "^BackOff$"
labels = { tier = "^web$" }
[[handler]]
name = "stdout"
[handler.layout]
app = '{{ involved.labels["app"] }}'
owner = "{{ involved.topOwner.kind }}/{{ involved.topOwner.name }}"
`;

  test('20 Events on 20 objects arrive with labels and top owner; objects of halted Events are not looked up', async () => {
    await using world = await World.start();
    const { uid = '' } = world.server.create({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web', namespace: 'shop' },
    }).metadata;
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid, controller: true }];
    const labels = (n: number) => ({ app: `a${n}`, tier: 'web' });
    for (let n = 0; n < 20; n++) {
      world.server.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `web-${n}`, namespace: 'shop', labels: labels(n), ownerReferences },
      });
    }
    await using run = await world.run({ config: WANTED });
    for (let n = 0; n < 20; n++) {
      world.server.create(about(n, 'BackOff'));
      world.server.create(about(100 + n, 'Pulled'));
    }
    await ended(run, 40);
    const expected = Array.from({ length: 20 }, (_, n) => `a${n} ReplicaSet/web`);
    const got = run.entries().map(({ app, owner }) => `${String(app)} ${String(owner)}`);
    assert.deepEqual(got.toSorted(), expected.toSorted());
    const [balance] = await run.app.store.balances();
    assert.deepEqual([balance?.completed, balance?.halted, balance?.dead], [20, 20, 0]);
    const paths = world.server.requests.map(({ path }) => path).filter((path) => /\/(pods|replicasets)\//.test(path));
    assert.equal(paths.length, 21, 'each pod and the replica set once');
    assert.doesNotMatch(run.serviceLog(), /Handler failed/);
  });

  test('match tests the labels of the namespace, of Events and of other objects', async () => {
    await using world = await World.start();
    for (const [name, team] of [
      ['shop', 'sales'],
      ['db', 'data'],
    ])
      world.server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { team } } });
    const config = `${WANTED}[[resource]]\nkind = "configmap"\n`
      .replace('reason = "^BackOff$"\nlabels = { tier = "^web$" }', 'namespaceLabels = { team = "^sales$" }')
      .replace(/^app = .*$/m, 'app = "{{ change.kind }} of {{ involved.namespaceLabels.team }}"');
    await using run = await world.run({ config });
    world.server.create(about(1, 'BackOff'));
    for (const namespace of ['db', 'shop'])
      world.server.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace } });
    await ended(run, 3);
    const told = run.entries().map(({ app }) => app);
    assert.deepEqual(new Set(told), new Set(['ConfigMap of sales', 'Event of sales']));
  });

  test('with lookups switched off the cluster is not asked', async () => {
    await using world = await World.start();
    world.server.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-1', namespace: 'shop', labels: { tier: 'web' } },
    });
    await using run = await world.run({ config: `${WANTED}[lookup]\nenabled = false\n` });
    world.server.create(about(1, 'BackOff'));
    await ended(run, 1);
    assert.deepEqual(
      (await run.app.store.balances()).map(({ halted }) => halted),
      [1],
    );
    assert.deepEqual(
      world.server.requests.filter(({ path }) => path.includes('/pods/')),
      [],
    );
  });
});
