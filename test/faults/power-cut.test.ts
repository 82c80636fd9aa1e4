/** Row 27: the power fails. The disk is an ext4 image; what has reached it is copied in mid-write, and restored afterwards. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Program } from '../e2e/program.ts';
import { assertFolderBalanced } from './balance.ts';
import { Disk } from './mounts.ts';
import { LONG, needsMount } from './needs.ts';
import { between, seeded } from './random.ts';
import { CONCURRENCY, Service } from './service.ts';
import { assertComplete, trackingReceiver } from './stories.ts';
import { until } from '../until.ts';

const ROUNDS = LONG ? 20 : 2;
const OBJECTS = 300;
const MOST_TWICE = 0.04;
const DISK_BYTES = 64 * 1024 * 1024;

/** Stops every thread, after its current system call: from here on nothing is written to the disk. */
async function freeze(program: Program): Promise<void> {
  program.signal('SIGSTOP');
  const threads = `/proc/${program.pid}/task`;
  await until('the program to stand still', async () => {
    const stats = (await readdir(threads)).map((thread) => readFile(path.join(threads, thread, 'stat'), 'utf8'));
    // `pid (name) state ...`; the name may contain anything.
    return (await Promise.all(stats)).every((stat) => stat.slice(stat.lastIndexOf(')') + 2).startsWith('T'));
  });
}

test(
  `27 power cut, ${ROUNDS} times in mid-write: every change arrives, in order, few of them twice, under the same key`,
  needsMount,
  async (t) => {
    const random = seeded(t);
    const end = { objects: OBJECTS, last: ROUNDS + 1 };
    const tracker = trackingReceiver(end);
    await using service = await Service.make(OBJECTS, tracker.respond);
    await using disk = await Disk.mount(DISK_BYTES);
    const state = path.join(disk.path, 'state');
    await service.startOnce({ state });
    for (let round = 1; round <= ROUNDS; round++) {
      const half = between(random, 0, OBJECTS);
      service.scale(round, 0, half);
      // Every second cut waits until what the previous one interrupted is delivered: three in a row would set it aside (row 72).
      const least = round % 2 === 0 ? 2 * CONCURRENCY : 1;
      const messages = service.slack.requests.length + between(random, least, OBJECTS * 0.9);
      await using program = service.start({ state });
      service.scale(round, half);
      await service.slack.waitFor(messages, 60_000);
      // Not always right after a message.
      await delay(between(random, 0, 5));
      await freeze(program);
      await disk.capture();
      await program.stop('SIGKILL');
      await disk.cutPower();
    }
    {
      await using last = service.start({ state });
      await last.ready();
      service.scale(ROUNDS + 1);
      await tracker.done();
      assert.equal((await last.stop()).code, 0);
    }
    const { sent, repeated } = assertComplete(service.slack.requests, end);
    t.diagnostic(
      `${ROUNDS} rounds, ${sent} changes told, 0 lost, ${repeated} sent twice (${((100 * repeated) / sent).toFixed(2)} %)`,
    );
    assert.ok(repeated <= ROUNDS * CONCURRENCY, `${repeated} came twice`);
    assert.ok(repeated <= MOST_TWICE * sent, `${repeated} of ${sent} came twice`);
    await assertFolderBalanced(state);
  },
);
