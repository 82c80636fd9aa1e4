/** Row 73: objects change repeatedly while their receiver is down. What it missed is merged, and every change has its end. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../../src/change.ts';
import type { Clock } from '../../src/clock.ts';
import type { Store } from '../../src/store/store.ts';
import { fasterClock } from '../../src/testing/living-cluster.ts';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { World, type Running } from '../e2e/world.ts';
import { assertBalanced } from './balance.ts';
import { replicaChangesIn, type ReplicaChange } from './stories.ts';
import { until } from '../until.ts';

/** A shorter wait does not count as overload. */
const LATE_MS = 10_000;

/** A cluster of deployments without replicas, and a Slack that is down until {@link Outage.end}. */
class Outage implements AsyncDisposable {
  readonly world: World;
  readonly running: Running;
  readonly #clock: Clock;
  readonly #down: { now: boolean };

  private constructor(world: World, running: Running, clock: Clock, down: { now: boolean }) {
    this.#clock = clock;
    this.world = world;
    this.running = running;
    this.#down = down;
  }

  static async begin(names: readonly string[], settings = ''): Promise<Outage> {
    const down = { now: true };
    const world = await World.start(() => (down.now ? { status: 503, headers: { 'retry-after': '30' } } : {}));
    for (const name of names) world.server.create(deployment(name, 'nginx', 0));
    const config = `${settings}\n${kwatchmanConfig(world.slack.url, ['deployment'])}timeout = "1h"\n`;
    const clock = fasterClock(50);
    return new Outage(world, await world.run({ config, clock }), clock, down);
  }

  scale(name: string, ...replicas: readonly number[]): void {
    for (const n of replicas) this.world.server.update(deployment(name, 'nginx', n));
  }

  async balance() {
    return (await this.running.app.store.balances())[0] ?? assert.fail('no chain');
  }

  /** Ends the outage once this many changes have been pending for long. Returns what is delivered from then on. */
  async end(pending: number): Promise<readonly ReplicaChange[]> {
    await until(`${pending} to be owed`, async () => (await this.balance()).pending === pending);
    const since = this.#clock.now();
    await until('them to be late', () => this.#clock.now() - since > LATE_MS);
    const refused = this.world.slack.requests.length;
    this.#down.now = false;
    await until('everything to be told', async () => (await this.balance()).pending === 0);
    await assertBalanced(this.running.app.store);
    return this.world.slack.requests.slice(refused).flatMap(replicaChangesIn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
    await this.world[Symbol.asyncDispose]();
  }
}

const lines = (all: readonly ReplicaChange[]): string[] =>
  all.map(({ object, from, to }) => `${object} ${from} -> ${to}`).toSorted();

/** The end of a change in its only chain, and the reason. */
async function endOf(store: Store, change: Change | undefined) {
  const [delivery] = (await store.trip(change?.id ?? 0))?.deliveries ?? [];
  return [delivery?.state, delivery?.reason];
}

describe('a receiver that is down', { concurrency: 2 }, () => {
  test('73 gets several changes of an object as one, from first before to last after; the others are superseded', async () => {
    await using outage = await Outage.begin(['web', 'flip']);
    const { slack } = outage.world;
    outage.scale('web', 1);
    outage.scale('flip', 1);
    await slack.waitFor(2);
    outage.scale('web', 2, 3, 4);
    outage.scale('flip', 5, 1);
    const heard = await outage.end(7);
    assert.deepEqual(lines(heard), ['default/flip 0 -> 1', 'default/web 0 -> 1', 'default/web 1 -> 4']);
    assert.match(slack.requests.at(-1)?.body ?? '', /several changes seen as one/);

    const { store, metrics } = outage.running.app;
    const { completed, superseded } = await outage.balance();
    assert.deepEqual([completed, superseded], [3, 4]);
    assert.match(await metrics.registry.metrics(), /end="superseded"\} 4/);
    const kept = await store.history({ limit: 10 });
    assert.equal(kept.length, 7, 'the history has each');
    const [third, fourth, undone] = [kept[3], kept[4], kept[5]];
    assert.deepEqual(await endOf(store, third), ['superseded', `merged into change ${kept[2]?.id}`]);
    assert.deepEqual(await endOf(store, fourth), ['superseded', `merged into change ${kept[2]?.id}`]);
    assert.deepEqual(await endOf(store, undone), ['superseded', `undone by change ${kept[6]?.id}`]);
  });

  test('73 gets each change when coalesce = false', async () => {
    await using outage = await Outage.begin(['web'], 'coalesce = false');
    outage.scale('web', 1);
    await outage.world.slack.waitFor(1);
    outage.scale('web', 2, 3);
    const heard = await outage.end(3);
    assert.deepEqual(lines(heard), ['default/web 0 -> 1', 'default/web 1 -> 2', 'default/web 2 -> 3']);
  });
});
