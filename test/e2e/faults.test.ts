/** A cluster and a Slack that both misbehave while changes flow: every object's story is whole, and the books balance. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnswerEffect, StreamEffect } from '../../src/testing/api-server/faults.ts';
import type { ReceiverAnswer } from '../../src/testing/receiver.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig } from './main-job.ts';
import { World, type Running } from './world.ts';

const OBJECTS = 20;
const DEPLOYMENTS = '/apis/apps/v1/deployments';

function scaleAll(world: World, replicas: number): void {
  for (let n = 0; n < OBJECTS; n++) world.server.update(deployment(`web-${n}`, 'nginx', replicas));
}

/** What was accepted of each object: [from, to] of its replicas, in order. */
async function stories({ app }: Running): Promise<Map<string, [number, number][]>> {
  const found = new Map<string, [number, number][]>();
  for (const { key, before, after } of await app.store.history({ limit: 10_000 })) {
    const replicas = (manifest: typeof before) =>
      (manifest?.['spec'] as { replicas?: number } | undefined)?.replicas ?? NaN;
    found.set(key, [...(found.get(key) ?? []), [replicas(before), replicas(after)]]);
  }
  return found;
}

async function assertBalanced({ app }: Running, dead = 0): Promise<void> {
  const [balance] = await app.store.balances();
  assert.ok(balance);
  const { accepted, completed, halted, superseded } = balance;
  assert.deepEqual([balance.dead, balance.pending], [dead, 0]);
  assert.equal(accepted, completed + halted + superseded + dead, 'P8: each change has exactly one end');
}

/** Once, in a watch that is open or the next. */
function spoilWatch(world: World, effect: AnswerEffect | StreamEffect): void {
  world.server.fault({ path: DEPLOYMENTS, watch: true, times: 1, ...effect });
}

/** The watch that follows meets the fault. */
function endWatchThen(world: World, effect: AnswerEffect | StreamEffect): void {
  spoilWatch(world, effect);
  spoilWatch(world, { effect: 'end' });
}

const TROUBLES: readonly (readonly [string, (world: World) => void | Promise<void>])[] = [
  ['a restart', (world) => world.server.restart()],
  ['a restart during which its history is compacted', (world) => world.server.restart(() => world.server.compact())],
  ...(
    [
      { effect: 'resetMidLine' },
      { effect: 'endMidLine' },
      { effect: 'truncatedChunk' },
      { effect: 'errorEvent', status: 410 },
      { effect: 'errorEvent', status: 500 },
      { effect: 'duplicate' },
    ] as const
  ).map(
    (fault) => [`${Object.values(fault).join(' ')} in its watch`, (world: World) => spoilWatch(world, fault)] as const,
  ),
  ['429 on its next watch', (world) => endWatchThen(world, { effect: 'status', status: 429, retryAfterSeconds: 0 })],
  ['503 on its next watch', (world) => endWatchThen(world, { effect: 'status', status: 503 })],
  ['410 on its next watch', (world) => endWatchThen(world, { effect: 'status', status: 410 })],
  [
    'a login page on its next watch',
    (world) => endWatchThen(world, { effect: 'contentType', contentType: 'text/html' }),
  ],
];

describe('P2, P5, P8: an API server that has', { concurrency: 4 }, () => {
  for (const [what, trouble] of TROUBLES) {
    test(`${what}: every object is told to its end, in order, nothing twice`, async () => {
      await using world = await World.start();
      for (let n = 0; n < OBJECTS; n++) world.server.create(deployment(`web-${n}`, 'nginx', 0));
      await using running = await world.run({ config: kwatchmanConfig(world.slack.url, ['deployment']) });
      scaleAll(world, 1);
      await trouble(world);
      scaleAll(world, 2);
      const last = async () => {
        const told = [...(await stories(running)).values()];
        return told.length === OBJECTS && told.every((story) => story.at(-1)?.[1] === 2);
      };
      for (let n = OBJECTS; !(await last()); n++) await world.slack.waitFor(n);
      await running.app.idle();
      for (const [key, story] of await stories(running)) {
        let at = 0;
        for (const [from, to] of story) {
          assert.equal(from, at, `${key} goes on from where it was`);
          at = to;
        }
      }
      assert.equal(
        new Set(world.slack.requests.map(({ headers }) => headers['idempotency-key'])).size,
        world.slack.requests.length,
      );
      await assertBalanced(running);
    });
  }
});

const BAD_ANSWERS: readonly (readonly [string, ReceiverAnswer])[] = [
  ['answers 500', { status: 500 }],
  ['answers 429', { status: 429, headers: { 'retry-after': '0' } }],
  ['answers 503 with Retry-After', { status: 503, headers: { 'retry-after': '0' } }],
  ['hangs', { hang: true }],
  ['resets', { reset: true }],
  ['answers 200 with an error', { status: 200, body: '{"ok":false,"error":"fatal_error"}' }],
];

describe('P3, P8: a Slack that now and then', { concurrency: 4 }, () => {
  for (const [what, answer] of BAD_ANSWERS) {
    test(`${what}: each change arrives, tried again under its own key`, async () => {
      await using world = await World.start((_request, n) => (n % 5 === 0 ? answer : {}));
      const config = `[retry]\nminTimeout = "1ms"\n${kwatchmanConfig(world.slack.url, ['deployment'])}timeout = "200ms"\n`;
      await using running = await world.run({ config });
      for (let n = 0; n < OBJECTS; n++) world.server.create(deployment(`web-${n}`));
      await world.slack.waitFor(OBJECTS + 4);
      await running.app.idle();
      const keys = world.slack.requests.map(({ headers }) => headers['idempotency-key']);
      assert.equal(new Set(keys).size, OBJECTS);
      const good = keys.filter((_key, index) => (index + 1) % 5 !== 0);
      assert.equal(new Set(good).size, good.length, 'what was taken is not sent again');
      assert.equal(good.length, OBJECTS);
      await assertBalanced(running);
      assert.ok(world.slack.openSockets <= 20);
    });
  }

  test('answers what no retry mends: dead letters for those, and only those', async () => {
    await using world = await World.start((_request, n) =>
      n % 5 === 0 ? { status: 302, headers: { location: '/x' } } : {},
    );
    await using running = await world.run({ config: kwatchmanConfig(world.slack.url, ['deployment']) });
    for (let n = 0; n < OBJECTS; n++) world.server.create(deployment(`web-${n}`));
    await world.slack.waitFor(OBJECTS);
    await running.app.idle();
    assert.equal(world.slack.requests.length, OBJECTS);
    await assertBalanced(running, OBJECTS / 5);
  });
});
