/** From a crashing pod to a message, and from its recovery to another: the whole service on the embedded API server. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import type { AlertNote } from '../../handlers/podAlerts/alert.ts';
import { podOf, RUNNING, terminated, waiting } from '../../src/testing/failing-pods.ts';
import { loadHandler } from '../../src/chain/load.ts';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import { Workdir } from './program.ts';
import { World, type Running } from './world.ts';

const config = (url: string, options = ''): string => `
[[resource]]
kind = "pod"
[[resource]]
kind = "event"
[[resource]]
kind = "node"
[[resource]]
kind = "deployment"
[[resource]]
kind = "configmap"
[[handler]]
name = "podAlerts"
holdDown = "0s"
${options}
[[handler]]
name = "webhook"
url = "${url}"
`;

interface Told {
  readonly headline: string;
  readonly alert: AlertNote;
}

/** A limit for a busy machine. */
const STORM_MS = 120_000;

const told = (world: World): readonly Told[] => world.slack.requests.map(({ body }) => JSON.parse(body) as Told);

const crashing = (app: string, n = 0, restartCount = 3): Manifest =>
  podOf({
    ...named(app, n),
    containers: [waiting('CrashLoopBackOff', { lastState: terminated(1, 'Error'), restartCount })],
  });

const healthy = (app: string, n = 0): Manifest => podOf({ ...named(app, n), containers: [RUNNING] });

/** Without a uid: the server assigns one. */
const named = (app: string, n: number) =>
  ({ app, name: `${app}-5d4f8c7b9-${n}`, metadata: { uid: undefined } }) as const;

const deployment = (image: string): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { replicas: 1, template: { spec: { containers: [{ name: 'web', image }] } } },
});

async function startWith(world: World, pods: readonly Manifest[], options = '', keepState = false): Promise<Running> {
  world.server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  for (const pod of pods) world.server.create(pod);
  return world.run({ config: config(world.slack.url, options), keepState });
}

