import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isHalt } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import type { HistoryQuery } from '../../src/store/looking-back.ts';
import { changeOf } from '../../src/testing/change.ts';
import {
  crashing,
  podOf,
  restarted,
  RUNNING,
  terminated,
  waiting,
  type ContainerParts,
} from '../../src/testing/failing-pods.ts';
import { testContext, testEnvironment } from '../../src/testing/handler.ts';
import match from '../match/index.ts';
import { HOUR, MINUTE, Rig, showRunning, START, timeAt } from '../../src/testing/test-pod-alerts.ts';

const AWAY: Change['flags'] = { whileAway: true };

describe('resolving an alert', () => {
  test('12: resolved, with its duration, once the pod is ready for the hold-down; new when it fails again', async () => {
    const rig = new Rig({ holdDown: '30s' });
    await showRunning(rig);
    await rig.apply(crashing());
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    await rig.advance(5 * MINUTE);
    await rig.apply(podOf());
    await rig.advance(29_999);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(1);
    const [alert] = rig.alerts;
    assert.deepEqual([alert?.status, alert?.durationMs], ['resolved', 5 * MINUTE]);
    assert.match(alert?.headline ?? '', /^resolved after 5m: CrashLoopBackOff.*pod web-5d4f8c7b9-x, container web/);
    assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff']);
    await rig.apply(crashing());
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
  });

  test('the end of an alert has the highest level that was sent, as whoever selects by it was told of the beginning', async () => {
    const rig = new Rig({ restarts: 3, window: '4h', remindAfter: '1h' });
    const other = { name: 'web-5d4f8c7b9-b' };
    await rig.apply(crashing());
    for (const count of [1, 4]) await rig.apply(restarted(count, other));
    await rig.delete(crashing());
    await rig.advance(24 * HOUR);
    assert.deepEqual(
      rig.alerts.map(({ why, level, reason }) => `${why} ${level} ${reason}`),
      ['new Failure CrashLoopBackOff', 'reminder Warning Restarts', 'over Failure Restarts'],
    );
  });

  test('the duration ends when the recovery was observed, however late the change is handled', async () => {
    const rig = new Rig();
    await rig.apply(crashing());
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    await rig.advance(3 * HOUR);
    await rig.apply(podOf(), {}, START + 10 * MINUTE);
    await rig.apply(crashing(), {}, START + 10 * MINUTE + 1_000);
    await rig.apply(podOf(), {}, START + 20 * MINUTE);
    assert.deepEqual(rig.takeAlerts(), [], 'not ready for the whole hold-down');
    await rig.advance(30_000);
    assert.match(rig.alerts[0]?.headline ?? '', /^resolved after 20m: /);
  });

  test('a container that runs again without being ready does not resolve it, nor does silence', async () => {
    const rig = new Rig({ remindAfter: '0s' });
    await rig.apply(crashing());
    await rig.apply(podOf({ containers: [{ ...RUNNING, ready: false, restartCount: 4 }] }));
    await rig.advance(24 * HOUR);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
  });

  for (const [name, exit, spec] of [
    ['fails', terminated(3, 'Error'), {}],
    ['ends', terminated(0, 'Completed'), { restartPolicy: 'Always' }],
  ] as const) {
    // As a 1.36 kubelet reported a pod that ran for a second each time: CrashLoopBackOff only just before it starts it again.
    test(`a container that ${name} at each turn of a crash loop is one alert`, async () => {
      const rig = new Rig({ remindAfter: '0s' });
      const looping = { lastState: exit, ready: false };
      await rig.apply(podOf({ spec, containers: [waiting('CrashLoopBackOff', { ...looping, restartCount: 4 })] }));
      for (let restartCount = 5; restartCount < 12; restartCount++) {
        await rig.apply(podOf({ spec, containers: [{ ...RUNNING, lastState: exit, restartCount }] }));
        await rig.advance(1_000);
        await rig.apply(podOf({ spec, containers: [{ ...looping, state: exit, restartCount }] }));
        await rig.advance(5 * MINUTE);
        await rig.apply(podOf({ spec, containers: [waiting('CrashLoopBackOff', { ...looping, restartCount })] }));
      }
      assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
      await rig.apply(podOf({ spec, containers: [{ ...RUNNING, lastState: exit, restartCount: 12 }] }));
      await rig.advance(30_000);
      assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff']);
    });
  }

  test('a completed pod resolves it, and so does a completed init container', async () => {
    const rig = new Rig({ remindAfter: '0s' });
    const spec = { restartPolicy: 'OnFailure' };
    await rig.apply(podOf({ app: 'a', spec, containers: [waiting('CrashLoopBackOff')] }));
    await rig.apply(podOf({ app: 'a', spec, containers: [{ state: terminated(0, 'Completed') }] }));
    await rig.apply(podOf({ app: 'b', initContainers: [waiting('CrashLoopBackOff')], containers: [{}] }));
    await rig.apply(podOf({ app: 'b', initContainers: [{ state: terminated(0, 'Completed') }] }));
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts().toSorted(), [
      'new CrashLoopBackOff',
      'new Init:CrashLoopBackOff',
      'over CrashLoopBackOff',
      'over Init:CrashLoopBackOff',
    ]);
  });

  const ranFor = (minutes: number, exitCode: number): ContainerParts => ({
    state: { terminated: { exitCode, startedAt: timeAt(0), finishedAt: timeAt(minutes) } },
  });

  for (const [what, parts] of [
    ['has run for a long time', { containers: [ranFor(16, 0)] }],
    [
      'is a helper that is not started again',
      {
        containers: [RUNNING, { ...ranFor(1, 0), name: 'helper' }],
        spec: { containers: [{ name: 'web' }, { name: 'helper', restartPolicy: 'Never' }] },
      },
    ],
    ['is an init container that is done', { initContainers: [ranFor(1, 0)] }],
  ] as const)
    test(`a container that ends is not a failure if it ${what}`, async () => {
      const rig = new Rig({ remindAfter: '4h', notReadyFor: '0s' });
      await rig.apply(podOf({ containers: [waiting('ImagePullBackOff')] }));
      await rig.apply(podOf());
      await rig.apply(podOf({ name: 'web-5d4f8c7b9-y', ...parts }));
      await rig.advance(24 * HOUR);
      assert.deepEqual(rig.takeAlerts(), ['new ImagePullBackOff', 'over ImagePullBackOff']);
    });

  test('the first exit of a container is forgotten when its pod is deleted', async () => {
    const rig = new Rig({ remindAfter: '0s' });
    const other = { name: 'web-5d4f8c7b9-y', containers: [ranFor(1, 1)] };
    await rig.apply(podOf({ containers: [waiting('ImagePullBackOff')] }));
    await rig.apply(podOf(other));
    await rig.delete(podOf(other));
    await rig.apply(podOf());
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), ['new ImagePullBackOff', 'over ImagePullBackOff']);
  });

  test('deleting the pod resolves it, unless the successor fails, too', async () => {
    const rig = new Rig();
    await rig.apply(crashing());
    await rig.delete(crashing());
    await rig.advance(10_000);
    await rig.apply(crashing({ name: 'web-5d4f8c7b9-y' }));
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    await rig.delete(crashing({ name: 'web-5d4f8c7b9-y' }));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff']);
  });

  test('a pod that is detached from its workload becomes a workload of its own', async () => {
    const rig = new Rig({ remindAfter: '4h' });
    const alone = { labels: { app: 'debug' }, ownerReferences: [] };
    await rig.apply(crashing());
    await rig.apply(crashing({ metadata: alone }));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff', 'over CrashLoopBackOff']);
    await rig.apply(crashing({ metadata: alone }, { restartCount: 4 }));
    assert.deepEqual(rig.alerts[0]?.owner, {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'shop',
      name: 'web-5d4f8c7b9-x',
    });
    await rig.advance(4 * HOUR);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff', 'reminder CrashLoopBackOff']);
  });

  for (const [what, { readySince, flags = AWAY, told }] of Object.entries<{
    readonly readySince: number;
    readonly flags?: Change['flags'];
    readonly told: readonly string[];
  }>({
    'that was replaced while nothing was watching is not reported, whichever of the two pods is seen first': {
      readySince: 11,
      told: [],
    },
    'beside a pod that was ready before is reported': { readySince: 9, told: ['new Evicted'] },
    'is reported when it is seen as it happens': { readySince: 11, flags: {}, told: ['new Evicted'] },
  })) {
    test(`a pod that has failed for good ${what}`, async () => {
      const conditionsSince = (minutes: number) => ({
        conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: timeAt(minutes) }],
      });
      const ready = { type: 'Ready', status: 'True', lastTransitionTime: timeAt(readySince) };
      const other = podOf({ name: 'web-5d4f8c7b9-a', status: { conditions: [ready] } });
      const asked: HistoryQuery[] = [];
      const history = async (query: HistoryQuery) => {
        asked.push(query);
        return [changeOf({ after: other, flags: AWAY })];
      };
      const rig = new Rig({ lastChanges: 0 }, { history });
      await rig.apply(podOf(conditionsSince(0)));
      await rig.apply(other, flags);
      const evicted = { phase: 'Failed', ready: false, status: { reason: 'Evicted', ...conditionsSince(10) } };
      await rig.apply(podOf({ ...evicted, containers: [] }), flags);
      await rig.advance(HOUR);
      assert.deepEqual(rig.takeAlerts(), told);
      assert.deepEqual(
        asked.map(({ namespace, name }) => `${namespace}/${name}`),
        flags.whileAway === true ? ['shop/web-*'] : [],
      );
    });
  }

  for (const remindAfter of ['0s', '7d']) {
    test(`a missed deletion is noticed within hours, with remindAfter = "${remindAfter}" too`, async () => {
      const rig = new Rig({ remindAfter });
      await rig.apply(crashing());
      await rig.advance(10 * HOUR);
      rig.held.clear();
      await rig.advance(5 * HOUR);
      assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff', 'over CrashLoopBackOff']);
      assert.equal(rig.states.size, 0, 'nothing is left to wait for');
    });
  }

  test('a missed deletion is noticed at the next reminder', async () => {
    const rig = new Rig({ remindAfter: '1h' });
    await rig.apply(crashing());
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    rig.held.clear();
    await rig.advance(HOUR + MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff']);
  });

  test('a crash loop that serves for 40 s in each turn is resolved once, not every hour', async () => {
    const rig = new Rig({ remindAfter: '0s' });
    const reported: string[] = [];
    for (let turn = 0; turn < 80; turn++) {
      await rig.apply(crashing());
      await rig.advance(5 * MINUTE);
      await rig.apply(podOf());
      await rig.advance(40_000);
      reported.push(...rig.takeAlerts());
    }
    assert.deepEqual(reported, ['new CrashLoopBackOff', 'over CrashLoopBackOff', 'new CrashLoopBackOff']);
    await rig.advance(20_000);
    assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff'], 'after twice the hold-down');
    await rig.advance(2 * HOUR);
    assert.equal(rig.states.size, 0);
  });

  test('a flapping alert is reported less and less often', async () => {
    const rig = new Rig({ restarts: 100 });
    const told: string[] = [];
    // A minute down, a minute up: longer than the initial hold-down.
    for (let n = 0; n < 30; n++) {
      await rig.apply(crashing());
      await rig.advance(MINUTE);
      await rig.apply(podOf());
      await rig.advance(MINUTE);
      told.push(...rig.takeAlerts());
    }
    assert.deepEqual(told, [
      'new CrashLoopBackOff',
      'over CrashLoopBackOff',
      'new CrashLoopBackOff',
      'over CrashLoopBackOff',
      'new CrashLoopBackOff',
    ]);
  });

  test('a reminder with the duration is sent after each remindAfter', async () => {
    const rig = new Rig({ remindAfter: '1h' });
    await rig.apply(crashing());
    rig.takeAlerts();
    await rig.advance(2 * HOUR);
    assert.match(rig.alerts[1]?.headline ?? '', /^for 2h now: CrashLoopBackOff/);
    assert.deepEqual(rig.takeAlerts(), ['reminder CrashLoopBackOff', 'reminder CrashLoopBackOff']);
  });

  test('a reminder names what fails now when the first pod is gone', async () => {
    const rig = new Rig({ remindAfter: '4h' });
    await rig.apply(crashing());
    await rig.apply(podOf({ name: 'web-6c5b7d8f9-y', containers: [waiting('ImagePullBackOff')] }));
    await rig.delete(crashing());
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    await rig.advance(4 * HOUR);
    assert.equal(
      rig.alerts[0]?.headline,
      'for 4h now: ImagePullBackOff: deployment shop/web, pod web-6c5b7d8f9-y, container web, node node-1, 2 pods',
    );
    assert.equal(rig.alerts[0]?.kubectl, 'kubectl -n shop describe pod web-6c5b7d8f9-y');
  });

  test('a warning that becomes a failure is reported once more', async () => {
    const rig = new Rig({ restarts: 2 });
    await showRunning(rig);
    await rig.apply(restarted(2));
    await rig.apply(crashing());
    await rig.apply(crashing({}, { restartCount: 4 }));
    assert.deepEqual(rig.takeAlerts(), ['new Restarts', 'worse CrashLoopBackOff']);
  });

  test('a warning that becomes the failure of an unscheduled pod no longer names a node', async () => {
    const rig = new Rig({ restarts: 2, unschedulableFor: '1m' });
    await showRunning(rig);
    await rig.apply(restarted(2));
    assert.deepEqual(rig.takeAlerts(), ['new Restarts']);
    const lastTransitionTime = new Date(START).toISOString();
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime }];
    const spec = { nodeName: null };
    await rig.apply(
      podOf({ name: 'web-5d4f8c7b9-y', phase: 'Pending', containers: [], ready: false, conditions, spec }),
    );
    await rig.advance(MINUTE);
    const [alert] = rig.alerts;
    assert.deepEqual(
      [alert?.why, alert?.headline, alert?.node],
      ['worse', 'Unschedulable: deployment shop/web, pod web-5d4f8c7b9-y, 2 pods', undefined],
    );
  });

  test('the resolved change names the first pod, with its labels and the same fingerprint', async () => {
    const rig = new Rig();
    await rig.apply(crashing());
    await rig.apply(podOf());
    await rig.advance(30_000);
    const [, over] = rig.passed;
    assert.deepEqual([over?.action, over?.key, over?.gvk.kind], ['timer', 'shop/web-5d4f8c7b9-x', 'Pod']);
    assert.equal(over?.before?.metadata.labels?.['app'], 'web');
    assert.equal(rig.alerts[0]?.fingerprint, rig.alerts[1]?.fingerprint);
  });

  test('the resolved change keeps short annotations of the pod, so that match passes it, too', async () => {
    const rig = new Rig();
    const annotations = { 'example.com/owner': 'ann@shop', note: 'x'.repeat(2_000) };
    await rig.apply(crashing({ metadata: { annotations } }));
    await rig.apply(podOf({ metadata: { annotations } }));
    await rig.advance(30_000);
    const options = match.options.parse({ annotations: { 'example.com/owner': '@shop$' } });
    const ofShop = match.create(options, testEnvironment());
    const verdicts = await Promise.all(rig.passed.map(async (change) => ofShop.handle(change, testContext())));
    assert.deepEqual(
      verdicts.map((verdict) => (isHalt(verdict) ? verdict.reason : verdict.notes.alert?.why)),
      ['new', 'over'],
    );
    assert.deepEqual(rig.passed[1]?.before?.metadata.annotations, { 'example.com/owner': 'ann@shop' });
  });
});
