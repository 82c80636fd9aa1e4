import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer } from './api-server.ts';
import { FakeClock } from './fake-clock.ts';
import { LivingCluster } from './living-cluster.ts';

const COLLECTIONS = ['/apis/apps/v1/deployments', '/api/v1/pods', '/api/v1/secrets', '/api/v1/events'];

/** All objects after some rounds of 56 s, as text, and what was narrated. */
async function livedThrough(rounds: number): Promise<{ objects: string[]; said: string[] }> {
  const clock = new FakeClock();
  await using server = await startApiServer({ clock, kubeSystemUid: '11111111-2222-4333-8444-555555555555' });
  const said: string[] = [];
  const cluster = new LivingCluster(server, { clock, narrate: (what) => said.push(what) });
  cluster.furnish();
  for (let round = 0; round < rounds; round++) {
    const over = cluster.play(new AbortController().signal);
    await clock.advance(60_000);
    await over;
  }
  const objects = COLLECTIONS.map(async (path) => (await fetch(server.url + path)).text());
  return { objects: await Promise.all(objects), said };
}

describe('LivingCluster', () => {
  test('play() is deterministic to the byte', async () => {
    const [first, second] = [await livedThrough(2), await livedThrough(2)];
    assert.deepEqual(first, second);
  });

  test('play() rolls out, edits, scales, rotates, runs out of memory, deletes and upgrades', async () => {
    const { objects, said } = await livedThrough(1);
    const [deployments = '', pods = '', , events = ''] = objects;
    assert.equal(said.length, 9);
    assert(deployments.includes('nginx:1.9.1') && !deployments.includes('nginx:1.7.9'));
    assert(!deployments.includes('legacy-cart'));
    assert.equal(pods.match(/"image":"nginx:1\.9\.1"/g)?.length, 3);
    assert(events.includes('ClusterIsUpdating'));
  });

  test('play() stops when its signal aborts', async () => {
    const clock = new FakeClock();
    await using server = await startApiServer({ clock });
    const cluster = new LivingCluster(server, { clock });
    cluster.furnish();
    const controller = new AbortController();
    const over = cluster.play(controller.signal);
    await clock.waitForSleepers(1);
    controller.abort(new Error('enough'));
    await assert.rejects(over, /enough/);
    assert.equal(clock.sleeping, 0);
  });
});
