import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import type { AlertNote } from '../../handlers/podAlerts/alert.ts';
import { podOf, RUNNING, terminated, waiting, type ContainerParts } from '../../src/testing/failing-pods.ts';
import { World } from './world.ts';

/** Without a uid: the server assigns one. */
const podWith = (container: ContainerParts): Manifest =>
  podOf({ metadata: { uid: undefined }, containers: [container] });

const healthy = podWith(RUNNING);
const crashing = podWith(waiting('CrashLoopBackOff', { lastState: terminated(1, 'Error'), restartCount: 3 }));

test('once in a branch behind podAlerts: the first alert of a workload, and whenever one is over', async () => {
  await using world = await World.start();
  world.server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  world.server.create(healthy);
  const config = `
[[resource]]
kind = "pod"
[[handler]]
name = "podAlerts"
holdDown = "10ms"
restarts = 100
logLines = 0
events = 0

[[branch]]
name = "all"
[[branch.handler]]
name = "stdout"
layout.why = "{{ change.notes.alert.why }}"

[[branch]]
name = "few"
[[branch.handler]]
name = "once"
within = "4h"
key = "{{ change.notes.alert.fingerprint }}"
[[branch.handler]]
name = "webhook"
url = "${world.slack.url}"
`;
  await using running = await world.run({ config });
  // Whatever is over is reported at a wake-up of podAlerts.
  for (const round of [1, 2]) {
    world.server.update(crashing);
    await running.app.idle();
    world.server.update(healthy);
    await world.slack.waitFor(round + 1);
    await running.app.idle();
  }
  const told = world.slack.requests.map(({ body }) => (JSON.parse(body) as { alert: AlertNote }).alert.why);
  assert.deepEqual(told, ['new', 'over', 'over']);
  assert.deepEqual(
    running.entries().map(({ why }) => why),
    ['new', 'over', 'new', 'over'],
  );
});
