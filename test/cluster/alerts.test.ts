/**
 * Every alert fires in its state: the real program is brought into that state, its metrics are scraped once a minute of its own
 * time, and Prometheus' rule engine evaluates the recording. While all is well, no alert fires.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import type { RuleFile } from '../../docs/metrics-page.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import type { ReceiverAnswer } from '../../src/testing/receiver.ts';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig, startProgram } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { World, type Running } from '../e2e/world.ts';
import { Tmpfs } from '../faults/mounts.ts';
import { needsMount } from '../faults/needs.ts';
import { type Firing, promtool, Recording, RULES } from './promtool.ts';
import { until } from '../until.ts';

const DEPLOYMENTS = 'apps/v1/deployments';
/** Minutes in which all is well. */
const WELL = 3;

interface Scene {
  readonly world: World;
  readonly running: Running;
}

interface State {
  readonly alert: string;
  readonly firing: Firing;
  /** The Slack receiver's answer. */
  readonly answer?: ReceiverAnswer;
  /** Options of the Slack handler. */
  readonly options?: string;
  readonly objects?: number;
  /** The API server sends nothing, not even bookmarks. */
  readonly mute?: true;
  /** Causes the failure. */
  readonly fault?: (scene: Scene) => void;
  /** Duration in minutes. */
  readonly lasts: number;
}

/** One message is sent, and the next may follow after 30 hours. */
const SLOW = 'messagesPerSecond = 0.00001\nburst = 1\n';

function scaleAll({ world }: Scene, objects: number): void {
  for (let n = 0; n < objects; n++) world.server.update(deployment(`web-${n}`, 'nginx', 2));
}

const STATES: readonly State[] = [
  {
    alert: 'WatchchainScopeDegraded',
    fault: ({ world }) => {
      world.server.allow(() => false);
      world.server.fault({ watch: true, times: 1, effect: 'errorEvent', status: 410 });
    },
    lasts: 10,
    firing: { labels: { resource: DEPLOYMENTS }, summary: `${DEPLOYMENTS} is not watched` },
  },
  {
    alert: 'WatchchainScopeSilent',
    mute: true,
    lasts: 20,
    firing: {
      labels: { resource: DEPLOYMENTS },
      summary: `Nothing was heard about ${DEPLOYMENTS} for 20m 0s`,
    },
  },
  {
    alert: 'WatchchainMalformed',
    fault: ({ world }) => {
      const nameless = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { uid: 'u', resourceVersion: '1' } };
      const line = JSON.stringify({ type: 'ADDED', object: nameless });
      world.server.fault({ watch: true, times: 1, effect: 'line', line });
      scaleAll({ world } as Scene, 1);
    },
    lasts: 3,
    firing: { labels: { resource: DEPLOYMENTS }, summary: `Objects of ${DEPLOYMENTS} could not be read` },
  },
  {
    alert: 'WatchchainDeadLetters',
    answer: { status: 404 },
    fault: (scene) => scaleAll(scene, 2),
    lasts: 4,
    firing: { labels: { chain: 'default' }, summary: '2 changes of chain default were given up' },
  },
  {
    alert: 'WatchchainReceiverFails',
    answer: { status: 500 },
    objects: 6,
    fault: (scene) => scaleAll(scene, 6),
    lasts: 10,
    firing: { labels: { receiver: 'default/slack' }, summary: 'default/slack fails, and its changes wait' },
  },
  {
    alert: 'WatchchainLate',
    options: SLOW,
    fault: (scene) => scaleAll(scene, 2),
    lasts: 20,
    firing: { labels: { chain: 'default' }, summary: 'A change has waited in chain default for 20m 0s' },
  },
  {
    alert: 'WatchchainBacklog',
    options: SLOW,
    objects: 1_002,
    fault: (scene) => scaleAll(scene, 1_002),
    lasts: 20,
    firing: { labels: { chain: 'default' }, summary: '1001 changes wait in chain default' },
  },
  {
    alert: 'WatchchainConfigNotLoaded',
    fault: ({ running }) => running.app.reloadFailed(['config.toml:3: [[handler]]: name: no handler is called slakc']),
    lasts: 8,
    firing: { labels: {}, summary: 'The configuration on disk is not the running one' },
  },
];

/** Scrapes the metrics like Prometheus. */
async function metricsOf({ running }: Scene): Promise<string> {
  const response = await fetch(`http://${running.app.listening}/metrics`);
  return response.text();
}

/** Records minute by minute; each begins once a bookmark has arrived, unless the server is mute. */
async function record(recording: Recording, minutes: number, scene: Scene, clock: FakeClock, mute = false) {
  for (let n = 0; n < minutes; n++) {
    await clock.advance(60_000);
    if (!mute) {
      scene.world.server.bookmark();
      await settled(scene, clock);
    }
    recording.add(await metricsOf(scene));
  }
}

/** Waits until the scope has just heard from the server, or cannot be watched. */
async function settled({ running }: Scene, clock: FakeClock): Promise<void> {
  await until('a bookmark, or a reason why there is none', () =>
    running.app.health().scopes.every(({ state, lastHeardAt }) => state !== 'watching' || lastHeardAt === clock.now()),
  );
}

/** Waits until housekeeping, which reads the store every 15 s, has updated its metrics. */
async function accounted({ running }: Scene, clock: FakeClock): Promise<void> {
  await until('the backlog in the metrics', async () => {
    const [balance] = await running.app.store.balances();
    const shown = (await running.app.metrics.pending.get()).values[0]?.value ?? 0;
    if (shown === balance?.pending && balance.pending + balance.dead > 0) return true;
    await clock.advance(1_000);
    return false;
  });
}

