/** With a real cluster's timing, and client-go's default of 15 s. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handOver } from '../e2e/lease.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';

test('a Lease is handed over within 10 s of a clean stop and 20 s of kill -9; nothing is lost or reported twice', async (t) => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  const { cleanMs, crashMs } = await handOver(await plane.access(), workdir, 15);
  t.diagnostic(`after a clean stop ${Math.round(cleanMs)} ms, after kill -9 ${Math.round(crashMs)} ms`);
  assert.ok(cleanMs <= 10_000, `${cleanMs} ms after a clean stop`);
  assert.ok(crashMs <= 20_000, `${crashMs} ms after kill -9`);
});
