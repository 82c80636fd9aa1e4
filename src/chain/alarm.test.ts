import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { Alarm } from './alarm.ts';

function alarm() {
  const clock = new FakeClock();
  const rings: number[] = [];
  return { clock, rings, it: new Alarm(clock, () => rings.push(clock.monotonic())) };
}

test('set() rings when the first of what is due is due, and once', async () => {
  const { clock, rings, it } = alarm();
  it.set(clock.steady() + 3_000);
  it.set(clock.steady() + 1_000);
  it.set(clock.steady() + 2_000);
  await clock.advance(10_000);
  assert.deepEqual(rings, [1_000]);
});

test('set() rings after 5 s for what is due later, or never', async () => {
  const { clock, rings, it } = alarm();
  it.set(undefined);
  it.set(clock.steady() + 60_000);
  await clock.advance(10_000);
  assert.deepEqual(rings, [5_000]);
});
