/** Row 19, and a day without the service: reports exactly the net changes, each once, and nothing if there are none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change, Manifest } from '../../src/change.ts';
import { deployment } from '../e2e/cluster.ts';
import { World, type Running } from '../e2e/world.ts';
import { assertBalanced } from './balance.ts';
import { until } from '../until.ts';

const CONFIG = `whileAway = "each"\n[[resource]]\nkind = "deployment"\n[[handler]]\nname = "diff"\n[[handler]]\nname = "log"\n`;
const [CHANGED, DELETED, CREATED, UNTOUCHED] = [1_000, 500, 200, 500];

/** Cheap to write by the thousand; only the last manifest has `note`. */
function web(n: number, replicas: number): Manifest {
  const manifest = deployment(`web-${n}`, 'nginx', replicas);
  return { ...manifest, metadata: { ...manifest.metadata, uid: `uid-${n}`, annotations: { note: `last of ${n}` } } };
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

/** The numbers of the objects known before: first those that change, then those that are deleted, then those that stay. */
const KNOWN = range(0, CHANGED + DELETED + UNTOUCHED);

function happenAway({ server }: World, times: number): void {
  for (let time = 1; time <= times; time++) server.putAll(range(0, CHANGED).map((n) => web(n, time)));
  for (const n of range(CHANGED, DELETED)) server.delete('Deployment', `web-${n}`, 'default');
  server.putAll(range(KNOWN.length, CREATED).map((n) => web(n, 1)));
}

/** Changes accepted so far. */
async function accepted({ app }: Running): Promise<number> {
  return (await app.store.balances()).reduce((sum, balance) => sum + balance.accepted, 0);
}

/** Waits until the last change was accepted, and then for any unexpected ones. */
async function everything(world: World, running: Running, wanted: number): Promise<readonly Change[]> {
  await until(`${wanted} changes`, async () => (await accepted(running)) >= wanted);
  world.server.create(deployment('marker'));
  await until('the marker', () => running.entries().some(({ key }) => key === 'default/marker'));
  await running.app.idle();
  const changes = await running.app.store.history({ limit: 10_000 });
  return changes.filter(({ name }) => name !== 'marker');
}

function assertNetChanges(changes: readonly Change[], running: Running, last: number): void {
  const of = (action: Change['action']) => changes.filter((change) => change.action === action);
  assert.deepEqual([of('updated').length, of('deleted').length, of('added').length], [CHANGED, DELETED, CREATED]);
  assert.equal(new Set(changes.map(({ key }) => key)).size, changes.length, 'each object once');
  assert.ok(changes.every(({ flags }) => flags.whileAway));
  for (const { before, after } of of('updated')) {
    assert.deepEqual(
      [before?.['spec'], after?.['spec']].map((spec) => (spec as { replicas: number }).replicas),
      [0, last],
    );
  }
  for (const { before, name } of of('deleted')) {
    assert.equal(before?.metadata.annotations?.['note'], `last of ${name.slice('web-'.length)}`);
  }
  const reportedKeys = running.entries().map(({ key }) => key);
  assert.equal(reportedKeys.length, new Set(reportedKeys).size, 'each object is reported once');
}

describe('19 stopped while 1,000 objects change, 500 are deleted and 200 are created', () => {
  for (const [how, times, compacted] of [
    ['within the history of the server', 1, false],
    ['repeatedly, beyond its history', 3, true],
  ] as const) {
    test(`19 ${how}: exactly 1,700 changes, each once, deletions with their last manifest; then none`, async () => {
      await using world = await World.start();
      world.server.putAll(KNOWN.map((n) => web(n, 0)));
      {
        await using first = await world.run({ config: CONFIG, keepState: true });
        assert.equal(await accepted(first), 0, 'the first list is silent');
      }
      happenAway(world, times);
      if (compacted) world.server.compact();
      {
        await using second = await world.run({ config: CONFIG, keepState: true });
        const changes = await everything(world, second, CHANGED + DELETED + CREATED);
        assertNetChanges(changes, second, times);
        assert.equal(changes.filter(({ flags }) => flags.compacted).length, compacted ? CHANGED + CREATED : 0);
        assert.equal(changes.filter(({ flags }) => flags.finalStateUnknown).length, compacted ? DELETED : 0);
        await assertBalanced(second.app.store);
      }
      await using third = await world.run({ config: CONFIG, keepState: true });
      assert.deepEqual(third.entries(), []);
      assert.equal(await accepted(third), CHANGED + DELETED + CREATED + 1, 'nothing is accepted when nothing changed');
      await assertBalanced(third.app.store);
    });
  }
});
