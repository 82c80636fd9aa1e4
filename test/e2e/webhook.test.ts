/** Webhook and Grafana through the whole program: templates, limits, and changes that cannot be rendered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fasterClock } from '../../src/testing/living-cluster.ts';
import { until } from '../until.ts';
import { World, type Running } from './world.ts';

const event = (name: string, message: string) => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name, namespace: 'shop' },
  involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
  reason: 'BackOff',
  type: 'Warning',
  message,
  count: 1,
});

/** The bodies sent to this path, once there are `n`. */
async function bodies({ slack }: World, path: string, n: number): Promise<readonly string[]> {
  for (let wanted = n; ; wanted++) {
    const found = slack.requests.filter((request) => request.path === path).map(({ body }) => body);
    if (found.length >= n) return found;
    await slack.waitFor(wanted);
  }
}

async function deadLetters(run: Running, n: number) {
  for (;;) {
    await run.app.idle();
    const dead = await run.app.store.deadLetters({ limit: 10 });
    if (dead.length >= n) return dead;
    await new Promise(setImmediate);
  }
}

test('one Event goes to a webhook and to Grafana, each in its own format', async () => {
  await using world = await World.start();
  await using _run = await world.run({
    config: `
[[resource]]
kind = "event"

[[handler]]
name = "webhook"
url = "${world.slack.url}/hook"
method = "PUT"
headers = { X-Reason = "{{ event.reason }}" }
[handler.layout]
text = "{{ event.reason }} on {{ event.involvedObject.kind | downcase }}/{{ event.involvedObject.name }}"
count = "{{ event.count }}"
host = "{{ event.host }}"

[[handler]]
name = "grafana"
url = "${world.slack.url}/grafana"
token = "TOKEN"
tags = ["{{ event.reason }}", "{{ event.host }}"]
text = "{{ event.message }}"
time = "2026-11-20T23:42:03Z"
`,
  });
  world.server.create(event('web-1.17a', 'Back-off'));
  assert.deepEqual(await bodies(world, '/hook', 1), ['{"text":"BackOff on pod/web-1","count":1}']);
  assert.deepEqual(await bodies(world, '/grafana/api/annotations', 1), [
    '{"time":1795218123000,"tags":["BackOff"],"text":"Back-off"}',
  ]);
  const [hook] = world.slack.requests;
  assert.equal(`${hook?.method} ${hook?.headers['x-reason'] as string}`, 'PUT BackOff');
});

test('a change that cannot be rendered is a dead letter, naming handler and field; the others arrive', async () => {
  await using world = await World.start();
  await using run = await world.run({
    config: `
[[resource]]
kind = "event"
[[handler]]
name = "webhook"
id = "ops"
url = "${world.slack.url}/hook"
headers = { X-Message = "{{ event.message }}" }
[handler.layout]
loop = "{% if event.message == 'loop' %}{% for i in (1..1000000) %}{% for j in (1..1000000) %}{% endfor %}{% endfor %}{% endif %}"
long = "{% if event.message contains 'xxx' %}{% for i in (1..1000) %}{{ event.message }}{% endfor %}{% endif %}"
`,
  });
  for (const message of ['loop', 'x'.repeat(7_000), 'two\r\nX-Admin: lines', 'fine']) {
    world.server.create(event(`web.${message.slice(0, 3)}`, message));
  }
  assert.deepEqual(await bodies(world, '/hook', 1), ['{"loop":"","long":""}']);
  const dead = await deadLetters(run, 3);
  const reasons = dead.map(({ change, handler, attempts, error }) => `${change.name} ${handler} ${attempts} ${error}`);
  const [loop = '', two, long] = reasons.toSorted();
  assert.match(
    loop,
    /^web\.loo default\/ops 1 The template of layout\.loop failed: takes more than (100000 steps|1000 ms) \(line 1, column 60\)$/,
  );
  assert.equal(
    two,
    'web.two default/ops 1 The template of headers.X-Message yields a line break or another control character: a header is one line',
  );
  assert.equal(
    long,
    'web.xxx default/ops 1 The template of layout.long failed: writes more than 4194304 characters (line 1, column 62)',
  );
  assert.equal(world.slack.requests.length, 1);
});

test('changes beyond the rate are sent in few requests, each object in exactly one', async () => {
  await using world = await World.start();
  await using _run = await world.run({
    config: `
[[resource]]
kind = "event"
[[handler]]
name = "webhook"
url = "${world.slack.url}/hook"
batch = true
messagesPerSecond = 10
layout = { name = "{{ change.name }}" }
`,
  });
  const names = Array.from({ length: 200 }, (_, n) => `web.${n}`);
  for (const name of names) world.server.create(event(name, 'Back-off'));
  const told = async (requests: number): Promise<readonly string[]> => {
    const all = (await bodies(world, '/hook', requests)).flatMap(
      (body) => JSON.parse(body) as { readonly name: string }[],
    );
    return all.length < names.length ? told(requests + 1) : all.map(({ name }) => name);
  };
  assert.deepEqual((await told(1)).toSorted(), names.toSorted());
  assert.ok(world.slack.requests.length <= 20, `${world.slack.requests.length} requests`);
});

test('a batch with looked-up values does not exceed maxBodyBytes', async () => {
  await using world = await World.start();
  const names = Array.from({ length: 8 }, (_, n) => `web-${n}`);
  for (const name of names) {
    const metadata = { name, namespace: 'shop', annotations: { note: 'x'.repeat(3_000) } };
    world.server.create({ apiVersion: 'v1', kind: 'Pod', metadata });
  }
  await using run = await world.run({
    clock: fasterClock(20),
    config: `
[[resource]]
kind = "event"
[[handler]]
name = "webhook"
url = "${world.slack.url}/hook"
batch = true
maxBodyBytes = 10000
messagesPerSecond = 0
timeout = "1h"
digest = { window = "1m", over = 0 }
layout = { name = "{{ involved.name }}", note = "{{ involved.annotations['note'] }}" }
`,
  });
  for (const name of names) {
    const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name };
    world.server.create({ ...event(`${name}.1`, 'Back-off'), involvedObject });
  }
  await until('everything to be told', async () => (await run.app.store.balances())[0]?.completed === names.length);
  const all = world.slack.requests.map(({ body }) => body);
  const longest = Math.max(...all.map((body) => body.length));
  assert.ok(longest <= 10_000, `${longest} bytes`);
  const told = all.flatMap((body) => JSON.parse(body) as { readonly name: string; readonly note: string }[]);
  assert.deepEqual(told.map(({ name }) => name).toSorted(), names);
  assert.ok(told.every(({ note }) => note.length === 3_000));
});
