/** Rows 28 to 31: the state folder's disk is full, broken or read-only. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { assertFolderBalanced } from './balance.ts';
import { Disk, fill, Tmpfs } from './mounts.ts';
import { needsMount } from './needs.ts';
import { Service } from './service.ts';
import { assertWhole, toldTo } from './stories.ts';
import { until } from './until.ts';

const OBJECTS = 100;

describe('a disk that', () => {
  test(
    '28 is full, then has room again: nothing is accepted meanwhile and nothing lost, without a restart',
    needsMount,
    async () => {
      const end = { objects: OBJECTS, last: 3 };
      const told = toldTo(end);
      await using service = await Service.make(OBJECTS, told.respond);
      await using volume = await Tmpfs.mount('12m');
      const state = volume.file('state');
      await using program = service.start({ state });
      await program.ready();
      service.scale(1);
      await service.slack.waitFor(OBJECTS);
      const elses = await fill(volume.path);
      service.scale(2);
      await program.until('the full disk', ({ stderr }) => stderr.includes('no space is left on its volume'));
      await until('the full disk in readiness', async () => {
        const readyz = await fetch(`${program.url()}/readyz`);
        return readyz.status === 503 && /no space is left/.test(await readyz.text());
      });
      service.scale(3);
      await rm(elses);
      await told.done();
      await until('readiness', async () => (await fetch(`${program.url()}/readyz`)).ok);
      assert.equal((await program.stop()).code, 0);
      assert.equal(assertWhole(service.slack.requests, end).repeated, 0);
      await assertFolderBalanced(state);
    },
  );

  test(
    '29 fails to write what it was given: the program ends, nothing is believed; whole again, everything is told',
    needsMount,
    async () => {
      const end = { objects: OBJECTS, last: 2 };
      const told = toldTo(end);
      await using service = await Service.make(OBJECTS, told.respond);
      // A disk of 64 MB whose blocks have 24 MB of memory: what goes beyond is an I/O error, told at the fsync.
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
      await told.done();
      assert.equal((await program.stop()).code, 0);
      assertWhole(service.slack.requests, end);
      await assertFolderBalanced(state);
    },
  );

  for (const [row, what, options] of [
    [31, 'is read-only', 'ro'],
    [31, 'has no room at the start', 'size=4k'],
  ] as const) {
    test(`${row} ${what}: says so and what to do, exits 1, and harms nothing`, needsMount, async () => {
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
      else await rm(volume.file('somebody-elses'));
      await service.startOnce({ state });
      await assertFolderBalanced(state);
    });
  }
});
