import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import {
  crashing,
  podOf,
  restarted,
  RUNNING,
  terminated,
  waiting,
  type PodParts,
} from '../../src/testing/failing-pods.ts';
import type { Evidence } from '../../src/enrich/evidence.ts';
import { HOUR, MINUTE, Rig, showRunning } from '../../src/testing/test-pod-alerts.ts';

describe('what keeps a pod from running', () => {
  test('8: a pod that has no containers yet is no error, but a failure once it is pending for too long', async () => {
    const rig = new Rig({ pendingFor: '5m' });
    await rig.apply(podOf({ phase: 'Pending', containers: [], ready: false }));
    await rig.advance(5 * MINUTE - 1);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(1);
    assert.equal(rig.alerts[0]?.durationMs, 5 * MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['new Pending']);
  });

  test('the alert of a pod that is pending for too long states what it waits for', async () => {
    const pending = { phase: 'Pending', containers: [waiting('ContainerCreating')] };
    for (const [message, initContainers] of [
      ['web: ContainerCreating', []],
      ['init container init is running', [{ ...RUNNING, ready: false }]],
    ] as const) {
      const rig = new Rig();
      await rig.apply(podOf({ ...pending, initContainers }));
      await rig.advance(5 * MINUTE);
      assert.equal(rig.alerts[0]?.message, message);
    }
  });

  test('the alert of a pending pod quotes its own reason, or the error of the scheduler', async () => {
    const failed = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'SchedulerError',
      message: 'binding volumes: timeout',
    };
    for (const [parts, message] of [
      [{ status: { reason: 'ProviderFailed', message: 'quota exceeded' } }, 'ProviderFailed: quota exceeded'],
      [{ conditions: [failed] }, 'binding volumes: timeout'],
    ] as const) {
      const rig = new Rig();
      await rig.apply(podOf({ phase: 'Pending', containers: [], ready: false, ...parts }));
      await rig.advance(5 * MINUTE);
      assert.equal(rig.alerts[0]?.message, message);
    }
  });

  test('a container that a virtual kubelet is about to create is no failure, unless the pod is pending for too long', async () => {
    for (const reason of ['Creating', 'Waiting']) {
      const rig = new Rig();
      await rig.apply(podOf({ phase: 'Pending', containers: [waiting(reason)] }));
      assert.deepEqual(rig.takeAlerts(), []);
      await rig.advance(5 * MINUTE);
      assert.deepEqual(rig.takeAlerts(), ['new Pending']);
    }
  });

  test('a message of several lines is told on one', async () => {
    const rig = new Rig();
    const message = 'mount failed: exit status 32\nOutput:\tResource busy\r\n';
    await rig.apply(podOf({ phase: 'Failed', containers: [], ready: false, status: { reason: 'Evicted', message } }));
    assert.equal(rig.alerts[0]?.message, 'mount failed: exit status 32 Output: Resource busy');
  });

  test('cutting a long message does not reveal part of a secret', async () => {
    const rig = new Rig();
    await showRunning(rig);
    const said = 'x'.repeat(470);
    const message = `${said} https://app:hunter22-hunter22-hunter22@registry.example/`;
    await rig.apply(podOf({ phase: 'Failed', containers: [], ready: false, status: { reason: 'Evicted', message } }));
    assert.equal(rig.alerts[0]?.message, `${said} https://***@registry.example/`);
  });

  test('an evicted pod is reported, and resolved when another one replaces it', async () => {
    const rig = new Rig();
    await showRunning(rig);
    await rig.apply(
      podOf({
        phase: 'Failed',
        containers: [],
        ready: false,
        status: { reason: 'Evicted', message: 'The node was low on memory.' },
      }),
    );
    assert.equal(rig.alerts[0]?.message, 'The node was low on memory.');
    assert.deepEqual(rig.takeAlerts(), ['new Evicted']);
    await rig.apply(podOf({ name: 'web-5d4f8c7b9-y' }));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over Evicted']);
  });

  test('an eviction whose reason was overwritten is recognized by its condition, and so is the shutdown of a node', async () => {
    const ended = (message: string): Manifest =>
      podOf({
        phase: 'Failed',
        containers: [{ state: terminated(137, 'Error') }],
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message }],
      });
    for (const [message, told] of [
      ['The node was low on resource: memory.', ['new Evicted']],
      ['Pod was terminated in response to imminent node shutdown.', []],
      ['Preempted in order to admit critical pod', []],
    ] as const) {
      const rig = new Rig();
      await showRunning(rig);
      await rig.apply(ended(message));
      assert.deepEqual([rig.alerts[0]?.message, rig.takeAlerts()], [told.length > 0 ? message : undefined, told]);
    }
  });

  test('a pod that has completed does not fail any more, even if a kubelet that restarts rejects it', async () => {
    const done = { containers: [{ state: terminated(0, 'Completed') }], spec: { restartPolicy: 'Never' } };
    const rig = new Rig();
    await rig.apply(podOf({ phase: 'Succeeded', ...done }));
    const rejected = podOf({ phase: 'Failed', ...done, status: { reason: 'UnexpectedAdmissionError' } });
    await rig.apply(rejected);
    await rig.apply({ ...rejected, metadata: { ...rejected.metadata, annotations: { seen: 'yes' } } });
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('an evicted pod that was replaced stays resolved, even if it is annotated later', async () => {
    const rig = new Rig();
    const evicted = (metadata: PodParts['metadata'] = {}): Manifest =>
      podOf({ phase: 'Failed', containers: [], ready: false, status: { reason: 'Evicted' }, metadata });
    await showRunning(rig);
    await showRunning(rig, restarted(1));
    await rig.apply(evicted());
    await rig.apply(podOf({ name: 'web-5d4f8c7b9-y' }));
    await rig.apply(evicted({ annotations: { seen: 'yes' } }));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['new Evicted', 'over Evicted']);
    await rig.apply(evicted({ annotations: { seen: 'twice' } }));
    await rig.advance(12 * HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('an evicted pod that is not replaced keeps firing until it is deleted', async () => {
    const rig = new Rig({ remindAfter: '4h' });
    const evicted = podOf({ phase: 'Failed', containers: [], ready: false, status: { reason: 'Evicted' } });
    await rig.apply(evicted);
    await rig.apply({ ...evicted, metadata: { ...evicted.metadata, annotations: { seen: 'yes' } } });
    await rig.advance(4 * HOUR);
    assert.deepEqual(rig.takeAlerts(), ['new Evicted', 'reminder Evicted']);
    await rig.delete(evicted);
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over Evicted']);
  });

  const event = (reason: string, message: string, count = 1): Manifest => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `web.${reason}`, namespace: 'shop' },
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-5d4f8c7b9-x', uid: 'uid-web-5d4f8c7b9-x' },
    reason,
    message,
    count,
  });

  test('FailedMount is reported from the third Event on, and resolved when the pod is ready', async () => {
    const rig = new Rig();
    await rig.apply(podOf({ phase: 'Pending', containers: [waiting('ContainerCreating')] }));
    await rig.apply(event('FailedMount', 'configmap "web" not found', 2));
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(event('FailedMount', 'configmap "web" not found', 4));
    assert.equal(rig.alerts[0]?.pod, 'shop/web-5d4f8c7b9-x');
    assert.deepEqual(rig.takeAlerts(), ['new FailedMount']);
    await rig.apply(
      podOf({ phase: 'Pending', containers: [waiting('ContainerCreating')], status: { hostIP: '10.0.0.1' } }),
    );
    await rig.advance(MINUTE);
    assert.deepEqual(rig.takeAlerts(), [], 'still pending, so not resolved');
    await rig.apply(podOf());
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over FailedMount']);
  });

  test('Events that differ only in an id are reported once they are combined, though they count from one again', async () => {
    const rig = new Rig();
    await rig.apply(podOf({ phase: 'Pending', containers: [waiting('ContainerCreating')] }));
    const message = 'Failed to create pod sandbox: no network for sandbox "5f0c"';
    await rig.apply(event('FailedCreatePodSandBox', message));
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(event('FailedCreatePodSandBox', `(combined from similar events): ${message}`));
    assert.deepEqual(rig.takeAlerts(), ['new FailedCreatePodSandBox']);
  });

  test('a container killed by its liveness probe is reported from the Event', async () => {
    const rig = new Rig();
    await showRunning(rig);
    await rig.apply(event('Killing', 'Container web failed liveness probe, will be restarted'));
    assert.deepEqual([rig.alerts[0]?.container, rig.alerts[0]?.owner.name], ['web', 'web']);
    assert.deepEqual(rig.takeAlerts(), ['new LivenessProbeFailed']);
  });

  test('a late Event of a pod that is ready by now is not reported', async () => {
    const rig = new Rig();
    await showRunning(rig);
    await rig.apply(event('FailedMount', 'configmap "web" not found', 4));
    assert.equal(rig.halts.at(-1), 'the pod of the Event is ready now');
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('an Event of a pod that is not watched, or of a predecessor of the same name, is not reported', async () => {
    const rig = new Rig();
    const isElsewhere = (reason: string): boolean => reason === 'the pod of the Event is gone, or not watched';
    await rig.apply(event('FailedMount', 'configmap "web" not found', 4));
    await rig.apply(podOf({ uid: 'successor', containers: [waiting('ContainerCreating')] }));
    await rig.apply(event('FailedMount', 'configmap "web" not found', 5));
    assert.equal(rig.halts.filter(isElsewhere).length, 2);
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('Events of a static pod are matched by its config hash, and it is resolved when the pod is ready', async () => {
    const asked: string[] = [];
    const eventsOf: Evidence['eventsOf'] = ({ uid }) => Promise.resolve(asked.push(uid)).then(() => []);
    const rig = new Rig({}, { eventsOf });
    const metadata = {
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: 'n', controller: true }],
      annotations: { 'kubernetes.io/config.hash': 'c0ffee' },
    };
    const etcd = { name: 'web-5d4f8c7b9-x', metadata };
    const told = event('Killing', 'Container web failed liveness probe, will be restarted');
    await rig.apply(podOf({ ...etcd, containers: [{ ...RUNNING, ready: false }] }));
    await rig.apply({ ...told, involvedObject: { ...(told['involvedObject'] as object), uid: 'c0ffee' } });
    await rig.advance(10 * MINUTE);
    assert.deepEqual([rig.alerts[0]?.owner.kind, rig.alerts[0]?.node, asked], ['Pod', 'node-1', ['c0ffee']]);
    assert.deepEqual(rig.takeAlerts(), ['new LivenessProbeFailed']);
    await rig.apply(podOf(etcd));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over LivenessProbeFailed']);
  });

  test('other Events and other kinds halt, each with its reason', async () => {
    const rig = new Rig();
    await showRunning(rig);
    await rig.apply(event('Killing', 'Stopping container web'));
    await rig.apply({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } });
    // OpenShift's node configuration, which is not a node.
    await rig.apply({ apiVersion: 'config.openshift.io/v1', kind: 'Node', metadata: { name: 'cluster' } });
    assert.deepEqual(rig.halts.slice(-3), [
      'the Event does not report a failing pod',
      'a Deployment is neither a pod, nor an Event of one, nor a node or a job',
      'a Node is neither a pod, nor an Event of one, nor a node or a job',
    ]);
  });
});

