/** Metrics that the handler `count` adds to `/metrics`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from '../run-command.ts';
import { Workdir } from './program.ts';
import { World, type Running } from './world.ts';

const config = (slack: string, labels: string, title = ''): string => `
retry = { minTimeout = "1ms" }
[[resource]]
kind = "configmap"
[[handler]]
name = "count"
metric = "configmaps_total"
labels = { ${labels} }
[[handler]]
name = "./failing-once.js"
[[handler]]
name = "slack"
webhookURL = "${slack}/hook"
messagesPerSecond = 0
title = "${title}"
[[chain]]
name = "all"
[[chain.resource]]
kind = "secret"
[[chain.handler]]
name = "count"
metric = "configmaps_total"
labels = { action = "{{ change.action }}" }
`;

const FAILING_ONCE = `
const failed = new Set();
export default (change) => {
  if (failed.has(change.name)) return change;
  failed.add(change.name);
  throw new Error('not yet');
};
`;
const BY_NAME = 'name = "{{ change.name }}"';
const ACTION = 'action = "{{ change.action }}"';

async function counted({ app }: Running): Promise<string[]> {
  const text = await (await fetch(`http://${app.listening}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith('configmaps_total'));
}

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' } });

test('a retry of the chain does not count again, and a reload neither resets nor loses a counter', async () => {
  await using world = await World.start();
  await world.workdir.write('failing-once.js', FAILING_ONCE);
  const url = world.slack.url;
  await using running = await world.run({ config: config(url, ACTION), listen: '127.0.0.1:0' });
  world.server.create(configMap('a'));
  await world.slack.waitFor(1);
  await running.app.idle();
  assert.deepEqual(await counted(running), ['configmaps_total{action="added"} 1']);

  await running.reload(config(url, ACTION, 'Changed'));
  world.server.create(configMap('b'));
  await world.slack.waitFor(2);
  await running.app.idle();
  assert.deepEqual(await counted(running), ['configmaps_total{action="added"} 2']);

  await assert.rejects(
    running.reload(config(url, BY_NAME)),
    /default\/count .*: all\/count already counts "configmaps_total" with other labels/,
  );
  world.server.create(configMap('c'));
  await world.slack.waitFor(3);
  await running.app.idle();
  assert.deepEqual(await counted(running), ['configmaps_total{action="added"} 3']);
});

test('a reload that leaves a handler out frees its labels, and one that leaves all out removes the metric', async () => {
  await using world = await World.start();
  const chain = (...counts: string[]): string =>
    [
      '[[resource]]\nkind = "configmap"\n',
      ...counts.map(
        (id) => `[[handler]]\nname = "count"\nid = "${id}"\nmetric = "x_total"\nlabels = { ${id} = "1" }\n`,
      ),
      `[[handler]]\nname = "slack"\nwebhookURL = "${world.slack.url}/hook"\n`,
    ].join('');
  await using running = await world.run({ config: chain(), listen: '127.0.0.1:0' });
  await assert.rejects(running.reload(chain('a', 'b')), /default\/a already counts "x_total" with other labels/);
  await running.reload(chain('b'));
  world.server.create(configMap('a'));
  await world.slack.waitFor(1);
  const text = await (await fetch(`http://${running.app.listening}/metrics`)).text();
  assert.match(text, /^x_total\{b="1"\} 1$/m);
  await running.reload(chain());
  assert.doesNotMatch(await (await fetch(`http://${running.app.listening}/metrics`)).text(), /x_total/);
});

test('check finds two handlers that count one metric with different labels', async () => {
  await using workdir = await Workdir.make();
  await workdir.write('failing-once.js', FAILING_ONCE);
  const file = await workdir.write('config.toml', config('http://127.0.0.1:1', BY_NAME));
  const { code, stderr } = await runCommand(['check', '-c', file]);
  assert.equal(code, 1);
  assert.match(stderr, /Handler all\/count .*: default\/count already counts "configmaps_total" with other labels/);
});
