/** Rows 28 to 31: the state folder's disk is full, broken or read-only. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { accept, claim, CLUSTER, COMPLETED, NOW, openScope, seen } from '../../src/store/conformance/fixture.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { deployment } from '../e2e/cluster.ts';
import type { Program } from '../e2e/program.ts';
import { assertBalanced, assertFolderBalanced, withStore } from './balance.ts';
import { Disk, fill, FILLER, Tmpfs } from './mounts.ts';
import { needsMount } from './needs.ts';
import { Service } from './service.ts';
import { assertComplete, trackingReceiver } from './stories.ts';
import { until } from '../until.ts';

const OBJECTS = 100;

/** A deferred delivery waits as long again as before, up to 75 s: on a slow machine the disk is full only after a minute. */
const DEFERRED_MS = 150_000;

/** A volume of 12 MB, and a receiver that is down until {@link FullDiskScene.drain}. */
class FullDiskScene implements AsyncDisposable {
  readonly service: Service;
  readonly volume: Tmpfs;
  readonly tracker: ReturnType<typeof trackingReceiver>;
  readonly #down: { now: boolean };

  private constructor(
    service: Service,
    volume: Tmpfs,
    tracker: ReturnType<typeof trackingReceiver>,
    down: { now: boolean },
  ) {
    this.service = service;
    this.volume = volume;
    this.tracker = tracker;
    this.#down = down;
  }

  static async set(end: { readonly objects: number; readonly last: number }): Promise<FullDiskScene> {
    const [down, tracker] = [{ now: true }, trackingReceiver(end)];
    const service = await Service.make(end.objects, (request, n) =>
      down.now ? { status: 429, headers: { 'retry-after': '1' } } : tracker.respond(request, n),
    );
    return new FullDiskScene(service, await Tmpfs.mount('12m'), tracker, down);
  }

  get state(): string {
    return this.volume.file('state');
  }

