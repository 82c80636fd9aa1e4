import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from './fake-clock.ts';

describe('FakeClock', () => {
  test('advance() wakes sleepers in order of their due time, then in order of their call', async () => {
    const clock = new FakeClock(1_000);
    const woken: string[] = [];
    for (const [name, ms] of [
      ['late', 30],
      ['early', 10],
      ['early too', 10],
    ] as const) {
      void clock.sleep(ms).then(() => woken.push(`${name} at ${clock.now()}`));
    }
    await clock.advance(29);
    assert.deepEqual(woken, ['early at 1010', 'early too at 1010']);
    await clock.advance(1);
    assert.deepEqual(woken.at(-1), 'late at 1030');
    assert.equal(clock.sleeping, 0);
  });

  test('advance() also wakes sleeps that begin on waking and are due by then', async () => {
    const clock = new FakeClock();
    let rounds = 0;
    const loop = async (): Promise<void> => {
      for (; rounds < 5; rounds++) await clock.sleep(10);
    };
    const done = loop();
    await clock.advance(35);
    assert.equal(rounds, 3);
    await clock.advance(100);
    await done;
    assert.equal(clock.monotonic(), 135);
  });

  test('advance() ends a wait whose rest is too short to change the time', async () => {
    const clock = new FakeClock();
    await clock.advance(500_000.3);
    const end = clock.monotonic() + 1e-10;
    const wait = async (): Promise<void> => {
      while (clock.monotonic() < end) await clock.sleep((end - clock.monotonic()) / 4);
    };
    const done = wait();
    await clock.advance(1);
    await done;
    assert.ok(clock.monotonic() >= end);
  });

  test('sleep() rejects with the reason of its signal and is forgotten', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const sleep = clock.sleep(10, controller.signal);
    controller.abort(new Error('enough'));
    await assert.rejects(sleep, /enough/);
    await assert.rejects(clock.sleep(10, controller.signal), /enough/);
    assert.equal(clock.sleeping, 0);
  });

  test('waitForSleepers() resolves when enough sleep', async () => {
    const clock = new FakeClock();
    const reached = clock.waitForSleepers(2);
    void clock.sleep(1);
    void clock.sleep(1);
    await reached;
    assert.equal(clock.sleeping, 2);
    await clock.advance(1);
  });
});
