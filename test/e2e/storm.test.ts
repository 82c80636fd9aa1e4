/** More changes at once than a channel can take: few messages, with every object in exactly one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fasterClock } from '../../src/testing/living-cluster.ts';
import { deployment } from './cluster.ts';
import { World } from './world.ts';

const OBJECTS = 2_000;

const config = (slackURL: string, more = ''): string => `${more}
[[resource]]
kind = "deployment"
[[handler]]
name = "diff"
[[handler]]
name = "slack"
webhookURL = "${slackURL}"
clusterName = "test"
`;

interface Message {
  readonly text?: string;
  readonly attachments?: readonly { readonly title: string }[];
}

/** The objects that a message names. */
function namesIn(body: string): string[] {
  const { text = '', attachments = [] } = JSON.parse(body) as Message;
  const titles = attachments.map(({ title }) => title.split('/').at(-1) ?? '');
  const listed = [...text.matchAll(/```([^`]*)```/g)].flatMap(([, names = '']) => names.split(', '));
  return [...titles, ...listed];
}

describe('a storm of changes', () => {
  test(`${OBJECTS} deletions to a channel of one message a second: few messages, each object named once`, async () => {
    await using world = await World.start();
    const names = Array.from({ length: OBJECTS }, (_, n) => `web-${n}`);
    for (const name of names) world.server.create(deployment(name));
    await using running = await world.run({ config: config(world.slack.url) });
    for (const name of names) world.server.delete('Deployment', name, 'default');
    const told = () => world.slack.requests.flatMap(({ body }) => namesIn(body));
    for (let n = 1; told().length < OBJECTS; n++) await world.slack.waitFor(n);
    await running.app.idle();
    assert.deepEqual(told().toSorted(), names.toSorted());
    assert.ok(world.slack.requests.length <= 10, `${world.slack.requests.length} messages`);
    const [balance] = await running.app.store.balances();
    assert.deepEqual([balance?.completed, balance?.pending, balance?.dead], [OBJECTS, 0, 0]);
  });

  test('to a sink with a digest: the first `over` one by one, the rest of the window as one message', async () => {
    await using world = await World.start();
    const digest = 'messagesPerSecond = 0\ntimeout = "1h"\ndigest = { window = "2m", over = 3 }\n';
    await using running = await world.run({ config: `${config(world.slack.url)}${digest}`, clock: fasterClock(50) });
    const names = Array.from({ length: 20 }, (_, n) => `web-${n}`);
    for (const name of names) world.server.create(deployment(name));
    await world.slack.waitFor(4);
    await running.app.idle();
    const told = world.slack.requests.map(({ body }) => namesIn(body));
    assert.deepEqual(
      told.map(({ length }) => length),
      [1, 1, 1, 17],
    );
    assert.deepEqual(told.flat().toSorted(), names.toSorted());
    const [balance] = await running.app.store.balances();
    assert.deepEqual([balance?.completed, balance?.pending], [20, 0]);
  });

  test('of which one cannot be rendered: the others of its message are delivered', async () => {
    await using world = await World.start();
    const link = "{% if change.name == 'web-1' %}nonsense{% else %}https://logs.example/{{ change.name }}{% endif %}";
    const options = `messagesPerSecond = 0\ntimeout = "1h"\ndigest = { window = "2m", over = 0 }\nlinks = { Logs = "${link}" }\n`;
    await using running = await world.run({ config: `${config(world.slack.url)}${options}`, clock: fasterClock(50) });
    const names = Array.from({ length: 4 }, (_, n) => `web-${n}`);
    for (const name of names) world.server.create(deployment(name));
    await world.slack.waitFor(2);
    await running.app.idle();
    const told = world.slack.requests.flatMap(({ body }) => namesIn(body));
    assert.deepEqual(told.toSorted(), ['web-0', 'web-2', 'web-3']);
    const [balance] = await running.app.store.balances();
    assert.deepEqual([balance?.completed, balance?.pending, balance?.dead], [3, 0, 1]);
  });

  test('changes while it was stopped make one summary', async () => {
    await using world = await World.start();
    const names = Array.from({ length: 25 }, (_, n) => `web-${n}`);
    for (const name of names) world.server.create(deployment(name));
    const options = { config: config(world.slack.url), keepState: true };
    const first = await world.run(options);
    await first.app.stop();
    for (const name of names.slice(0, 20)) world.server.delete('Deployment', name, 'default');
    for (const name of names.slice(20)) world.server.update(deployment(name, 'nginx:1.9.1'));
    await using running = await world.run(options);
    await world.slack.waitFor(1);
    await running.app.idle();
    const messages = world.slack.requests.map(({ body }) => JSON.parse(body) as Message);
    assert.equal(messages.length, 1);
    const { text = '' } = messages[0] ?? {};
    assert.match(text, /^\*25 changes\* in test while nothing was watching\n/);
    assert.match(text, /\*DELETE deployment\* · default · 20\n```web-0, web-1, /);
    assert.match(text, /\*UPDATE deployment\* · default · 5\n```web-20: image web nginx:1\.7\.9 -> nginx:1\.9\.1\n/);
  });
});

describe('a receiver that fails for longer than fallbackAfter', () => {
  test('is replaced by its fallback, which says so, and every change is delivered', async () => {
    await using world = await World.start((request) => (request.path === '/broken' ? { status: 500 } : { body: 'ok' }));
    const { url } = world.slack;
    await using running = await world.run({
      config: `
[[resource]]
kind = "deployment"
[retry]
minTimeout = "1ms"
[[handler]]
name = "slack"
webhookURL = "${new URL('/broken', url).href}"
messagesPerSecond = 0
fallback = "spare"
fallbackAfter = "1ms"
[[handler]]
name = "slack"
id = "spare"
webhookURL = "${new URL('/spare', url).href}"
messagesPerSecond = 0
clusterName = "test"
`,
    });
    const spared = () => world.slack.requests.filter(({ path }) => path === '/spare').map(({ body }) => body);
    for (let n = 0; n < 8; n++) world.server.create(deployment(`web-${n}`));
    for (let n = 1; spared().length < 8; n++) await world.slack.waitFor(n);
    await running.app.idle();
    const footers = spared().map(
      (body) => (JSON.parse(body) as { attachments: { footer: string }[] }).attachments[0]?.footer,
    );
    assert.deepEqual(new Set(footers), new Set(['test · in place of default/slack']));
    assert.equal(new Set(spared().flatMap(namesIn)).size, 8);
    const [balance] = await running.app.store.balances();
    assert.deepEqual([balance?.completed, balance?.dead, balance?.pending], [8, 0, 0]);
  });
});

test('a quiet rule holds or halts what it matches, and logs it; the rest is delivered', async () => {
  await using world = await World.start();
  const until = '2099-01-01T00:00:00Z';
  const quiet = `quiet = [
  { namespace = "^default$", labels = { app = "^held" }, until = "${until}" },
  { labels = { app = "^mute" }, until = "${until}", action = "halt" },
]
`;
  await using running = await world.run({ config: config(world.slack.url, quiet) });
  for (const name of ['held', 'mute', 'told']) world.server.create(deployment(name));
  await world.slack.waitFor(1);
  await running.app.idle();
  assert.deepEqual(
    world.slack.requests.flatMap(({ body }) => namesIn(body)),
    ['told'],
  );
  const [balance] = await running.app.store.balances();
  assert.deepEqual([balance?.completed, balance?.halted, balance?.pending], [1, 1, 1]);
  assert.match(running.serviceLog(), /quiet until 2099-01-01T00:00:00\.000Z/);
  assert.match(await running.app.metrics.registry.metrics(), /handler="default\/quiet-2",verdict="halt"\} 1/);
});
