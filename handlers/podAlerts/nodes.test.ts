import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/json.ts';
import { nodeOf } from '../../src/testing/failing-pods.ts';
import { HOUR, MINUTE, Rig, START } from '../../src/testing/test-pod-alerts.ts';

test('a node that is cordoned before it goes down is not reported', async () => {
  const node = (status: string, spec: JsonObject) => nodeOf('node-1', { status }, { spec });
  const rig = new Rig();
  await rig.apply(node('True', {}));
  await rig.apply(node('True', { unschedulable: true }));
  await rig.apply(node('Unknown', { unschedulable: true }));
  assert.deepEqual(rig.takeAlerts(), []);
  await rig.apply(node('Unknown', {}));
  assert.deepEqual(rig.takeAlerts(), ['new NodeUnreachable']);
});

test('a node that an autoscaler is about to remove is not reported, unless it stays', async () => {
  const node = (status: string, ...keys: string[]) =>
    nodeOf('node-1', { status }, { spec: { taints: keys.map((key) => ({ key, effect: 'NoSchedule' })) } });
  for (const key of ['ToBeDeletedByClusterAutoscaler', 'karpenter.sh/disrupted']) {
    const rig = new Rig();
    await rig.apply(node('True'));
    await rig.apply(node('True', 'dedicated', key));
    await rig.apply(node('Unknown', 'dedicated', key));
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(node('Unknown', 'dedicated'));
    assert.deepEqual(rig.takeAlerts(), ['new NodeUnreachable']);
  }
});

test('a node that is cordoned while it is down is resolved when it is ready or deleted', async () => {
  const node = (name: string, status: string, unschedulable: boolean) =>
    nodeOf(name, { status }, { spec: { unschedulable } });
  const rig = new Rig();
  for (const name of ['node-1', 'node-2']) {
    await rig.apply(node(name, 'Unknown', false));
    await rig.apply(node(name, 'Unknown', true));
  }
  await rig.advance(5 * HOUR);
  assert.deepEqual(rig.takeAlerts(), [
    'new NodeUnreachable',
    'new NodeUnreachable',
    'reminder NodeUnreachable',
    'reminder NodeUnreachable',
  ]);
  await rig.apply(node('node-1', 'True', true));
  await rig.delete(node('node-2', 'Unknown', true));
  await rig.advance(30_000);
  assert.deepEqual(rig.takeAlerts(), ['over NodeUnreachable', 'over NodeUnreachable']);
});

test('a new node that is not ready is reported only after pendingFor', async () => {
  const metadata = { creationTimestamp: new Date(START).toISOString() };
  const node = (name: string, status: string) =>
    nodeOf(name, { status, message: 'cni plugin not initialized' }, { metadata });
  const rig = new Rig({ pendingFor: '5m' });
  await rig.apply(node('node-1', 'False'));
  await rig.apply(node('node-2', 'False'));
  await rig.advance(20_000);
  await rig.apply(node('node-1', 'True'));
  await rig.advance(4 * MINUTE);
  assert.deepEqual(rig.takeAlerts(), []);
  await rig.advance(MINUTE);
  assert.equal(rig.alerts[0]?.headline, 'NodeNotReady: node node-2');
  assert.deepEqual(rig.takeAlerts(), ['new NodeNotReady']);
  await rig.apply(node('node-1', 'Unknown'));
  assert.deepEqual(rig.takeAlerts(), ['new NodeUnreachable']);
});
