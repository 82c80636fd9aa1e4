import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import { podOf, waiting, type PodParts } from '../../src/testing/failing-pods.ts';
import { HOUR, MINUTE, Rig, timeAt } from '../../src/testing/test-pod-alerts.ts';

const pendingPod = (scheduled: NonNullable<PodParts['conditions']>[number], more: PodParts = {}): Manifest =>
  podOf({
    phase: 'Pending',
    containers: [],
    ready: false,
    conditions: [{ type: 'PodScheduled', status: 'False', ...scheduled }],
    ...more,
  });

const unscheduled = (message = '0/3 nodes are available: 3 Insufficient cpu.'): Manifest =>
  pendingPod({ reason: 'Unschedulable', message, lastTransitionTime: timeAt(0) });

describe('a pod that fits no node', () => {
  test('is reported after unschedulableFor, with the message of the scheduler', async () => {
    const rig = new Rig();
    await rig.apply(unscheduled());
    await rig.advance(5 * MINUTE - 1);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(1);
    assert.equal(rig.alerts[0]?.message, '0/3 nodes are available: 3 Insufficient cpu.');
    assert.deepEqual(rig.takeAlerts(), ['new Unschedulable']);
  });

  test('is reported sooner or later than any other that is pending, as configured', async () => {
    for (const [options, minutes] of [
      [{ unschedulableFor: '1m' }, 1],
      [{ unschedulableFor: '20m' }, 20],
      [{ unschedulableFor: '20m', pendingFor: '1m' }, 20],
    ] as const) {
      const rig = new Rig(options);
      await rig.apply(unscheduled());
      await rig.advance(minutes * MINUTE - 1);
      assert.deepEqual(rig.takeAlerts(), []);
      await rig.advance(1);
      assert.deepEqual(rig.takeAlerts(), ['new Unschedulable']);
    }
  });

  test('and gets a node in time is not reported, and then has the whole of pendingFor to start', async () => {
    const rig = new Rig();
    const scheduled = { status: 'True', lastTransitionTime: timeAt(4) };
    await rig.apply(unscheduled());
    await rig.advance(4 * MINUTE);
    await rig.apply(pendingPod(scheduled, { containers: [waiting('ContainerCreating')] }));
    await rig.advance(5 * MINUTE - 1);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(1);
    assert.deepEqual(rig.takeAlerts(), ['new Pending']);
  });

  test('because its volume claim is missing has a hint that names the claim', async () => {
    const rig = new Rig();
    await rig.apply(unscheduled('persistentvolumeclaim "data" not found'));
    await rig.advance(5 * MINUTE);
    assert.match(rig.alerts[0]?.hint ?? '', /check the claim/);
  });
});

test('a pod that is scheduled in time, or held back by scheduling gates, is not reported', async () => {
  const rig = new Rig();
  await rig.apply(unscheduled());
  await rig.advance(30_000);
  await rig.apply(podOf());
  await rig.apply(pendingPod({ reason: 'SchedulingGated' }, { app: 'gated' }));
  await rig.advance(HOUR);
  assert.deepEqual(rig.takeAlerts(), []);
});