  /** Every object changes and is accepted; then the volume is filled, and every object changes again. */
  async fillUp(program: Program): Promise<void> {
    await program.ready();
    this.service.scale(1);
    await until('every change to be accepted', async () => (await this.#pending()) === this.service.objects);
    await fill(this.volume.path);
    this.#growAll();
    await program.until('the full disk', ({ stderr }) => stderr.includes('no space is left on its volume'));
  }

  /** The receiver is back: what was accepted is delivered and checkpointed. */
  async drain(): Promise<void> {
    this.#down.now = false;
    await until('what was accepted to be noted as told', async () => (await this.#pending()) === 0, DEFERRED_MS);
  }

  /** Grows all to two replicas, and 2 MB in total: more than the free space in the store's own files. */
  #growAll(): void {
    for (let n = 0; n < this.service.objects; n++) {
      const { metadata, ...rest } = deployment(`web-${n}`, 'nginx', 2);
      this.service.server.update({ ...rest, metadata: { ...metadata, annotations: { note: 'x'.repeat(20_000) } } });
    }
  }

  #pending(): Promise<number> {
    return withStore(this.state, async (store) => (await store.balances())[0]?.pending ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
    await this.volume[Symbol.asyncDispose]();
  }
}

/** A store whose log is longer than the room reserved for it, so that a write needs more. */
async function storeWithLongLog(volume: Tmpfs): Promise<AsyncDisposable & { readonly store: Store }> {
  const store = await openSqliteStore({ path: volume.file('store.db'), cluster: CLUSTER });
  const scope = await openScope(store);
  for (let n = 1; n <= OBJECTS; n++)
    await accept(store, scope, seen(`web-${n}`, n, { body: Buffer.alloc(20_000, 'x') }));
  return { store, [Symbol.asyncDispose]: () => store.close() };
}

describe('a disk that', () => {
  test(
    '28 is full, then has space again: accepted changes are delivered meanwhile, nothing is lost, without a restart',
    needsMount,
    async () => {
      const end = { objects: OBJECTS, last: 3 };
      await using scene = await FullDiskScene.set(end);
      const { service, volume, tracker, state } = scene;
      await using program = service.start({ state });
      await scene.fillUp(program);
      await until('the full disk in readiness', async () => {
        const readyz = await fetch(`${program.url()}/readyz`);
        return readyz.status === 503 && /no space is left/.test(await readyz.text());
      });
      await scene.drain();
      await rm(volume.file(FILLER));
      service.scale(3);
      await tracker.done();
      await until('readiness', async () => (await fetch(`${program.url()}/readyz`)).ok);
      const exit = await program.stop();
      assert.equal(exit.code, 0);
      assert.match(exit.stderr, /The store can be written to again/);
      assert.equal(assertComplete(tracker.taken, end).repeated, 0);
      await assertFolderBalanced(state);
    },
  );

  test('28 is full when the program is killed: deliveries made meanwhile are not repeated', needsMount, async () => {
    const end = { objects: OBJECTS, last: 2 };
    await using scene = await FullDiskScene.set(end);
    const { service, volume, tracker, state } = scene;
    {
      await using program = service.start({ state });
      await scene.fillUp(program);
      await scene.drain();
      await program.stop('SIGKILL');
    }
    await rm(volume.file(FILLER));
    await using program = service.start({ state });
    await program.ready();
    await tracker.done();
    assert.equal((await program.stop()).code, 0);
    assert.equal(assertComplete(tracker.taken, end).repeated, 0);
    await assertFolderBalanced(state);
  });

  test(
    '28 is full, and the space that the store gives up is taken, too: deliveries can still be completed',
    needsMount,
    async () => {
      await using volume = await Tmpfs.mount('12m');
      await using closing = new AsyncDisposableStack();
      const store = await openSqliteStore({ path: volume.file('store.db'), cluster: CLUSTER });
      closing.defer(() => store.close());
      const scope = await openScope(store);
      for (let n = 1; n <= OBJECTS; n++) await accept(store, scope, seen(`web-${n}`, n));
      await fill(volume.path);
      const large = seen('large', OBJECTS + 1, { body: randomBytes(2_000_000) });
      await assert.rejects(accept(store, scope, large), { code: 'STORE_FULL' });
      await fill(volume.path, 'what-was-given-up');
      let noted = 0;
      for (let owed = (await claim(store)).deliveries; owed.length > 0; owed = (await claim(store)).deliveries)
        for (const { id } of owed) {
          await store.complete(id, COMPLETED);
          noted++;
        }
      assert.equal(noted, OBJECTS);
      await assertBalanced(store);
    },
  );

  test(
    '28 is full of pending changes: once they are completed and pruned, new changes fit without a restart',
    needsMount,
    async () => {
      await using volume = await Tmpfs.mount('24m');
      await using closing = new AsyncDisposableStack();
      const store = await openSqliteStore({ path: volume.file('store.db'), cluster: CLUSTER });
      closing.defer(() => store.close());
      const scope = await openScope(store);
      const see = (n: number) =>
        accept(store, scope, seen(`web-${n % 50}`, n, { body: Buffer.alloc(20_000, 97 + (n % 20)) }));
      let n = 0;
      const full = async (): Promise<void> => {
        for (;;) await see(++n);
      };
      await assert.rejects(full(), { code: 'STORE_FULL' });
      for (let owed = (await claim(store)).deliveries; owed.length > 0; owed = (await claim(store)).deliveries)
        for (const { id } of owed) await store.complete(id, COMPLETED);
      let pruned = 0;
      for (let more = 1; more > 0; pruned += more) more = await store.prune({ maxAgeMs: 0, maxBytes: 0 }, NOW + 1);
      assert.ok(pruned > 0);
      await until('room for another change', () =>
        see(++n).then(
          () => true,
          () => false,
        ),
      );
    },
  );

  test(
    '28 is full while nothing is written, then the store is closed: it ends cleanly, and no change counts as crashing',
    needsMount,
    async () => {
      await using volume = await Tmpfs.mount('64m');
      await using store = await storeWithLongLog(volume);
      await claim(store.store);
      await fill(volume.path);
      await store.store.close();
      await rm(volume.file(FILLER));
      const next = await openSqliteStore({ path: volume.file('store.db'), cluster: CLUSTER });
      assert.deepEqual(new Set((await claim(next)).deliveries.map(({ crashes }) => crashes)), new Set([0]));
      await next.close();
    },
  );

  test(
    '28 is full at a start after a kill: the error names the remedy, and the copy of an upgrade stays',
    needsMount,
    async () => {
      await using volume = await Tmpfs.mount('64m');
      await using _killed = await storeWithLongLog(volume);
      const copy = volume.file('store.db.schema-1');
      await writeFile(copy, 'of an earlier upgrade');
      await fill(volume.path);
      await assert.rejects(openSqliteStore({ path: volume.file('store.db'), cluster: CLUSTER }), {
        code: 'CONFIG',
        message: /^Cannot open the store .* is full; the state folder must be on a writable volume with space left$/,
      });
      assert.equal(await readFile(copy, 'utf8'), 'of an earlier upgrade');
    },
  );

  test(
    '29 fails to write: the program exits with 1; with the disk repaired, the next start reports every change',
    needsMount,
    async () => {
      const end = { objects: OBJECTS, last: 2 };
      const tracker = trackingReceiver(end);
      await using service = await Service.make(OBJECTS, tracker.respond);
      // A disk of 64 MB with 24 MB of memory for its blocks: writing more is an I/O error, reported by fsync.
      await using disk = await Disk.mount(64 * 1024 * 1024, '24m');
      const state = `${disk.path}/state`;
      await service.startOnce({ state });
      {
        await using program = service.start({ state });
        await program.ready();
        await disk.breakDown();
        service.scale(1);
        const exit = await program.exited();
        assert.equal(exit.code, 1);
        assert.match(exit.stderr, /The store has stopped: disk I\/O error/);
      }
      await disk.repair();
      service.scale(2);
      await using program = service.start({ state });
      await tracker.done();
      assert.equal((await program.stop()).code, 0);
      assertComplete(service.slack.requests, end);
      await assertFolderBalanced(state);
    },
  );

  for (const [row, what, options] of [
    [31, 'is read-only', 'ro'],
    [31, 'has no room at the start', 'size=4k'],
  ] as const) {
    test(`${row} ${what}: the error names the remedy, exit 1, and the state is unharmed`, needsMount, async () => {
      await using service = await Service.make(1);
      await using volume = await Tmpfs.mount('12m');
      const state = volume.file('state');
      await service.startOnce({ state });
      if (options === 'ro') await volume.remount('ro');
      else await fill(volume.path);
      await using refused = service.start({ state });
      const exit = await refused.exited();
      assert.equal(exit.code, 1);
      assert.match(exit.stderr, /Cannot (use the state folder|open the store) .*state.*: .*(read-only volume|space)/);
      assert.doesNotMatch(exit.stderr, /^\s+at /m);
      if (options === 'ro') await volume.remount('rw');
      else await rm(volume.file(FILLER));
      await service.startOnce({ state });
      await assertFolderBalanced(state);
    });
  }
});
