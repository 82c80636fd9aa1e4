import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AcceptBatch, Accepted, Observation } from '../store/scope.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { AcceptQueue, type ByteTotal } from './accept-queue.ts';

const seen = (key: string, size = 10): Observation => ({
  type: 'seen',
  key,
  uid: key,
  resourceVersion: '1',
  digest: 1,
  body: new Uint8Array(size),
});

/** A queue into a store whose accepts finish when the test says so. */
function queueInto(totalHeld: ByteTotal = { bytes: 0 }) {
  const clock = new FakeClock();
  const batches: { readonly batch: AcceptBatch; resolve(accepted: Accepted): void; reject(error: Error): void }[] = [];
  const problems: (string | undefined)[] = [];
  /** How many accepts had been requested at each call. */
  const told: number[] = [];
  const queue = new AcceptQueue({
    store: {
      accept: (batch) => {
        const { promise, resolve, reject } = Promise.withResolvers<Accepted>();
        batches.push({ batch, resolve, reject });
        return promise;
      },
    },
    scope: 1,
    clock,
    totalHeld,
    onAccepting: () => told.push(batches.length),
    onProblem: (problem) => problems.push(problem?.message),
  });
  const keys = () => batches.map(({ batch }) => batch.observations.map(({ key }) => key));
  const turn = () => new Promise(setImmediate);
  const accept = async (n: number) => {
    batches[n]?.resolve({ changes: 0, chains: [] });
    await turn();
  };
  return { queue, clock, batches, problems, told, keys, accept, turn };
}

describe('AcceptQueue', () => {
  test('runs one accept at a time; what arrives meanwhile goes into the next, with the newest cursor', async () => {
    const { queue, batches, keys, accept } = queueInto();
    for (const key of ['a', 'b', 'c']) {
      queue.add(seen(key));
      queue.moveCursor(`after ${key}`);
      queue.flush();
    }
    assert.deepEqual(keys(), [['a']]);
    await accept(0);
    assert.deepEqual(keys(), [['a'], ['b', 'c']]);
    assert.deepEqual(
      batches.map(({ batch }) => batch.cursor),
      ['after a', 'after c'],
    );
    await accept(1);
    await queue.stop();
    assert.equal(batches.length, 2);
  });

  test('calls onAccepting once the store is asked to accept possible changes, and again on a retry', async () => {
    const { queue, batches, told, clock, accept, turn } = queueInto();
    queue.add({ ...seen('a'), silent: true });
    queue.flush();
    assert.deepEqual(told, []);
    queue.add(seen('b'));
    await accept(0);
    assert.deepEqual(told, [2]);
    batches[1]?.reject(new Error('no space'));
    await turn();
    await clock.advance(60_000);
    assert.deepEqual(told, [2, 3]);
    await accept(2);
    await queue.stop();
  });

  test('writes a cursor that only noise has moved after 5 s, and once', async () => {
    const { queue, batches, clock, accept } = queueInto();
    for (const version of ['1', '2', '3']) queue.moveCursor(version);
    queue.flush();
    await clock.advance(4_999);
    assert.equal(batches.length, 0);
    await clock.advance(1);
    assert.deepEqual(batches[0]?.batch, { scope: 1, observations: [], cursor: '3' });
    await accept(0);
    await queue.stop();
    assert.equal(batches.length, 1);
  });

  test('is full at 1,000 observations or 4 MiB, those under way included, until the store has accepted them', async () => {
    for (const fill of [
      (q: AcceptQueue) => Array.from({ length: 1_000 }, (_, i) => q.add(seen(`${i}`))),
      (q: AcceptQueue) => q.add(seen('large', 4 * 1024 * 1024)),
    ]) {
      const { queue, accept } = queueInto();
      assert.equal(queue.whenRoom(), undefined);
      fill(queue);
      queue.flush();
      let hasRoom = false;
      const room = queue.whenRoom()?.then(() => (hasRoom = true));
      await new Promise(setImmediate);
      assert.equal(hasRoom, false);
      await accept(0);
      await room;
      assert.equal(queue.whenRoom(), undefined);
      await queue.stop();
    }
  });

  test('is full after one observation while other queues hold the shared limit; stop() gives back their share', async () => {
    const totalHeld = { bytes: 0 };
    const others = Array.from({ length: 16 }, () => queueInto(totalHeld));
    for (const { queue } of others) queue.add(seen('large', 4 * 1024 * 1024));
    const { queue, accept, turn } = queueInto(totalHeld);
    assert.equal(queue.whenRoom(), undefined);
    queue.add(seen('a'));
    queue.flush();
    const room = queue.whenRoom();
    assert.ok(room !== undefined);
    await accept(0);
    await room;
    const stopped = others.map((one) => one.queue.stop());
    await turn();
    for (const { batches } of others) batches[0]?.reject(new Error('disk full'));
    await Promise.all(stopped);
    assert.equal(totalHeld.bytes, 0);
    await queue.stop();
  });

  test('keeps the observations that the store refused, in order, and retries', async () => {
    const { queue, clock, batches, keys, problems, accept, turn } = queueInto();
    queue.add(seen('a'));
    queue.moveCursor('1');
    queue.flush();
    queue.add(seen('b'));
    queue.moveCursor('2');
    batches[0]?.reject(new Error('disk full'));
    await turn();
    await clock.advance(800);
    assert.deepEqual(keys(), [['a'], ['a', 'b']]);
    assert.equal(batches[1]?.batch.cursor, '2');
    await accept(1);
    assert.deepEqual(problems, ['disk full', undefined]);
    await queue.stop();
  });

  test('stop() waits for the accept under way, writes what is queued, and is idempotent', async () => {
    const { queue, keys, accept, turn } = queueInto();
    queue.add(seen('a'));
    queue.flush();
    queue.add(seen('b'));
    let isStopped = false;
    const stopped = Promise.all([queue.stop(), queue.stop()]).then(() => (isStopped = true));
    await turn();
    assert.equal(isStopped, false);
    await accept(0);
    await accept(1);
    await stopped;
    assert.deepEqual(keys(), [['a'], ['b']]);
  });
});