/** Formats like `%.4g` in Prometheus' templates. */
const asGoRounds = new Intl.NumberFormat('en', { maximumSignificantDigits: 4, roundingMode: 'halfEven' });

describe('the alerts', () => {
  test('promtool accepts the rules', () => promtool(['check', 'rules', '--lint=all', RULES]));

  test('promtool accepts our own metrics', async () => {
    await using world = await World.start();
    world.server.create(deployment('web-0', 'nginx', 1));
    const config = kwatchmanConfig(world.slack.url, ['deployment']);
    await using running = await world.run({ config, listen: '127.0.0.1:0', keepState: true });
    scaleAll({ world, running }, 1);
    await world.slack.waitFor(1);
    const lines = (await metricsOf({ world, running })).split('\n');
    const own = lines.filter((line) => /^(# \w+ )?watchchain_/.test(line)).map((line) => `${line}\n`);
    await promtool(['check', 'metrics'], own.join(''));
  });

  for (const { alert, firing, answer = {}, options = '', objects = 2, mute, fault, lasts } of STATES) {
    test(`${alert} fires`, async () => {
      await using world = await World.start(() => answer);
      for (let n = 0; n < objects; n++) world.server.create(deployment(`web-${n}`, 'nginx', 1));
      const clock = new FakeClock();
      const config = kwatchmanConfig(world.slack.url, ['deployment']).replace('messagesPerSecond = 0\n', options);
      await using running = await world.run({ config, listen: '127.0.0.1:0', clock });
      const scene = { world, running };
      const recording = new Recording(clock.now() + 60_000);
      await record(recording, WELL, scene, clock);
      fault?.(scene);
      if (answer.status !== undefined || options !== '') await accounted(scene, clock);
      await record(recording, lasts, scene, clock, mute);
      await recording.assertFires(alert, firing, WELL - 1, world.workdir);
    });
  }

  test('none fires for changes that a quiet holds', async () => {
    await using world = await World.start();
    for (let n = 0; n < 1_002; n++) world.server.create(deployment(`web-${n}`, 'nginx', 1));
    const clock = new FakeClock();
    const quiet = `quiet = [{ until = "${new Date(clock.now() + 3_600_000).toISOString()}" }]\n`;
    const config = quiet + kwatchmanConfig(world.slack.url, ['deployment']);
    await using running = await world.run({ config, listen: '127.0.0.1:0', clock });
    const scene = { world, running };
    const recording = new Recording(clock.now() + 60_000);
    scaleAll(scene, 1_002);
    await accounted(scene, clock);
    await record(recording, 20, scene, clock);
    const [balance] = await running.app.store.balances();
    assert.equal(balance?.pending, 1_002);
    await recording.assertNoneFires(world.workdir);
  });

  test('WatchchainAbsent fires while the cluster cannot be reached', async () => {
    await using world = await World.start();
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
    await world.workdir.write('config.toml', kwatchmanConfig(world.slack.url));
    await world.server.close();
    await using program = startProgram(world.workdir, { url: world.server.url, kubeconfig });
    await program.until('listening', ({ stderr }) => stderr.includes('"Listening"'));
    const recording = new Recording(Date.UTC(2026, 0, 1));
    for (let n = 0; n < 7; n++) recording.add(await (await fetch(`${program.url()}/metrics`)).text());
    await recording.assertFires(
      'WatchchainAbsent',
      { labels: {}, summary: 'Nothing is being watched' },
      1,
      world.workdir,
    );
  });

  for (const [labels, where] of [
    [{}, ''],
    [{ namespace: 'shop' }, ' in shop'],
    [{ namespace: 'monitoring', pod: 'watchchain-0' }, ''],
    [{ namespace: 'monitoring', pod: 'watchchain-0', exported_namespace: 'shop' }, ' in shop'],
  ] as const)
    test(`WatchchainScopeDegraded of ${JSON.stringify(labels)} names the namespace that is watched, if any`, async () => {
      await using workdir = await Workdir.make();
      const recording = new Recording(Date.UTC(2026, 0, 1));
      const named = { resource: DEPLOYMENTS, ...labels };
      const series = Object.entries(named).map(([label, value]) => `${label}="${value}"`);
      for (let n = 0; n < 7; n++) recording.add(`watchchain_scope_synced{${series.join(',')}} 0\n`);
      const summary = `${DEPLOYMENTS}${where} is not watched`;
      await recording.assertFires('WatchchainScopeDegraded', { labels: named, summary }, 1, workdir);
    });

  test('WatchchainDiskAlmostFull fires', needsMount, async () => {
    await using world = await World.start();
    await using volume = await Tmpfs.mount('63m');
    const clock = new FakeClock();
    const config = `[state]\npath = "${volume.file('state')}"\n${kwatchmanConfig(world.slack.url, ['deployment'])}`;
    await using running = await world.run({ config, listen: '127.0.0.1:0', clock, keepState: true });
    const recording = new Recording(clock.now() + 60_000);
    await record(recording, 8, { world, running }, clock);
    const bytes = (await running.app.metrics.stateFree.get()).values[0]?.value ?? 0;
    const summary = `${asGoRounds.format(bytes / 1024 ** 2)}MiB are left on the volume of the state`;
    await recording.assertFires('WatchchainDiskAlmostFull', { labels: {}, summary }, 2, world.workdir);
  });

  test('every alert has a test', async () => {
    const { groups } = parse(await readFile(RULES, 'utf8')) as RuleFile;
    const source = await readFile(import.meta.filename, 'utf8');
    const untested = groups.flatMap(({ rules }) => rules).filter(({ alert }) => !source.includes(`'${alert}'`));
    assert.deepEqual(untested, []);
  });
});
