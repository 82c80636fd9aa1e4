/** The dead man's switch: beats while all is well, none otherwise. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { startReceiver, type CapturedReceiver, type ReceiverAnswer } from '../../src/testing/receiver.ts';
import { until } from '../until.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig } from './main-job.ts';
import { World, type Running } from './world.ts';

const SECRET = 'b3a7c1e0-ping';
const MINUTE = 60_000;

const sumOf = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0);

/** The app with a heartbeat, whose beats are awaited one by one. */
class Scene implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly world: World;
  readonly monitor: CapturedReceiver;
  #running: Running | undefined;
  #counted: ReadonlyMap<string, number> = new Map();

  private constructor(world: World, monitor: CapturedReceiver) {
    this.world = world;
    this.monitor = monitor;
  }

  static async set(answers: {
    readonly slack?: ReceiverAnswer;
    readonly monitor?: () => ReceiverAnswer;
  }): Promise<Scene> {
    const world = await World.start(() => answers.slack ?? {});
    return new Scene(world, await startReceiver(answers.monitor ?? (() => ({}))));
  }

  get running(): Running {
    return this.#running ?? assert.fail('it does not run');
  }

  config(more = '', monitor = this.monitor): string {
    return `[heartbeat]\nurl = "${monitor.url}/${SECRET}"\n${more}${kwatchmanConfig(this.world.slack.url, ['deployment'])}`;
  }

  async run(more = ''): Promise<void> {
    this.#running = await this.world.run({ config: this.config(more), clock: this.clock });
  }

  /** The outcome of the next beat. After the first, advances time until then, with a sign of life from the API server. */
  async beat(everyMs = MINUTE): Promise<string> {
    const before = this.#counted;
    if (sumOf(before) > 0) {
      this.world.server.bookmark();
      // Exactly to the time of the beat, because its request has a deadline.
      await this.clock.advance(everyMs - (this.clock.monotonic() % everyMs));
    }
    await until('a beat', async () => {
      const { values } = await this.running.app.metrics.heartbeats.get();
      this.#counted = new Map(values.map(({ labels, value }) => [String(labels.outcome), value]));
      return sumOf(this.#counted) === sumOf(before) + 1;
    });
    const outcome = [...this.#counted.keys()].find((one) => this.#counted.get(one) !== before.get(one));
    return outcome ?? assert.fail('no beat was counted');
  }

  /** Advances a second, with the beat that is due in it. */
  async pass(): Promise<void> {
    const toBeat = MINUTE - (this.clock.monotonic() % MINUTE);
    if (toBeat <= 1_000) await this.beat();
    else await this.clock.advance(1_000);
  }

  /** How often the message was logged. */
  said(message: string): number {
    return this.running.serviceLog().split(`"message":"${message}`).length - 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.app.stop();
    await this.world[Symbol.asyncDispose]();
    await this.monitor.close();
  }
}

describe('the heartbeat', () => {
  test('is sent at once and each minute, and withheld while a kind is degraded; logged once, without the URL', async () => {
    await using scene = await Scene.set({});
    const { world, monitor } = scene;
    await scene.run();
    for (let n = 1; n <= 3; n++) {
      assert.equal(await scene.beat(), 'sent');
      assert.equal(monitor.requests.length, n);
    }
    const [first] = monitor.requests;
    assert.deepEqual([first?.method, first?.path, first?.body], ['POST', `/${SECRET}`, '']);

    world.server.allow(() => false);
    world.server.fault({ watch: true, times: 1, effect: 'errorEvent', status: 410 });
    await until('the degraded scope', () => scene.running.app.health().degraded.length === 1);
    for (let n = 0; n < 3; n++) assert.equal(await scene.beat(), 'withheld');
    assert.equal(scene.said('Heartbeats are withheld'), 1);
    assert.match(scene.running.serviceLog(), /"problem":"apps\/v1\/deployments is degraded"/);

    world.server.allow(() => true);
    await until('the scope to be watched again', async () => {
      if (scene.running.app.health().degraded.length > 0) await scene.pass();
      return scene.running.app.health().degraded.length === 0;
    });
    assert.equal(await scene.beat(), 'sent');
    assert.equal(scene.said('Heartbeats have resumed'), 1);
    const text = scene.running.serviceLog() + (await scene.running.app.metrics.registry.metrics());
    assert.doesNotMatch(text, new RegExp(SECRET));
  });

  test('is withheld while the breaker of a receiver is open', async () => {
    await using scene = await Scene.set({ slack: { status: 500 } });
    const { server } = scene.world;
    for (let n = 0; n < 6; n++) server.create(deployment(`web-${n}`, 'nginx', 1));
    await scene.run();
    assert.equal(await scene.beat(), 'sent');
    for (let n = 0; n < 6; n++) server.update(deployment(`web-${n}`, 'nginx', 2));
    await until('the open breaker', () => scene.said('Receiver fails repeatedly') === 1);
    assert.equal(await scene.beat(), 'withheld');
    assert.match(scene.running.serviceLog(), /"problem":"default\/slack keeps failing, deliveries are paused"/);
  });

  test('that fails is sent again at the same interval, and logged once', async () => {
    let answer: ReceiverAnswer = { status: 500, body: SECRET };
    await using scene = await Scene.set({ monitor: () => answer });
    await scene.run('method = "GET"\nevery = "2m"\n');
    for (let n = 0; n < 8; n++) assert.equal(await scene.beat(2 * MINUTE), 'failed');
    assert.equal(scene.monitor.requests.length, 8);
    assert.equal(scene.monitor.requests[0]?.method, 'GET');
    answer = {};
    assert.equal(await scene.beat(2 * MINUTE), 'sent');
    assert.equal(scene.said('Cannot send the heartbeat'), 1);
    assert.match(scene.running.serviceLog(), /"problem":"heartbeat \(127\.0\.0\.1:\d+\) answered 500: \*\*\*"/);
  });

  test('that is never answered is given up after 10 s, and does not hold up the stop', async () => {
    await using scene = await Scene.set({ monitor: () => ({ hang: true }) });
    await scene.run();
    await scene.monitor.waitFor(1);
    await scene.clock.advance(10_000);
    await until('the failure', () => scene.said('Cannot send the heartbeat') === 1);
    await scene.clock.advance(MINUTE);
    await scene.monitor.waitFor(2);
    await scene.running.app.stop();
    assert.equal(scene.monitor.requests.length, 2);
  });

  test('follows a reload, which refuses invalid options', async () => {
    await using scene = await Scene.set({});
    await using fresh = await startReceiver();
    await scene.run();
    await scene.beat();
    await scene.running.reload(scene.config('', fresh));
    await fresh.waitFor(1);
    const wrong = `[heartbeat]\nurl = "${SECRET}"\nevery = "0s"\nmethod = "PUT"\n`;
    await assert.rejects(scene.running.reload(wrong + kwatchmanConfig(fresh.url)), ({ message }: Error) => {
      assert.match(message, /config\.toml:2: heartbeat\.url: must be an https:\/\/ or http:\/\/ URL/);
      assert.match(message, /config\.toml:3: heartbeat\.every: must be at least "1s"/);
      assert.match(message, /config\.toml:4: heartbeat\.method/);
      assert.doesNotMatch(message, new RegExp(SECRET));
      return true;
    });
    await scene.running.reload(kwatchmanConfig(scene.world.slack.url, ['deployment']));
    await scene.clock.advance(5 * MINUTE);
    assert.deepEqual([scene.monitor.requests.length, fresh.requests.length], [1, 1]);
  });
});
