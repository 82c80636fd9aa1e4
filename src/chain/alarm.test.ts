import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { Alarm } from './alarm.ts';

function alarm() {
  const clock = new FakeClock();
  const rings: number[] = [];
  return { clock, rings, it: new Alarm(clock, () => rings.push(clock.monotonic())) };
}

test('set() rings once, at the earliest of the due times', async () => {
  const { clock, rings, it } = alarm();
  it.set(clock.steady() + 3_000);
  it.set(clock.steady() + 1_000);
  it.set(clock.steady() + 2_000);
  await clock.advance(10_000);
  assert.deepEqual(rings, [1_000]);
});

test('set() rings after 5 s if nothing is due earlier', async () => {
  const { clock, rings, it } = alarm();
  it.set(undefined);
  it.set(clock.steady() + 60_000);
  await clock.advance(10_000);
  assert.deepEqual(rings, [5_000]);
});
