/** kubernetes-event-exporter's acceptance list, 13 to 21: which Events are seen, how often, and what is known about them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { World, type Running } from '../e2e/world.ts';
import { until } from '../until.ts';
import { bodies, pod, podEvent, run, SEED_EVENT, toHook, type EventParts } from './exporter.ts';

const EVENTS = '/api/v1/events';
const NAMES = `      layout: { name: "{{ .Name }}", count: "{{ .Count }}" }\n`;

const ago = (seconds: number, now = Date.now()) =>
  new Date(now - seconds * 1_000).toISOString().replace(/\.\d+Z$/, 'Z');
const at = (time: string | null, name = 'web.1'): EventParts => ({ name, firstTimestamp: time, lastTimestamp: time });

/** `name count` of what was sent, once a final Event was sent. */
async function sent(world: World, running: Running): Promise<string[]> {
  world.server.create(podEvent({ name: 'last' }));
  const names = () => bodies(world).map(({ name, count }) => `${String(name)} ${String(count)}`);
  await until('the last Event', () => names().includes('last 1'));
  await running.app.idle();
  return names().filter((name) => name !== 'last 1');
}

/** Waits until `n` changes are accepted, so that their ages are fixed. */
async function accepted({ app }: Running, n: number): Promise<void> {
  await until(`${n} Events to be accepted`, async () => (await app.store.balances())[0]?.accepted === n);
}

