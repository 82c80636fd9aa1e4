import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crashing, nodeOf, podOf, waiting, type PodParts } from '../../src/testing/failing-pods.ts';
import { MINUTE, Rig } from '../../src/testing/test-pod-alerts.ts';

describe('one alert per workload', () => {
  test('a hundred failing pods make one message at the beginning and one at the end', async () => {
    const rig = new Rig();
    const names = Array.from({ length: 100 }, (_, n) => `web-5d4f8c7b9-${n}`);
    for (const name of names) await rig.apply(crashing({ name }));
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    for (const name of names) await rig.apply(podOf({ name }));
    await rig.advance(MINUTE);
    assert.equal(rig.alerts[0]?.pods, 100);
    assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff']);
    assert.equal(rig.states.get('shop/Deployment/web') !== undefined, true, 'kept in case it comes back');
  });

  test('a pod that crashes in a rollout of 150 is reported, with its image', async () => {
    const rig = new Rig();
    const starting = (n: number) =>
      podOf({ name: `web-5d4f8c7b9-${n}`, phase: 'Pending', containers: [waiting('ContainerCreating')] });
    for (let n = 0; n < 150; n++) await rig.apply(starting(n));
    await rig.apply(crashing({ name: 'web-5d4f8c7b9-149' }));
    assert.deepEqual(
      [rig.alerts[0]?.pod, rig.alerts[0]?.image],
      ['shop/web-5d4f8c7b9-149', 'registry.example/web:1.0'],
    );
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
  });

  test('jobs of a cron job are one workload, pods of two deployments are two', async () => {
    const rig = new Rig();
    const ofJob = (name: string): PodParts => ({
      name: `${name}-x`,
      metadata: {
        labels: {},
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid: name, controller: true }],
      },
    });
    await rig.apply(crashing(ofJob('backup-29380800')));
    await rig.apply(crashing(ofJob('backup-29380805')));
    await rig.apply(crashing({ app: 'api' }));
    assert.deepEqual(
      rig.alerts.map(({ owner }) => `${owner.kind} ${owner.name}`),
      ['CronJob backup', 'Deployment api'],
    );
  });

  test('the headline names the pod of which another pod is the owner, as an executor of Spark by its driver', async () => {
    const rig = new Rig();
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Pod', name: 'etl-driver', uid: 'driver', controller: true }];
    await rig.apply(crashing({ name: 'etl-exec-3', metadata: { ownerReferences, labels: {} } }));
    assert.match(rig.alerts[0]?.headline ?? '', /: pod shop\/etl-driver, pod etl-exec-3, container web,/);
    await rig.apply(crashing({ name: 'alone', metadata: { ownerReferences: [], labels: {} } }));
    assert.match(rig.alerts[1]?.headline ?? '', /: pod shop\/alone, container web,/);
  });

  test('jobs named after a date do not belong to a cron job', async () => {
    const rig = new Rig();
    for (const name of ['import-20260101', 'import-20260102']) {
      const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name, uid: name, controller: true }];
      await rig.apply(crashing({ name: `${name}-x`, metadata: { ownerReferences, labels: {} } }));
    }
    assert.deepEqual(
      rig.alerts.map(({ owner }) => `${owner.kind} ${owner.name}`),
      ['Job import-20260101', 'Job import-20260102'],
    );
  });

  test('an unreachable node is one alert, and failures on it wait until it is back', async () => {
    const node = (status: string) => nodeOf('node-1', { status, message: 'Kubelet stopped posting node status.' });
    const rig = new Rig();
    await rig.apply(node('True'));
    for (const app of ['a', 'b', 'c']) await rig.apply(podOf({ app }));
    await rig.apply(node('Unknown'));
    for (const app of ['a', 'b', 'c']) await rig.apply(podOf({ app, ready: false }));
    await rig.apply(crashing({ app: 'd' }));
    assert.equal(rig.alerts[0]?.headline, 'NodeUnreachable: node node-1');
    assert.deepEqual(rig.takeAlerts(), ['new NodeUnreachable']);
    await rig.apply(node('True'));
    await rig.advance(2 * MINUTE);
    assert.deepEqual(rig.takeAlerts().toSorted(), ['new CrashLoopBackOff', 'over NodeUnreachable']);
  });
});