describe('podAlerts', () => {
  test('an alert carries the last changes with managers, the Events of exactly this pod, and the redacted log', async () => {
    await using world = await World.start();
    world.server.create(deployment('web:1.0'));
    await using running = await startWith(world, [healthy('web'), healthy('web', 1)]);
    world.server.update(deployment('web:1.1'), { manager: 'kubectl-set' });
    await running.app.idle();
    const { uid } = world.server.get('Pod', 'web-5d4f8c7b9-0', 'shop')?.metadata ?? {};
    const event = (name: string, about: string | undefined): object => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'shop' },
      involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-5d4f8c7b9-0', uid: about },
      type: 'Warning',
      reason: 'BackOff',
      message: name,
      eventTime: '2026-11-21T08:00:00.000000Z',
    });
    world.server.create(event('of-this-pod', uid));
    world.server.create(event('of-its-predecessor', 'another-uid'));
    const path = '/api/v1/namespaces/shop/pods/web-5d4f8c7b9-0/log';
    world.server.setLog('web-5d4f8c7b9-0', 'shop', 'panic: no password=hunter22\n');
    world.server.update(crashing('web'));
    await world.slack.waitFor(1);
    const [{ alert } = {}] = told(world);
    assert.deepEqual(
      alert?.lastChanges.map(({ headline, by }) => [headline, by]),
      [['deployment shop/web updated: image web web:1.0 -> web:1.1', ['kubectl-set']]],
    );
    assert.deepEqual(
      alert?.events.map(({ message }) => message),
      ['of-this-pod'],
      '13: by uid, with eventTime only',
    );
    assert.equal(alert?.log, 'panic: no password=***');
    const log = world.server.requests.find((request) => request.path === path);
    assert.equal(log?.query.get('previous'), 'true');
  });

  test('lastChanges has the last change of the spec after 150 changes of the status', async () => {
    await using world = await World.start();
    world.server.create(deployment('web:1.0'));
    await using running = await startWith(world, [healthy('web')]);
    world.server.update(deployment('web:1.1'), { manager: 'kubectl-set' });
    await running.app.idle();
    for (let readyReplicas = 1; readyReplicas <= 150; readyReplicas++) {
      world.server.update({ ...deployment('web:1.1'), status: { readyReplicas } });
      await running.app.idle();
    }
    world.server.update(crashing('web'));
    await world.slack.waitFor(1);
    assert.deepEqual(
      told(world)[0]?.alert.lastChanges.map(({ headline }) => headline),
      ['deployment shop/web updated: image web web:1.0 -> web:1.1'],
    );
  });

  test('13: an alert is sent without the Events and the log if they are forbidden', async () => {
    await using world = await World.start();
    world.server.allow(({ verb, resource }) => !(resource === 'events' && verb === 'list') && resource !== 'pods/log');
    await using running = await startWith(world, [healthy('web')]);
    world.server.fault({ effect: 'status', status: 403, path: /\/log$/ });
    world.server.fault({ effect: 'status', status: 403, path: '/api/v1/namespaces/shop/events' });
    world.server.update(crashing('web'));
    await world.slack.waitFor(1);
    const [{ alert } = {}] = told(world);
    assert.deepEqual([alert?.reason, alert?.events, alert?.log], ['CrashLoopBackOff', [], undefined]);
    await running.app.idle();
  });

  test('a new redaction rule applies to what the resolved message shows of a deleted pod', async () => {
    await using world = await World.start();
    const { metadata, ...rest } = crashing('web');
    world.server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    world.server.create(healthy('web'));
    // It is resolved at a wake-up, when only what the alert kept is known about the pod.
    const rules = config(world.slack.url).replace('holdDown = "0s"', 'holdDown = "1s"');
    await using first = await world.run({ config: rules, keepState: true });
    world.server.update({ ...rest, metadata: { ...metadata, annotations: { note: 'c4nary' } } });
    await world.slack.waitFor(1);
    await first.app.stop();
    assert.match(world.slack.requests[0]?.body ?? '', /c4nary/);
    const hidden = '[redact]\npaths = { pod = ["metadata.annotations.note"] }\n';
    await using _ = await world.run({ config: hidden + rules, keepState: true });
    world.server.delete('Pod', 'web-5d4f8c7b9-0', 'shop');
    await world.slack.waitFor(2);
    assert.equal(told(world)[1]?.alert.why, 'over');
    assert.match(world.slack.requests[1]?.body ?? '', /"note":"redacted:hmac-/);
    assert.doesNotMatch(world.slack.requests[1]?.body ?? '', /c4nary/);
  });

  test('a storm of 2,000 crashing pods of 20 workloads makes 20 messages, and 20 more when it is over', async () => {
    await using world = await World.start();
    const apps = Array.from({ length: 20 }, (_, n) => `app-${n}`);
    const pods = apps.flatMap((app) => Array.from({ length: 100 }, (_, n) => [app, n] as const));
    await using running = await startWith(
      world,
      pods.map(([app, n]) => healthy(app, n)),
    );
    for (const [app, n] of pods) world.server.update(crashing(app, n, 1));
    await world.slack.waitFor(20, STORM_MS);
    await running.app.idle();
    assert.equal(world.slack.requests.length, 20);
    assert.deepEqual(
      told(world)
        .map(({ alert }) => alert.owner.name)
        .toSorted(),
      apps.toSorted(),
    );
    for (const [app, n] of pods) world.server.update(healthy(app, n));
    await world.slack.waitFor(40, STORM_MS);
    await running.app.idle();
    const over = told(world).slice(20);
    assert.ok(over.every(({ alert }) => alert.status === 'resolved'));
    assert.deepEqual(
      new Set(over.map(({ alert }) => alert.fingerprint)),
      new Set(
        told(world)
          .slice(0, 20)
          .map(({ alert }) => alert.fingerprint),
      ),
    );
    assert.equal(world.slack.requests.length, 40);
    const [balance] = await running.app.store.balances();
    assert.equal(balance?.pending, 0);
  });

  test('14: alerts and windows survive a restart: none is repeated, and those of the meantime are reported', async () => {
    await using world = await World.start();
    const first = await startWith(world, [healthy('web'), healthy('api'), healthy('db')], 'restarts = 3', true);
    world.server.update(crashing('web'));
    const restarted = (restartCount: number): Manifest =>
      podOf({ ...named('db', 0), containers: [{ ...RUNNING, restartCount, lastState: terminated(1, 'Error') }] });
    world.server.update(restarted(1));
    world.server.update(restarted(2));
    await world.slack.waitFor(1);
    await first.app.idle();
    await first.app.stop();
    world.server.update(crashing('web', 0, 4));
    world.server.update(crashing('api'));
    await using second = await world.run({ config: config(world.slack.url, 'restarts = 3'), keepState: true });
    await world.slack.waitFor(2);
    await second.app.idle();
    assert.deepEqual(
      told(world).map(({ alert }) => alert.owner.name),
      ['web', 'api'],
    );
    world.server.update(restarted(3));
    world.server.update(healthy('web'));
    await world.slack.waitFor(4);
    const later = told(world)
      .slice(2)
      .map(({ alert }) => `${alert.why} ${alert.owner.name} ${alert.reason}`);
    assert.deepEqual(later.toSorted(), ['new db Restarts', 'over web CrashLoopBackOff']);
  });

  test('a pod that was evicted and replaced during a stop is not reported, although the list shows its successor first', async () => {
    await using world = await World.start();
    const first = await startWith(world, [healthy('web', 1)], '', true);
    await first.app.stop();
    const at = (time: string, status: string) => [{ type: 'Ready', status, lastTransitionTime: time }];
    const evicted = { reason: 'Evicted', conditions: at('2026-01-01T10:00:00Z', 'False') };
    world.server.update(podOf({ ...named('web', 1), phase: 'Failed', containers: [], status: evicted }));
    world.server.create(podOf({ ...named('web', 0), status: { conditions: at('2026-01-01T10:00:05Z', 'True') } }));
    world.server.compact();
    await using second = await world.run({ config: config(world.slack.url), keepState: true });
    await second.app.idle();
    world.server.create(crashing('api'));
    await world.slack.waitFor(1);
    assert.deepEqual(
      told(world).map(({ alert }) => alert.owner.name),
      ['api'],
    );
  });

  test('a chain that is added again lists the pods before it reminds of an alert or resolves it', async () => {
    await using world = await World.start();
    let aheadMs = 0;
    const clock = {
      ...systemClock,
      now: () => systemClock.now() + aheadMs,
      steady: () => systemClock.steady() + aheadMs,
    };
    for (const app of ['web', 'api']) world.server.create(healthy(app));
    const pods = config(world.slack.url, 'remindAfter = "1h"');
    await using running = await world.run({ config: pods, clock });
    for (const app of ['web', 'api']) world.server.update(crashing(app));
    await world.slack.waitFor(2);
    await running.app.idle();
    await running.reload('[[resource]]\nkind = "secret"\n[[handler]]\nname = "log"\n');
    world.server.delete('Pod', named('api', 0).name, 'shop');
    aheadMs = 2 * 3_600_000;
    world.server.fault({ effect: 'delay', ms: 500, path: '/api/v1/pods', watch: false });
    await running.reload(pods);
    await world.slack.waitFor(4);
    const later = told(world)
      .slice(2)
      .map(({ alert }) => `${alert.status} ${alert.owner.name}`);
    assert.deepEqual(later.toSorted(), ['firing web', 'resolved api']);
  });

  test('a mute halts new alerts, and passes the end of one that was reported', async () => {
    await using world = await World.start();
    await using running = await startWith(world, [healthy('web'), healthy('api')]);
    world.server.update(crashing('web'));
    await world.slack.waitFor(1);
    const mute = '[[handler]]\nname = "quiet"\naction = "halt"\nnamespace = "^shop$"';
    await running.reload(config(world.slack.url, mute));
    world.server.update(crashing('api'));
    await running.app.idle();
    world.server.update(healthy('web'));
    await world.slack.waitFor(2);
    await running.app.idle();
    assert.deepEqual(
      told(world).map(({ alert: { why, owner } }) => `${why} ${owner.name}`),
      ['new web', 'over web'],
    );
  });

  test('a branch gets only the alerts whose level it matches, and another is quiet about the rest', async () => {
    await using world = await World.start();
    const branches = `[[branch]]
name = "failures"
[[branch.handler]]
name = "match"
notes."alert.level" = "^Failure$"
[[branch.handler]]
name = "webhook"
url = "${world.slack.url}/failures"
[[branch]]
name = "warnings"
quiet = [{ action = "halt", notes = { "alert.level" = "^Failure$" } }]
[[branch.handler]]
name = "webhook"
url = "${world.slack.url}/warnings"
`;
    const alerts = config(world.slack.url, 'restarts = 3').split('[[handler]]\nname = "webhook"')[0];
    for (const name of ['web', 'api']) world.server.create(healthy(name));
    await using running = await world.run({ config: `${alerts}${branches}` });
    world.server.update(crashing('web'));
    world.server.update(podOf({ ...named('api', 0), containers: [{ ...RUNNING, restartCount: 3 }] }));
    await world.slack.waitFor(2);
    await running.app.idle();
    assert.deepEqual(world.slack.requests.map(({ path }, n) => `${path} ${told(world)[n]?.alert.reason}`).toSorted(), [
      '/failures CrashLoopBackOff',
      '/warnings Restarts',
    ]);
  });

  test('a receiver that is down gets the alert once, when it is back', async () => {
    let isDown = true;
    await using world = await World.start(() => (isDown ? { status: 500 } : { body: 'ok' }));
    await using running = await startWith(world, [healthy('web'), healthy('web', 1)]);
    world.server.update(crashing('web'));
    await world.slack.waitFor(1);
    world.server.update(crashing('web', 1));
    isDown = false;
    await world.slack.waitFor(2);
    await running.app.idle();
    const [failed, again, ...more] = told(world);
    const { durationMs: _, ...rest } = again?.alert ?? ({} as AlertNote);
    assert.deepEqual({ ...rest, durationMs: 0 }, { ...failed?.alert, durationMs: 0 }, 'the same alert');
    assert.deepEqual(more, []);
  });
});

test('every configuration that docs/pods.md shows is valid', async () => {
  await using workdir = await Workdir.make();
  const page = await readFile(new URL('../../docs/pods.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```toml\n(.*?)```/gs)].map(([, block = '']) => block);
  assert.equal(blocks.length, 6);
  const env = {
    SLACK_WEBHOOK_URL: 'https://hooks.slack.com/services/T/B/x',
    SLACK_TOKEN: 'xoxb-1',
    PAGERDUTY_KEY: 'key',
    ON_CALL_URL: 'https://on-call.example/hook',
  };
  for (const block of blocks) {
    const whole = block.includes('[[resource]]')
      ? block
      : `[[resource]]\nkind = "pod"\n[[handler]]\nname = "podAlerts"\n${block}`;
    await loadConfig(await workdir.write('config.toml', whole), { env, loadHandler });
  }
});