describe("event-exporter's Events", { timeout: 120_000 }, () => {
  test('13 of all namespaces are listed and watched; a closed watch, a 410 and an outage lose and repeat none', async () => {
    await using world = await World.start();
    const more = 'maxEventAgeSeconds: 60\n';
    await using running = await run(world, toHook(world.slack.url, { layout: NAMES, more }), { keepState: true });
    const steps: readonly (readonly [string, () => void | Promise<void>])[] = [
      ['watched', () => {}],
      ['closed', () => void world.server.fault({ path: EVENTS, watch: true, effect: 'end', times: 1 })],
      [
        'gone',
        () => {
          world.server.compact();
          world.server.fault({ path: EVENTS, watch: true, effect: 'errorEvent', status: 410, times: 1 });
        },
      ],
      ['down', () => world.server.restart(() => void world.server.create(podEvent({ name: 'meanwhile' })))],
    ];
    for (const [name, fail] of steps) {
      await fail();
      world.server.create(podEvent({ name }));
      await until(name, () => bodies(world).some((body) => body['name'] === name));
    }
    const names = bodies(world).map(({ name }) => String(name));
    assert.deepEqual(names.toSorted(), ['closed', 'down', 'gone', 'meanwhile', 'watched']);
    assert.ok(running.app.health().ready);
  });

  test('13 of one namespace only are listed and watched', async () => {
    await using world = await World.start();
    const more = 'namespace: kube-system\n';
    await using running = await run(world, toHook(world.slack.url, { layout: NAMES, more }));
    world.server.create(podEvent({ name: 'elsewhere' }));
    world.server.create(podEvent({ name: 'here', namespace: 'kube-system' }));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.deepEqual(
      bodies(world).map(({ name }) => name),
      ['here'],
    );
    assert.ok(world.server.requests.every(({ path }) => path !== EVENTS));
  });

  test('13 watchReasons are selected by the API server, one watch for each', async () => {
    await using world = await World.start();
    const more = 'watchReasons: [Upgraded, Upgrading]\n';
    await using running = await run(world, toHook(world.slack.url, { layout: NAMES, more }));
    for (const reason of ['Upgraded', 'UpgradedControlPlane', 'Upgrading', 'BackOff'])
      world.server.create(podEvent({ name: reason.toLowerCase(), reason }));
    await world.slack.waitFor(2);
    await running.app.idle();
    assert.deepEqual(
      bodies(world)
        .map(({ name }) => String(name))
        .toSorted(),
      ['upgraded', 'upgrading'],
    );
    const selectors = world.server.requests
      .filter(({ path }) => path === EVENTS)
      .map(({ query }) => String(query.get('fieldSelector')));
    assert.deepEqual([...new Set(selectors)].toSorted(), ['reason=Upgraded', 'reason=Upgrading']);
  });

  test('14 the test Event without any time is delivered; a series counts by its last time', async () => {
    await using world = await World.start();
    await using running = await run(world, toHook(world.slack.url, { layout: NAMES }));
    world.server.create(SEED_EVENT);
    const series = { count: 4, lastObservedTime: new Date().toISOString() };
    world.server.create(podEvent({ ...at(null, 'series'), eventTime: '2020-01-01T00:00:00.000000Z', series }));
    assert.deepEqual(await sent(world, running), ['test 0', 'series 1']);
  });

  test('14 the test Event is delivered, too, if it was created before a start without a state', async () => {
    await using world = await World.start();
    world.server.create(SEED_EVENT);
    await using running = await run(world, toHook(world.slack.url, { layout: NAMES }));
    assert.deepEqual(await sent(world, running), ['test 0']);
  });

  test('15 an Event that is too old on arrival is not delivered, and counted; one from the future is delivered', async () => {
    await using world = await World.start();
    const clock = new FakeClock();
    await using running = await run(world, toHook(world.slack.url, { layout: NAMES }), { clock });
    world.server.create(podEvent(at(ago(7, clock.now()), 'old')));
    world.server.create(podEvent(at(ago(-60, clock.now()), 'future')));
    world.server.create(podEvent(at(ago(2, clock.now()), 'young')));
    assert.deepEqual(await sent(world, running), ['future 1', 'young 1']);
    const [balance] = await running.app.store.balances();
    assert.equal(balance?.halted, 1);
    const [halted] = await running.app.store
      .history({ limit: 10 })
      .then((all) => all.filter(({ key }) => key === 'default/old'));
    assert.ok(halted);
  });

  test('15 the age is that on arrival: a slow receiver loses none', async () => {
    const { promise: late, resolve: answer } = Promise.withResolvers<void>();
    await using world = await World.start((_, n) => (n === 1 ? { after: late } : {}));
    const clock = new FakeClock();
    const config = toHook(world.slack.url, { layout: NAMES, more: 'maxEventAgeSeconds: 1\n' });
    await using running = await run(world, config, { clock });
    for (const name of ['a', 'b', 'c']) world.server.create(podEvent(at(ago(0, clock.now()), name)));
    await accepted(running, 3);
    await world.slack.waitFor(1);
    await clock.advance(5_000);
    answer();
    assert.deepEqual(await sent(world, running), ['a 1', 'b 1', 'c 1']);
  });

  test('16 repeats: the first only, or each; minCount 3 over 1 to 4 then sends 3 and 4', async () => {
    const route = `route: { routes: [{ match: [{ minCount: 3, receiver: hook }] }, { match: [{ kind: Pod, receiver: all }] }] }`;
    const more = (url: string) =>
      `  - { name: all, webhook: { endpoint: "${url}/all", layout: { name: "all {{ .Name }}", count: "{{ .Count }}" } } }\n`;
    const counted = async (repeats: 'first' | 'every') => {
      await using world = await World.start();
      const config = toHook(world.slack.url, { route, layout: NAMES, more: more(world.slack.url) });
      await using running = await run(world, config, { reading: { repeats } });
      const event = (count: number) => podEvent({ name: 'loop', count });
      world.server.create(event(1));
      for (const count of [2, 3, 4]) world.server.update(event(count));
      world.server.create(podEvent({ name: 'end' }));
      await until('the end', () => bodies(world).some(({ name }) => name === 'all end'));
      await running.app.idle();
      return bodies(world)
        .map(({ name, count }) => `${String(name)} ${String(count)}`)
        .filter((one) => one !== 'all end 1')
        .toSorted();
    };
    assert.deepEqual(await counted('first'), ['all loop 1']);
    assert.deepEqual(await counted('every'), [
      'all loop 1',
      'all loop 2',
      'all loop 3',
      'all loop 4',
      'loop 3',
      'loop 4',
    ]);
  });

  test('17 after a restart nothing is sent again, and Events of the meantime are sent', async () => {
    await using world = await World.start();
    const config = toHook(world.slack.url, { layout: NAMES });
    {
      await using _ = await run(world, config, { keepState: true });
      world.server.create(podEvent(at(ago(0), 'before')));
      await world.slack.waitFor(1);
    }
    world.server.create(podEvent(at(ago(120), 'meanwhile')));
    await using running = await run(world, config, { keepState: true });
    assert.deepEqual(await sent(world, running), ['before 1', 'meanwhile 1']);
  });

  test('17 without a state, Events from just before the start are sent, and none older', async () => {
    await using world = await World.start();
    const long = new Date(Date.now() - 60_000).toISOString();
    world.server.create(podEvent({ name: 'old', firstTimestamp: long, lastTimestamp: long }));
    world.server.create(podEvent({ name: 'new' }));
    const config = toHook(world.slack.url, { layout: NAMES, more: 'maxEventAgeSeconds: 30\n' });
    await using running = await run(world, config);
    await running.app.idle();
    assert.deepEqual(
      bodies(world).map(({ name }) => name),
      ['new'],
    );
  });

  test('18 without a layout the whole Event is sent, in the format of event-exporter', async () => {
    await using world = await World.start();
    await using running = await run(world, toHook(world.slack.url, { more: 'clusterName: prod-eu\n' }));
    const object = world.server.create(pod('web', { labels: { version: 'dev' }, annotations: { owner: 'ann' } }));
    const now = ago(0);
    const involvedObject = {
      kind: 'Pod',
      namespace: 'default',
      name: 'web',
      uid: object.metadata.uid,
      apiVersion: 'v1',
      fieldPath: 'spec.containers{a}',
    };
    const { metadata } = world.server.create(podEvent({ ...at(now), involvedObject, message: 'a <b> & "c"' }));
    await world.slack.waitFor(1);
    await running.app.idle();
    const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
    // kubernetes-event-exporter escapes < > & as \u003c and so on, which is the same to every JSON parser.
    assert.equal(
      world.slack.requests[0]?.body,
      JSON.stringify({
        metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
        reason: 'BackOff',
        message: 'a <b> & "c"',
        source: { component: 'kubelet', host: 'n1' },
        firstTimestamp: now,
        lastTimestamp: now,
        count: 1,
        type: 'Warning',
        eventTime: null,
        reportingComponent: '',
        reportingInstance: '',
        clusterName: 'prod-eu',
        involvedObject: {
          ...involvedObject,
          labels: { version: 'dev' },
          annotations: { owner: 'ann' },
          deleted: false,
        },
      }),
    );
  });

  test('19 the involved object has labels and owners, or is deleted, forbidden or unknown', async () => {
    await using world = await World.start();
    const layout = `      layout: { name: "{{ .Name }}", known: "{{ toJson .InvolvedObject.Labels }} {{ .InvolvedObject.Deleted }} {{ range .InvolvedObject.OwnerReferences }}{{ .Name }}{{ end }}" }\n`;
    await using running = await run(world, toHook(world.slack.url, { layout }));
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-7d', uid: 'rs-1' }];
    world.server.create(pod('web', { labels: { app: 'web' }, ownerReferences }));
    world.server.allow(({ resource, verb }) => resource !== 'secrets' || verb !== 'get');
    const about = (kind: string, name: string, apiVersion = 'v1') => ({ kind, name, apiVersion, namespace: 'default' });
    world.server.create(podEvent({ name: 'there', involvedObject: about('Pod', 'web') }));
    world.server.create(podEvent({ name: 'gone', involvedObject: about('Pod', 'gone') }));
    world.server.create(podEvent({ name: 'forbidden', involvedObject: about('Secret', 'web') }));
    world.server.create(
      podEvent({ name: 'unknown', involvedObject: about('Cluster', 'c', 'cluster.x-k8s.io/v1beta1') }),
    );
    await world.slack.waitFor(4);
    await running.app.idle();
    assert.deepEqual(Object.fromEntries(bodies(world).map(({ name, known }) => [name, known])), {
      there: '{"app":"web"} false web-7d',
      gone: 'null true ',
      forbidden: 'null false ',
      unknown: 'null false ',
    });
  });

  test('20 a burst of 20 Events about 20 objects: all are delivered, with one discovery', async () => {
    await using world = await World.start();
    const layout = `      layout: { name: "{{ .Name }}", app: "{{ index .InvolvedObject.Labels \\"app\\" }}" }\n`;
    const clock = new FakeClock();
    await using running = await run(world, toHook(world.slack.url, { layout, more: 'maxEventAgeSeconds: 1\n' }), {
      clock,
    });
    const numbers = Array.from({ length: 20 }, (_, n) => `web-${n}`);
    for (const name of numbers) world.server.create(pod(name, { labels: { app: name } }));
    const seen = world.server.requests.length;
    for (const name of numbers)
      world.server.create(
        podEvent({
          ...at(ago(0, clock.now()), name),
          involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name },
        }),
      );
    await accepted(running, 20);
    await until('all to be told', async () => {
      await clock.advance(100);
      return world.slack.requests.length === 20;
    });
    await running.app.idle();
    assert.deepEqual(
      bodies(world).map(({ name, app }) => [name, app]),
      numbers.map((name) => [name, name]),
    );
    const asked = world.server.requests.slice(seen).map(({ path }) => path);
    assert.equal(asked.filter((path) => path.includes('/pods/')).length, 20);
    assert.ok(asked.filter((path) => path === '/apis' || path === '/api').length <= 2, asked.join());
  });

  test('20 an Event that a route drops without labels is not looked up', async () => {
    await using world = await World.start();
    const route =
      'route: { drop: [{ reason: BackOff }], routes: [{ match: [{ labels: { app: web }, receiver: hook }] }] }';
    await using running = await run(world, toHook(world.slack.url, { route, layout: NAMES }));
    world.server.create(pod('web', { labels: { app: 'web' } }));
    world.server.create(podEvent({ name: 'dropped' }));
    world.server.create(podEvent({ name: 'last', reason: 'Started' }));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.equal(world.server.requests.filter(({ path }) => path.includes('/pods/')).length, 1);
  });

  test('21 omitLookup: nothing but Events is requested', async () => {
    await using world = await World.start();
    await using running = await run(world, toHook(world.slack.url, { more: 'omitLookup: true\n' }));
    world.server.create(pod('web', { labels: { app: 'web' } }));
    world.server.create(podEvent());
    await world.slack.waitFor(1);
    await running.app.idle();
    const known = bodies(world)[0]?.['involvedObject'] as Record<string, unknown>;
    assert.deepEqual([known['labels'], known['deleted']], [undefined, false]);
    const discovery = /^\/(?:api|apis|version)(?:\/|$)(?!.*namespaces\/default)/;
    assert.deepEqual(
      world.server.requests.filter(({ path }) => path.includes('/pods') || !discovery.test(path)),
      [],
    );
  });
});