describe('what is expected', () => {
  const quiet: Readonly<Record<string, Manifest>> = {
    'a pod that has completed': podOf({ phase: 'Succeeded', containers: [{ state: terminated(0, 'Completed') }] }),
    'an exit by SIGTERM while it is deleted': podOf({
      metadata: { deletionTimestamp: '2026-01-01T00:01:00Z' },
      containers: [{ state: terminated(143, 'Error') }],
    }),
    'a crash loop while it is deleted': crashing({ metadata: { deletionTimestamp: '2026-01-01T00:01:00Z' } }),
    'a pod that was preempted': podOf({
      phase: 'Failed',
      containers: [{ state: terminated(137, 'Error') }],
      conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }],
    }),
    'a pod that was drained': podOf({
      phase: 'Failed',
      containers: [{ state: terminated(143, 'Error') }],
      conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }],
    }),
    'a pod whose node shut down': podOf({
      phase: 'Failed',
      containers: [],
      ready: false,
      status: { reason: 'Terminated' },
    }),
    'a pod whose node is not ready': podOf({ ready: false }),
  };
  for (const [what, pod] of Object.entries(quiet)) {
    test(`${what} is not reported`, async () => {
      const rig = new Rig();
      await showRunning(rig);
      await rig.apply(pod);
      await rig.delete(pod);
      await rig.advance(HOUR);
      assert.deepEqual(rig.takeAlerts(), []);
      assert.equal(rig.states.size, 0);
    });
  }
});

test('malformed pod statuses cause no error, and huge ones no huge alert', async () => {
  const rig = new Rig();
  const strange = (status: unknown): Manifest => ({ ...podOf(), status }) as Manifest;
  const long = '<b>\u202e'.repeat(200_000);
  const broken = [null, 'x', [], {}, { containerStatuses: {} }, { containerStatuses: [null, 1, { state: 'x' }] }];
  for (const status of broken) await rig.apply(strange(status));
  await rig.apply(
    strange({ containerStatuses: [{ name: 'web', state: { waiting: { reason: long, message: long } } }] }),
  );
  assert.equal(rig.alerts.length, 1);
  assert.ok(JSON.stringify(rig.alerts[0]).length < 10_000);
});
