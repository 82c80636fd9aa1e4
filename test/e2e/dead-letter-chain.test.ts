import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../until.ts';
import { deployment } from './cluster.ts';
import { World } from './world.ts';

/** Slack refuses messages of the chain `default`, and accepts others. */
async function start(): Promise<World> {
  return World.start(({ path }) => (path === '/broken' ? { status: 404, body: 'no_service' } : { body: 'ok' }));
}

const chains = (url: string) => `
deadLetters = "ops"
[[resource]]
kind = "deployment"
[[handler]]
name = "slack"
webhookURL = "${url}/broken"
messagesPerSecond = 0
[[chain]]
name = "ops"
[[chain.handler]]
name = "slack"
webhookURL = "${url}/ops"
messagesPerSecond = 0
[[chain.handler]]
name = "log"
`;

describe('a chain that receives dead letters', () => {
  test('gets the change with the reason, once, and the counters of P8 balance', async () => {
    await using world = await start();
    await using running = await world.run({ config: chains(world.slack.url), keepState: true });
    world.server.create(deployment('web'));
    await world.slack.waitFor(2);
    await running.app.idle();
    const [message, ...others] = world.slack.requests.filter(({ path }) => path === '/ops');
    assert.deepEqual(others, []);
    const reason = /given up by default\/slack after 1 attempt and kept as dead letter \d+: .*404/;
    assert.match(message?.body ?? '', reason);
    const [entry] = running.entries();
    const { id, handler, attempts } = (entry?.['deadLetter'] ?? {}) as Record<string, unknown>;
    assert.deepEqual([handler, attempts], ['default/slack', 1]);
    const [letter, ...more] = await running.app.store.deadLetters({ limit: 10 });
    assert.deepEqual([letter?.id, more], [id, []]);
    for (const b of await running.app.store.balances())
      assert.equal(b.accepted + b.replayed, b.completed + b.halted + b.dead + b.superseded + b.discarded + b.pending);
  });

  test('has delivered what it was given once the service is idle, even if it was idle itself before', async () => {
    const mayFail = Promise.withResolvers<void>();
    await using world = await World.start(({ path }) =>
      path === '/broken' ? { status: 404, after: mayFail.promise } : { body: 'ok' },
    );
    await using running = await world.run({ config: chains(world.slack.url) });
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    const idle = running.app.idle();
    mayFail.resolve();
    await idle;
    assert.equal(world.slack.requests.length, 2);
  });

  test('does not receive its own dead letters', async () => {
    await using world = await start();
    const config = chains(world.slack.url)
      .replace('/ops"', '/broken"')
      .replace('name = "ops"', 'name = "ops"\ndeadLetters = "ops"');
    await using running = await world.run({ config });
    world.server.create(deployment('web'));
    await world.slack.waitFor(2);
    await running.app.idle();
    const letters = await running.app.store.deadLetters({ limit: 10 });
    assert.deepEqual(
      letters.map(({ chain }) => chain),
      ['default', 'ops'],
    );
    assert.equal(world.slack.requests.length, 2);
  });

  test('does not loop with a chain that receives its dead letters in turn', async () => {
    await using world = await start();
    const config = chains(world.slack.url)
      .replace('/ops"', '/broken"')
      .replace('name = "ops"', 'name = "ops"\ndeadLetters = "default"');
    await using running = await world.run({ config });
    world.server.create(deployment('web'));
    await world.slack.waitFor(2);
    await running.app.idle();
    const letters = await running.app.store.deadLetters({ limit: 10 });
    assert.deepEqual(
      letters.map(({ chain }) => chain),
      ['default', 'ops'],
    );
  });

  test('a start with dead letters logs their number in one line', async () => {
    await using world = await start();
    const config = chains(world.slack.url);
    {
      await using running = await world.run({ config, keepState: true });
      for (const name of ['one', 'two']) world.server.create(deployment(name));
      await world.slack.waitFor(4);
      await running.app.idle();
    }
    await using running = await world.run({ config, keepState: true });
    const lines = () =>
      running
        .serviceLog()
        .split('\n')
        .filter((line) => line.includes('There are dead letters'));
    await until('the line', () => lines().length > 0);
    assert.deepEqual(
      lines().map((line) => (JSON.parse(line) as { kept: number }).kept),
      [2],
    );
  });
});
