import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import {
  crashing,
  nodeOf,
  notReady,
  podOf,
  RUNNING,
  terminated,
  unready,
  UNREADY,
  waiting,
} from '../../src/testing/failing-pods.ts';
import { HOUR, MINUTE, Rig, showRunning, START } from '../../src/testing/test-pod-alerts.ts';

describe('beside other problems', () => {
  test('the crash loop of a container that is never ready is its only alert', async () => {
    const rig = new Rig({ remindAfter: '0s' });
    const lastState = terminated(1, 'Error');
    await rig.apply(unready());
    for (let restartCount = 1; restartCount < 8; restartCount++) {
      await rig.apply(unready({ containers: [{ ready: false, state: lastState, restartCount: restartCount - 1 }] }));
      await rig.apply(unready({ containers: [waiting('CrashLoopBackOff', { lastState, restartCount })] }));
      await rig.advance(5 * MINUTE);
      await rig.apply(unready({ containers: [{ ...UNREADY, lastState, restartCount }] }));
    }
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    await rig.apply(podOf());
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff']);
  });

  test('a crash loop that is muted is not reported as not ready instead', async () => {
    const rig = new Rig({ mute: [{ reason: '^CrashLoopBackOff$' }] });
    const lastState = terminated(1, 'Error');
    await rig.apply(unready({ containers: [waiting('CrashLoopBackOff', { lastState, restartCount: 1 })] }));
    await rig.apply(unready({ containers: [{ ...UNREADY, lastState, restartCount: 1 }] }));
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('it becomes worse when the container crashes', async () => {
    const rig = new Rig();
    await rig.apply(unready());
    await rig.advance(15 * MINUTE);
    await rig.apply(crashing());
    assert.deepEqual(rig.takeAlerts(), ['new NotReady', 'worse CrashLoopBackOff']);
  });

  test('a container that ran out of memory and is not ready yet is reported for its memory', async () => {
    const rig = new Rig();
    await showRunning(rig);
    await rig.apply(
      unready({ containers: [{ ...UNREADY, restartCount: 1, lastState: terminated(137, 'OOMKilled') }] }),
    );
    assert.deepEqual(rig.takeAlerts(), ['new OOMKilled']);
  });

  test('a warning about restarts ends by itself, and leaves that the pod is not ready', async () => {
    const rig = new Rig({ restarts: 2, remindAfter: '1h' });
    const restartedOnce = (restartCount: number): Manifest =>
      unready({ containers: [{ ...UNREADY, restartCount, lastState: terminated(1, 'Error') }] });
    for (const count of [0, 1, 2]) await rig.apply(restartedOnce(count));
    assert.deepEqual(rig.takeAlerts(), ['new Restarts']);
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), ['reminder NotReady']);
    await rig.apply(podOf({ containers: [{ ...RUNNING, restartCount: 2 }] }));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over NotReady']);
  });
});

test('a hundred pods that become late one after the other are looked at now and then, and are one alert', async () => {
  const rig = new Rig({ remindAfter: '0s' });
  const pods = Array.from({ length: 100 }, (_, n) => {
    const since = new Date(START + n * 1_000).toISOString();
    return unready({ name: `web-5d4f8c7b9-${n}`, conditions: [notReady(since)] });
  });
  for (const pod of pods) await rig.apply(pod);
  await rig.advance(15 * MINUTE);
  assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
  const before = rig.halts.length;
  await rig.advance(HOUR);
  assert.equal(rig.halts.length - before, 4, 'wake-ups, each of which reads all pods');
  for (const pod of pods) await rig.delete(pod);
  await rig.advance(MINUTE);
  assert.equal(rig.alerts[0]?.pods, 100);
});

describe('what is expected', () => {
  const ended = { state: terminated(0, 'Completed') };
  const quiet: Readonly<Record<string, Manifest>> = {
    'a pod that is being deleted': unready({ metadata: { deletionTimestamp: new Date(START).toISOString() } }),
    'a pod that has completed': unready({ phase: 'Succeeded', containers: [ended] }),
    "a job's pod": unready({ spec: { restartPolicy: 'OnFailure' } }),
    'a pod that its lost node marks, though its containers are ready': unready({ containers: [RUNNING] }),
    'a pod with an init container of which nothing is known any more': unready({
      containers: [RUNNING],
      initContainers: [{}],
    }),
    'a pod with a helper that has finished': unready({
      containers: [RUNNING, { ...ended, name: 'helper' }],
      spec: { containers: [{ name: 'web' }, { name: 'helper', restartPolicy: 'OnFailure' }] },
    }),
  };
  for (const [what, pod] of Object.entries(quiet))
    test(`${what} is not reported`, async () => {
      const rig = new Rig();
      await showRunning(rig);
      await rig.apply(pod);
      await rig.advance(24 * HOUR);
      assert.deepEqual(rig.takeAlerts(), []);
      assert.equal(rig.states.size, 0);
    });

  test('a pod that is scaled down before it is ready is not reported', async () => {
    const rig = new Rig();
    await rig.apply(unready());
    await rig.advance(14 * MINUTE);
    await rig.delete(unready());
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('a pod on a node that is not ready is reported only when the node is back', async () => {
    const rig = new Rig({ remindAfter: '0s' });
    await rig.apply(nodeOf('node-1', { status: 'Unknown' }));
    assert.deepEqual(rig.takeAlerts(), ['new NodeUnreachable']);
    await rig.apply(unready());
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(nodeOf('node-1', { status: 'True' }));
    await rig.advance(MINUTE);
    assert.deepEqual(rig.takeAlerts().toSorted(), ['new NotReady', 'over NodeUnreachable']);
  });

  test('a standby that is never ready can be muted by its reason and workload', async () => {
    const rig = new Rig({ mute: [{ reason: '^NotReady$', owner: '^standby$' }] });
    await rig.apply(unready({ app: 'standby' }));
    await rig.apply(unready());
    await rig.advance(15 * MINUTE);
    assert.deepEqual(
      rig.alerts.map(({ owner }) => owner.name),
      ['web'],
    );
  });
});
