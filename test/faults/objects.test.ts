/** Objects that nobody should create but somebody will: handled and counted, without holding up others. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { World, type Running } from '../e2e/world.ts';
import { assertBalanced } from './balance.ts';

const CONFIG = (world: World) =>
  `[retry]\nretries = 0\n${kwatchmanConfig(world.slack.url, ['deployment', 'configmap'])}`;

/** Asserts that an ordinary change is delivered, whatever came before, and the counters balance. */
async function assertWell(world: World, { app }: Running): Promise<void> {
  const wellBefore = world.titles().filter((title) => title.endsWith('/well')).length;
  const known = world.server.get('Deployment', 'well');
  if (known === undefined) world.server.create(deployment('well'));
  else world.server.update(deployment('well', `nginx:${known.metadata.resourceVersion}`));
  await world.slack.waitFor(world.slack.requests.length + 1);
  await app.idle();
  assert.equal(world.titles().filter((title) => title.endsWith('/well')).length, wellBefore + 1);
  assert.deepEqual(app.health().degraded, []);
  await assertBalanced(app.store);
}

const LINES: readonly (readonly [string, string])[] = [
  ['invalid JSON', 'this is no JSON'],
  ['half an object', '{"type":"ADDED","object":{"kind":"Deployment"'],
  ['an event without an object', '{"type":"ADDED"}'],
  ['an object that is null', '{"type":"MODIFIED","object":null}'],
  [
    'an unknown type',
    '{"type":"EXPLODED","object":{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"x"}}}',
  ],
  [
    'metadata that is a list',
    '{"type":"ADDED","object":{"kind":"Deployment","apiVersion":"apps/v1","metadata":[1,2]}}',
  ],
  [
    'an object without a name',
    '{"type":"ADDED","object":{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"uid":"u","resourceVersion":"1"}}}',
  ],
  ['nesting of 50,000 levels', `{"type":"ADDED","object":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`],
  ['an empty line', ''],
];

describe('a watch that sends', () => {
  for (const [what, line] of LINES) {
    test(`${what}: the next change is reported, once`, async () => {
      await using world = await World.start();
      await using running = await world.run({ config: CONFIG(world) });
      world.server.fault({ path: '/apis/apps/v1/deployments', watch: true, effect: 'line', line, times: 1 });
      await assertWell(world, running);
      assert.deepEqual(world.titles(), ['ADD deployment\ndefault/well']);
    });
  }
});

/** Like objects from the network: JSON.parse makes `__proto__` an own property. */
function fromJson(text: string): Manifest {
  return JSON.parse(text) as Manifest;
}

function configMap(name: string, data: unknown, metadata: object = {}): Manifest {
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, ...metadata },
    data,
  });
  return fromJson(text.replaceAll('"PROTO"', '"__proto__"'));
}

describe('an object with', () => {
  test('43 1.5 MB in 1,000 annotations is reported in one message of at most 4,000 characters', async () => {
    await using world = await World.start();
    await using running = await world.run({ config: CONFIG(world) });
    const annotations = (value: string) => ({
      annotations: Object.fromEntries(
        Array.from({ length: 1_000 }, (_, n) => [`example.com/a${n}`, value.repeat(1_500)]),
      ),
    });
    world.server.putAll([configMap('huge', {}, annotations('x'))]);
    await world.slack.waitFor(1);
    world.server.putAll([configMap('huge', {}, annotations('y'))]);
    await world.slack.waitFor(2);
    const [, update] = world.messages();
    assert.equal(update?.title, 'UPDATE configmap\ndefault/huge');
    assert.ok((update?.text.length ?? 0) <= 4_000);
    await assertWell(world, running);
  });

  test('46 fields that change their type repeatedly: each change is reported', async () => {
    await using world = await World.start();
    await using running = await world.run({ config: CONFIG(world) });
    const shapes = [
      { a: 'text' },
      [1, 2],
      'text',
      { a: { b: [] } },
      7,
      { a: null },
      [{ name: 'x' }],
      { a: [{ name: 'x' }, 3] },
      true,
    ];
    for (const shape of shapes) world.server.putAll([configMap('shifty', shape)]);
    await world.slack.waitFor(shapes.length);
    assert.deepEqual(world.titles(), [
      'ADD configmap\ndefault/shifty',
      ...shapes.slice(1).map(() => 'UPDATE configmap\ndefault/shifty'),
    ]);
    await assertWell(world, running);
  });

  test('labels, annotations, owners and finalizers of the wrong type', async () => {
    await using world = await World.start();
    await using running = await world.run({ config: CONFIG(world) });
    const odd = [
      { labels: 'x' },
      { annotations: [1] },
      { ownerReferences: 7 },
      { finalizers: { a: 1 } },
      { managedFields: 'none' },
      { creationTimestamp: {} },
    ];
    for (const metadata of odd) world.server.putAll([configMap('odd', { at: JSON.stringify(metadata) }, metadata)]);
    await world.slack.waitFor(odd.length);
    await assertWell(world, running);
  });

  test('keys such as __proto__ and constructor: they are data, and shown', async () => {
    await using world = await World.start();
    await using running = await world.run({ config: CONFIG(world) });
    world.server.putAll([
      configMap('evil', { PROTO: { polluted: 'no' }, constructor: { prototype: { polluted: 'no' } } }),
    ]);
    world.server.putAll([
      configMap('evil', { PROTO: { polluted: 'yes' }, constructor: { prototype: { polluted: 'yes' } } }),
    ]);
    await world.slack.waitFor(2);
    assert.match(world.messages()[1]?.text ?? '', /__proto__\S*polluted: no -> yes/);
    assert.equal(({} as { polluted?: string }).polluted, undefined);
    await assertWell(world, running);
  });

  test('control and bidirectional characters in its name: no line is forged, no terminal coloured', async () => {
    await using world = await World.start();
    await using running = await world.run({ config: CONFIG(world) });
    const name = 'a\n{"level":"error"}\u001b[31m\u202e<!channel>`';
    world.server.putAll([configMap(name, { a: '\u2028' })]);
    await world.slack.waitFor(1);
    await running.app.idle();
    const [entry] = running.entries();
    assert.equal(entry?.['key'], `default/${name}`);
    assert.ok(!world.slack.requests[0]?.body.includes('<!channel>'));
    for (const line of running.serviceLog().split('\n')) assert.doesNotThrow(() => JSON.parse(line));
    assert.ok(!running.serviceLog().includes('\u202e'));
    await assertWell(world, running);
  });
});
