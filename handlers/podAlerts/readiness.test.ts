import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import type { Evidence } from '../../src/enrich/evidence.ts';
import type { JsonObject } from '../../src/json.ts';
import {
  crashing,
  nodeOf,
  podOf,
  RUNNING,
  terminated,
  waiting,
  type ContainerParts,
  type PodParts,
} from '../../src/testing/failing-pods.ts';
import { HOUR, MINUTE, Rig, showRunning, START } from '../../src/testing/test-pod-alerts.ts';

const after = (minutes: number): string => new Date(START + minutes * MINUTE).toISOString();

const MESSAGE = 'containers with unready status: [web]';

/** @param minutes when it was last ready, or began */
const notReady = (minutes = 0, message = MESSAGE): JsonObject => ({
  type: 'Ready',
  status: 'False',
  reason: 'ContainersNotReady',
  message,
  lastTransitionTime: after(minutes),
});

const UNREADY: ContainerParts = { ...RUNNING, ready: false };

/** A pod whose container runs, and whose readiness probe fails. */
function unready({ status, conditions = [notReady()], ...parts }: PodParts = {}): Manifest {
  return podOf({ containers: [UNREADY], ...parts, status: { conditions: [...conditions], ...status } });
}

describe('a pod that runs without being ready', () => {
  test('is a warning after notReadyFor, about the container that is not ready', async () => {
    const rig = new Rig({ notReadyFor: '10m' });
    await rig.apply(unready({ containers: [{ ...RUNNING, name: 'proxy' }, UNREADY] }));
    await rig.advance(10 * MINUTE - 1);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(1);
    const [alert] = rig.alerts;
    assert.deepEqual([alert?.level, alert?.durationMs, alert?.message], ['Warning', 10 * MINUTE, MESSAGE]);
    assert.equal(alert?.headline, 'NotReady: deployment shop/web, pod web-5d4f8c7b9-x, container web, node node-1');
    assert.match(alert.hint ?? '', /readiness probe/);
    assert.equal(alert.kubectl, 'kubectl -n shop describe pod web-5d4f8c7b9-x');
    assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
  });

  test('is reported after 15 minutes by default, reminded of, and resolved once it is ready for holdDown', async () => {
    const rig = new Rig({ remindAfter: '4h' });
    await rig.apply(unready());
    await rig.advance(15 * MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
    await rig.advance(4 * HOUR);
    assert.deepEqual(rig.takeAlerts(), ['reminder NotReady']);
    await rig.apply(podOf());
    await rig.advance(29_999);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(1);
    assert.deepEqual(rig.takeAlerts(), ['over NotReady']);
    await rig.advance(24 * HOUR);
    assert.equal(rig.states.size, 0, 'no state is left');
  });

  test('is never reported with notReadyFor = "0s"', async () => {
    const rig = new Rig({ notReadyFor: '0s' });
    await rig.apply(unready());
    await rig.advance(24 * HOUR);
    assert.deepEqual([rig.takeAlerts(), rig.halts], [[], ['nothing is wrong with the pod']]);
  });

  test('counts from when it was last ready', async () => {
    const rig = new Rig();
    for (const minutes of [0, 14, 28]) {
      await rig.apply(unready({ conditions: [notReady(minutes)] }));
      await rig.advance(13 * MINUTE);
      await rig.apply(podOf());
      await rig.advance(MINUTE);
    }
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('is one alert per workload, until the last of its pods is ready', async () => {
    const rig = new Rig({ remindAfter: '0s' });
    const other = { name: 'web-5d4f8c7b9-y' };
    await rig.apply(unready());
    await rig.apply(unready(other));
    await rig.advance(15 * MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
    await rig.apply(podOf());
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(podOf(other));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over NotReady']);
  });

  test('quotes what its readiness probe said last, and the log of the container that runs', async () => {
    const line = (reason: string, message: string) => ({ time: after(1), type: 'Warning', reason, message, count: 64 });
    const eventsOf: Evidence['eventsOf'] = () =>
      Promise.resolve([
        line('Unhealthy', 'Readiness probe failed: connection refused'),
        line('Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503\n'),
        line('Unhealthy', 'Liveness probe failed: timeout'),
      ]);
    const logTail: Evidence['logTail'] = ({ container, previous }) =>
      Promise.resolve(`of ${container}${previous ? ' before' : ''}`);
    const rig = new Rig({}, { eventsOf, logTail });
    await rig.apply(unready({ containers: [{ ...UNREADY, restartCount: 1, lastState: terminated(1, 'Error') }] }));
    await rig.advance(15 * MINUTE);
    assert.equal(rig.alerts[0]?.message, `${MESSAGE}; Readiness probe failed: HTTP probe failed with statuscode: 503`);
    assert.equal(rig.alerts[0].log, 'of web');
  });

  test('because of a readiness gate that is not met is reported, from when its containers are ready', async () => {
    const gate = 'target-health.example/web';
    const message = `the status of pod readiness gate "${gate}" is not "True", but False`;
    const containersReady = { type: 'ContainersReady', status: 'True', lastTransitionTime: after(5) };
    const gated = (status: string): Manifest =>
      podOf({
        spec: { readinessGates: [{ conditionType: gate }] },
        status: { conditions: [notReady(0, message), containersReady, { type: gate, status }] },
      });
    const rig = new Rig();
    await rig.apply(gated('False'));
    await rig.advance(20 * MINUTE - 1);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(1);
    assert.deepEqual([rig.alerts[0]?.container, rig.alerts[0]?.message], [undefined, message]);
    assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
    await rig.apply(podOf());
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over NotReady']);
  });

  test('because of a sidecar is reported, about the sidecar', async () => {
    const spec = {
      initContainers: [{ name: 'setup' }, { name: 'proxy', restartPolicy: 'Always' }],
      containers: [{ name: 'web' }],
    };
    const setup = { name: 'setup', state: terminated(0, 'Completed') };
    const rig = new Rig();
    await rig.apply(unready({ initContainers: [setup, { ...UNREADY, name: 'proxy' }], containers: [RUNNING], spec }));
    await rig.advance(15 * MINUTE);
    assert.equal(rig.alerts[0]?.container, 'proxy');
    assert.deepEqual(rig.takeAlerts(), ['new Init:NotReady']);
  });
});

describe('the time that a pod has to become ready', () => {
  const startedAt = (minutes: number): ContainerParts => ({
    ...UNREADY,
    state: { running: { startedAt: after(minutes) } },
  });
  const startupProbe = { periodSeconds: 30, failureThreshold: 40 };

  for (const [what, minutes, parts] of [
    ['begins when its container has started', 27, { containers: [startedAt(12)] }],
    ['does not begin anew with a restart', 15, { containers: [{ ...startedAt(12), restartCount: 1 }] }],
    ['is longer by what its startup probe allows', 35, { spec: { containers: [{ name: 'web', startupProbe }] } }],
  ] as const)
    test(what, async () => {
      const rig = new Rig();
      await rig.apply(unready(parts));
      await rig.advance(minutes * MINUTE - 1);
      assert.deepEqual(rig.takeAlerts(), []);
      await rig.advance(1);
      assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
    });
});

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

describe('what is expected', () => {
  const ended = { state: terminated(0, 'Completed') };
  const quiet: Readonly<Record<string, Manifest>> = {
    'a pod that is being deleted': unready({ metadata: { deletionTimestamp: after(0) } }),
    'a pod that has completed': unready({ phase: 'Succeeded', containers: [ended] }),
    "a job's pod": unready({ spec: { restartPolicy: 'OnFailure' } }),
    'a pod that its lost node marks, though its containers are ready': unready({ containers: [RUNNING] }),
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
