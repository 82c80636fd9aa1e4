import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import type { Evidence } from '../../src/enrich/evidence.ts';
import {
  notReady,
  podOf,
  RUNNING,
  terminated,
  unready,
  UNREADY,
  type ContainerParts,
} from '../../src/testing/failing-pods.ts';
import { HOUR, MINUTE, Rig, timeAt } from '../../src/testing/test-pod-alerts.ts';

const MESSAGE = 'containers with unready status: [web]';

describe('a pod that runs without being ready', () => {
  test('is a warning after notReadyFor, about the container that is not ready', async () => {
    const rig = new Rig({ notReadyFor: '10m' });
    await rig.apply(unready({ containers: [{ ...RUNNING, name: 'proxy' }, UNREADY] }));
    await rig.advance(10 * MINUTE - 1);
    assert.deepEqual([rig.takeAlerts(), rig.halts], [[], ['nothing fails']], 'and no wake-up');
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
      await rig.apply(unready({ conditions: [notReady(timeAt(minutes))] }));
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

  test('and flaps is one alert, until it stays ready', async () => {
    const rig = new Rig({ holdDown: '30s', remindAfter: '0s' });
    await rig.apply(unready());
    await rig.advance(15 * MINUTE);
    for (const minutes of [15, 31, 47]) {
      await rig.apply(podOf());
      await rig.advance(20_000);
      await rig.apply(unready({ conditions: [notReady(timeAt(minutes + 1 / 3))] }));
      await rig.advance(16 * MINUTE - 20_000);
    }
    assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
    await rig.apply(podOf());
    await rig.advance(30_000);
    assert.equal(rig.alerts[0]?.durationMs, 63 * MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['over NotReady']);
  });

  test('and is ready for less than holdDown again and again is not over', async () => {
    const rig = new Rig({ holdDown: '30s', remindAfter: '0s' });
    await rig.apply(unready());
    await rig.advance(15 * MINUTE);
    for (let n = 0; n < 20; n++) {
      await rig.apply(podOf());
      await rig.advance(20_000);
      await rig.apply(unready({ conditions: [notReady(new Date(rig.now).toISOString())] }));
      await rig.advance(20_000);
    }
    assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
    await rig.apply(podOf());
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over NotReady']);
  });

  test('is not over because a rollout replaces it by another that is not ready either', async () => {
    for (const [ready, minutes, told] of [
      [false, 20, []],
      [true, 3, ['over NotReady']],
    ] as const) {
      const rig = new Rig();
      const next = { name: 'web-7f9c6b5d4-y', metadata: { creationTimestamp: timeAt(16) } };
      await rig.apply(unready());
      await rig.advance(16 * MINUTE);
      assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
      await rig.apply(podOf({ ...next, phase: 'Pending', containers: [], ready: false }));
      await rig.delete(unready());
      await rig.advance(MINUTE);
      await rig.apply(unready({ ...next, conditions: [notReady(timeAt(16))] }));
      await rig.advance(2 * MINUTE);
      if (ready) await rig.apply(podOf(next));
      await rig.advance((minutes - 3) * MINUTE);
      assert.deepEqual(rig.takeAlerts(), told);
    }
  });

  test('is over although pods of its workload start all the time', async () => {
    const rig = new Rig();
    await rig.apply(unready());
    await rig.advance(15 * MINUTE);
    await rig.apply(podOf());
    for (let n = 1; n < 6; n++) {
      const next = { name: `web-5d4f8c7b9-${n}` };
      await rig.apply(unready({ ...next, conditions: [notReady(new Date(rig.now).toISOString())] }));
      if (n > 1) await rig.apply(podOf({ name: `web-5d4f8c7b9-${n - 1}` }));
      await rig.advance(20_000);
    }
    assert.deepEqual(rig.takeAlerts(), ['new NotReady', 'over NotReady']);
  });

  test('quotes what its readiness probe said last, and the log of the container that runs', async () => {
    const line = (reason: string, message: string) => ({
      time: timeAt(1),
      type: 'Warning',
      reason,
      message,
      count: 64,
    });
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
    const containersReady = { type: 'ContainersReady', status: 'True', lastTransitionTime: timeAt(5) };
    const gated = (status: string): Manifest =>
      podOf({
        spec: { readinessGates: [{ conditionType: gate }] },
        status: { conditions: [notReady(timeAt(0), message), containersReady, { type: gate, status }] },
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

describe('an Event of a readiness probe that fails', () => {
  const event: Manifest = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'web.unhealthy', namespace: 'shop' },
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-5d4f8c7b9-x', uid: 'uid-web-5d4f8c7b9-x' },
    reason: 'Unhealthy',
    message: 'Readiness probe failed: HTTP probe failed with statuscode: 503',
    count: 64,
  };
  /** As in the first list, which is silent. */
  const listed = (rig: Rig, pod: Manifest): unknown => rig.held.set('Pod/shop/web-5d4f8c7b9-x', pod);

  test('leads to the alert of a pod that was not ready at the first start, and has not changed since', async () => {
    const rig = new Rig();
    listed(rig, unready());
    await rig.advance(HOUR);
    await rig.apply(event);
    assert.equal(rig.passed[0]?.key, 'shop/web-5d4f8c7b9-x');
    assert.equal(rig.alerts[0]?.durationMs, HOUR, 'since the pod is not ready');
    await rig.apply({ ...event, count: 65 });
    assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
  });

  test('does not shorten notReadyFor, however often the probe has failed', async () => {
    const rig = new Rig();
    listed(rig, unready());
    await rig.apply(event);
    await rig.advance(15 * MINUTE - 1);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(1);
    assert.deepEqual(rig.takeAlerts(), ['new NotReady']);
  });

  test('is nothing if the pod is ready by now, or with notReadyFor = "0s"', async () => {
    for (const [options, pod, reason] of [
      [{}, podOf(), 'the pod of the Event is ready now'],
      [{ notReadyFor: '0s' }, unready(), 'the Event does not report a failing pod'],
    ] as const) {
      const rig = new Rig(options);
      listed(rig, pod);
      await rig.apply(event);
      assert.deepEqual([rig.halts, rig.states.size], [[reason], 0]);
    }
  });
});

describe('the time that a pod has to become ready', () => {
  const startedAt = (minutes: number): ContainerParts => ({
    ...UNREADY,
    state: { running: { startedAt: timeAt(minutes) } },
  });
  const startupProbe = { periodSeconds: 30, failureThreshold: 40 };
  const probed = { containers: [{ name: 'web', startupProbe }] };
  const condition = (type: string, status: string, minutes: number) => ({
    type,
    status,
    lastTransitionTime: timeAt(minutes),
  });

  for (const [what, minutes, parts] of [
    ['begins when its container has started', 27, { containers: [startedAt(12)] }],
    ['does not begin anew with a restart', 15, { containers: [{ ...startedAt(12), restartCount: 1 }] }],
    ['is longer by what its startup probe allows', 35, { spec: probed }],
    ['is so after a restart, too', 35, { spec: probed, containers: [{ ...startedAt(12), restartCount: 1 }] }],
    [
      'begins when its init containers are done, even if it restarted since',
      23,
      {
        containers: [{ ...startedAt(12), restartCount: 1 }],
        conditions: [notReady(timeAt(0)), condition('Initialized', 'True', 8)],
      },
    ],
    [
      'begins anew when its node is back, which marked it as not ready long before',
      55,
      {
        containers: [{ ...startedAt(40), restartCount: 1 }],
        conditions: [notReady(timeAt(0)), condition('ContainersReady', 'False', 40)],
      },
    ],
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
