/** Rows 35 to 41 and 63 to 65: a receiver that fails in some way holds up only its own queue. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { fasterClock } from '../../src/testing/living-cluster.ts';
import { startReceiver, type CapturedReceiver, type ReceiverAnswer } from '../../src/testing/receiver.ts';
import { deployment } from '../e2e/cluster.ts';
import { World, type Running } from '../e2e/world.ts';
import { assertBalanced } from './balance.ts';
import { assertComplete, createAll, scaleAll, trackingReceiver } from './stories.ts';
import { until } from '../until.ts';

const OBJECTS = 20;
const END = { objects: OBJECTS, last: 1 };

/** Two chains for the same deployments, each with its own Slack. The first must not notice the second's answers. */
function config(good: CapturedReceiver, bad: CapturedReceiver, retries: number): string {
  const chain = (name: string, { url }: CapturedReceiver, timeout: string) => `[[chain]]
name = "${name}"
[[chain.resource]]
kind = "deployment"
[[chain.handler]]
name = "diff"
[[chain.handler]]
name = "slack"
webhookURL = "${url}/${name}"
messagesPerSecond = 0
timeout = "${timeout}"
`;
  return `whileAway = "each"\n[retry]\nretries = ${retries}\n${chain('good', good, '1h')}${chain('bad', bad, '10s')}`;
}

async function balanceOf({ app }: Running, chain: string) {
  return (await app.store.balances()).find((balance) => balance.chain === chain) ?? assert.fail(`no chain ${chain}`);
}

const FAILURES: readonly (readonly [number, string, ReceiverAnswer])[] = [
  [35, 'answers after 20 s', { delayMs: 1_000 }],
  [37, 'answers 429 for minutes', { status: 429, headers: { 'retry-after': '30' } }],
  [40, 'answers 200 with an error inside', { body: '{"ok":false,"error":"fatal_error"}' }],
  [63, 'never answers', { hang: true }],
  [63, 'answers 500', { status: 500 }],
  [63, 'answers 503 with Retry-After', { status: 503, headers: { 'retry-after': '5' } }],
  [64, 'resets each connection', { reset: true }],
  [64, 'closes in the middle of its answer', { raw: 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nok' }],
  [65, 'does not speak HTTP', { raw: '220 mail.example ESMTP\r\n' }],
  [65, 'answers 200 with a login page', { headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' }],
  [65, 'answers 200 with 1 MB of garbage', { body: 'x'.repeat(1_000_000) }],
];

describe('a receiver that', { concurrency: 4 }, () => {
  for (const [row, what, answer] of FAILURES) {
    test(`${row} ${what} holds up its own queue only; once it works, it gets everything, in order`, async () => {
      let isBad = true;
      const [good, bad] = [trackingReceiver(END), trackingReceiver(END, () => (isBad ? answer : {}))];
      await using world = await World.start(good.respond);
      await using other = await startReceiver((request, n) => (isBad ? answer : bad.respond(request, n)));
      createAll(world, OBJECTS);
      const clock = fasterClock(20);
      await using running = await world.run({ config: config(world.slack, other, 20), clock });
      scaleAll(world, OBJECTS, 1);
      await good.done();
      assert.equal(assertComplete(world.slack.requests, END).repeated, 0);
      await other.waitFor(1);
      assert.equal((await balanceOf(running, 'bad')).completed, 0);
      const refused = other.requests.length;
      isBad = false;
      await bad.done();
      await until('the last answer', async () => (await balanceOf(running, 'bad')).pending === 0);
      assertComplete(other.requests.slice(refused), END);
      assert.equal(world.slack.requests.length, OBJECTS, 'the good one hears nothing of it');
      assert.ok(other.openSockets <= 16);
      await assertBalanced(running.app.store);
    });
  }

  test('64 is gone, and comes back at its address, has cost no attempt and gets everything', async () => {
    const [good, bad] = [trackingReceiver(END), trackingReceiver(END)];
    await using world = await World.start(good.respond);
    const gone = await startReceiver();
    const port = Number(new URL(gone.url).port);
    await gone.close();
    createAll(world, OBJECTS);
    const clock = fasterClock(20);
    await using running = await world.run({ config: config(world.slack, gone, 0), clock });
    scaleAll(world, OBJECTS, 1);
    await good.done();
    await using back = await startReceiver(bad.respond, port);
    await bad.done();
    await running.app.idle();
    assert.equal(assertComplete(back.requests, END).repeated, 0);
    await assertBalanced(running.app.store);
  });
});

/** One chain to one Slack, on a clock that runs `speed` times as fast. */
async function single(world: World, clock: Clock): Promise<Running> {
  const handlers = `[[handler]]\nname = "diff"\n[[handler]]\nname = "slack"\nwebhookURL = "${world.slack.url}"\nmessagesPerSecond = 0\ntimeout = "1h"\n`;
  return world.run({ config: `[[resource]]\nkind = "deployment"\n${handlers}`, clock });
}

describe('a receiver that answers', { concurrency: 4 }, () => {
  test('36 500 four times: three retries, then a dead letter; its replay is delivered under the same key', async () => {
    await using world = await World.start((_request, n) => (n <= 4 ? { status: 500 } : {}));
    await using running = await single(world, fasterClock(100));
    world.server.create(deployment('web'));
    await until('the dead letter', async () => (await running.app.store.deadLetters({ limit: 1 })).length === 1);
    const [letter] = await running.app.store.deadLetters({ limit: 1 });
    assert.equal(letter?.attempts, 4);
    await assertBalanced(running.app.store, { dead: 1 });
    await running.app.store.replay([letter.id]);
    await running.app.idle();
    assert.equal(world.slack.requests.length, 5);
    assert.equal(new Set(world.slack.requests.map(({ headers }) => headers['idempotency-key'])).size, 1);
    const [balance] = await running.app.store.balances();
    assert.deepEqual([balance?.completed, balance?.replayed], [1, 1]);
    await assertBalanced(running.app.store, { dead: 1 });
  });

  test('37 429 with Retry-After 30: waits that long, and it costs no attempt', async () => {
    const clock = fasterClock(100);
    const times: number[] = [];
    await using world = await World.start((_request, n) => {
      times.push(clock.monotonic());
      return n <= 5 ? { status: 429, headers: { 'retry-after': '30' } } : {};
    });
    await using running = await single(world, clock);
    world.server.create(deployment('web'));
    await until('the end', async () => (await running.app.store.balances())[0]?.completed === 1);
    const waits = times.slice(1).map((at, n) => at - (times[n] ?? 0));
    assert.equal(waits.length, 5);
    // Timers are rounded to a millisecond.
    assert.ok(Math.min(...waits) >= 29_900, waits.join());
    await assertBalanced(running.app.store);
  });

  test('41 404 for good: dead letters at once, then the breaker opens, and is logged once', async () => {
    let isGone = true;
    await using world = await World.start(() => (isGone ? { status: 404, body: 'no_service' } : {}));
    createAll(world, OBJECTS);
    await using running = await single(world, fasterClock(100));
    scaleAll(world, OBJECTS, 1);
    await until('the breaker', () => running.serviceLog().includes('Receiver fails repeatedly'));
    isGone = false;
    await until('the end', async () => (await running.app.store.balances())[0]?.pending === 0);
    const { dead, completed } = await balanceOf(running, 'default');
    assert.ok(dead >= 5 && dead < OBJECTS, `${dead} dead`);
    assert.equal(dead + completed, OBJECTS);
    assert.equal(running.serviceLog().match(/Receiver fails repeatedly/g)?.length, 1);
    await assertBalanced(running.app.store, { dead });
  });
});
