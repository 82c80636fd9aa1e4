import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import { podOf, RUNNING, terminated, waiting, type ContainerParts } from '../../src/testing/failing-pods.ts';
import { HOUR, Rig } from '../../src/testing/test-pod-alerts.ts';

/** @param failure undefined: the job is still running */
function jobOf(name: string, failure?: string): Manifest {
  const message = 'Job has reached the specified backoff limit';
  const failed = { type: 'Failed', status: 'True', reason: failure ?? '', message };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'shop', uid: `uid-${name}` },
    status: failure === undefined ? { active: 1 } : { failed: 1, conditions: [failed] },
  };
}

function completed(name: string): Manifest {
  return { ...jobOf(name), status: { succeeded: 1, conditions: [{ type: 'Complete', status: 'True' }] } };
}

function podOfJob(name: string, phase: string, container: ContainerParts, ready = false): Manifest {
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid: `uid-${name}`, controller: true };
  const metadata = { labels: {}, ownerReferences: [owner] };
  const spec = { restartPolicy: 'OnFailure' };
  return podOf({ name: `${name}-x`, phase, ready, containers: [container], metadata, spec });
}

const crashing = (name: string): Manifest =>
  podOfJob(name, 'Running', waiting('CrashLoopBackOff', { lastState: terminated(1, 'Error'), restartCount: 3 }));

/** Like the job controller: deletes the pods, then reports the failure. */
async function giveUp(rig: Rig, name: string): Promise<void> {
  await rig.apply(jobOf(name));
  await rig.apply(crashing(name));
  await rig.delete(crashing(name));
  await rig.advance(2_000);
  await rig.apply(jobOf(name, 'BackoffLimitExceeded'));
}

describe('a job that gives up', () => {
  test('keeps firing when its last pod is gone, until the job itself is deleted', async () => {
    const rig = new Rig({ remindAfter: '4h' });
    await giveUp(rig, 'import');
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    await rig.advance(3 * HOUR);
    const [reminder] = rig.alerts;
    assert.equal(reminder?.headline, 'for 4h now: BackoffLimitExceeded: job shop/import');
    assert.equal(reminder?.kubectl, 'kubectl -n shop describe job import');
    assert.match(reminder?.message ?? '', /backoff limit/);
    assert.deepEqual([rig.passed.at(-1)?.gvk.kind, rig.passed.at(-1)?.name], ['Job', 'import']);
    await rig.delete(jobOf('import', 'BackoffLimitExceeded'));
    await rig.advance(30_000);
    assert.match(rig.alerts[1]?.headline ?? '', /^gone after 4h: BackoffLimitExceeded: job shop\/import$/);
    assert.deepEqual(rig.takeAlerts(), ['reminder BackoffLimitExceeded', 'over BackoffLimitExceeded']);
    await rig.advance(HOUR);
    assert.equal(rig.states.size, 0, 'no state is left');
  });

  test('of a cron job is resolved when a later job succeeds', async () => {
    const rig = new Rig();
    await giveUp(rig, 'backup-29380800');
    await rig.advance(HOUR);
    await rig.apply(jobOf('backup-29380860'));
    await rig.apply(podOfJob('backup-29380860', 'Pending', waiting('ContainerCreating')));
    await rig.apply(podOfJob('backup-29380860', 'Running', RUNNING, true));
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff'], 'it may still fail');
    await rig.apply(podOfJob('backup-29380860', 'Succeeded', { state: terminated(0, 'Completed') }));
    await rig.advance(30_000);
    assert.deepEqual(
      rig.alerts.map(({ owner }) => `${owner.kind} ${owner.name}`),
      ['CronJob backup'],
    );
    assert.match(rig.alerts[0]?.headline ?? '', /^resolved after 2h: CrashLoopBackOff/);
    assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff']);
  });

  test('of a cron job is resolved when a later job is done, even if its pods are not watched or already gone', async () => {
    const rig = new Rig();
    await rig.apply(jobOf('backup-29380800', 'BackoffLimitExceeded'));
    await rig.apply(jobOf('backup-29380860'));
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), ['new BackoffLimitExceeded']);
    await rig.apply(completed('backup-29380860'));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over BackoffLimitExceeded']);
    await rig.apply(jobOf('backup-29380920', 'BackoffLimitExceeded'));
    await rig.apply({ ...completed('backup-29380860'), spec: { ttlSecondsAfterFinished: 60 } });
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), ['new BackoffLimitExceeded'], 'an earlier job was done before');
  });

  test('is one alert across its retries, resolved when a pod succeeds', async () => {
    const rig = new Rig();
    const pod = (n: number, phase: string, container: ContainerParts, ready = false): Manifest => {
      const { metadata, ...rest } = podOfJob('import', phase, container, ready);
      return { ...rest, metadata: { ...metadata, name: `import-${n}`, uid: `uid-${n}` } };
    };
    for (const n of [1, 2, 3]) {
      await rig.apply(pod(n, 'Running', RUNNING, true));
      await rig.advance(300_000);
      await rig.apply(pod(n, 'Failed', { state: terminated(1, 'Error') }));
    }
    assert.deepEqual(rig.takeAlerts(), ['new Error']);
    await rig.apply(pod(4, 'Running', RUNNING, true));
    await rig.apply(pod(4, 'Succeeded', { state: terminated(0, 'Completed') }));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over Error']);
  });

  test('is reported as the job when none of its pods failed', async () => {
    const rig = new Rig();
    await rig.apply(jobOf('backup-29380800'));
    await rig.apply(jobOf('backup-29380800', 'DeadlineExceeded'));
    assert.equal(rig.alerts[0]?.headline, 'DeadlineExceeded: cronjob shop/backup, job backup-29380800');
    assert.equal(rig.alerts[0]?.pods, 0);
    assert.deepEqual(rig.takeAlerts(), ['new DeadlineExceeded']);
  });

  test('is reported once, and not if it had given up before', async () => {
    const rig = new Rig();
    await rig.apply(jobOf('import', 'BackoffLimitExceeded'));
    await rig.apply({ ...jobOf('import', 'BackoffLimitExceeded'), spec: { ttlSecondsAfterFinished: 60 } });
    assert.deepEqual(rig.takeAlerts(), ['new BackoffLimitExceeded']);
    const late = new Rig();
    late.held.set('Job/shop/import', jobOf('import', 'BackoffLimitExceeded'));
    await late.apply({ ...jobOf('import', 'BackoffLimitExceeded'), spec: { ttlSecondsAfterFinished: 60 } });
    assert.deepEqual([late.takeAlerts(), late.halts], [[], ['the job does not fail with this change']]);
  });

  test('is not reported when its annotation mutes it', async () => {
    const muted = (failure?: string): Manifest => {
      const { metadata, ...rest } = jobOf('import', failure);
      return { ...rest, metadata: { ...metadata, annotations: { 'watchchain/mute': 'true' } } };
    };
    const rig = new Rig();
    await rig.apply(muted());
    await rig.apply(muted('BackoffLimitExceeded'));
    assert.deepEqual(rig.takeAlerts(), []);
  });
});
