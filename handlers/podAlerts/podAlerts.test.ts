import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isHalt } from '../../src/chain/handler.ts';
import type { Manifest } from '../../src/change.ts';
import {
  podOf,
  RUNNING,
  terminated,
  waiting,
  type ContainerParts,
  type PodParts,
} from '../../src/testing/failing-pods.ts';
import type { Evidence } from '../../src/enrich/evidence.ts';
import { changeOf } from '../../src/testing/change.ts';
import { problemsOf, testContext, testEnvironment } from '../../src/testing/handler.ts';
import match from '../match/index.ts';
import podAlerts from './index.ts';
import { Rig, START } from '../../src/testing/test-pod-alerts.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A pod whose only container has restarted this often and runs again. */
const restarted = (restartCount: number, more: PodParts = {}): Manifest =>
  podOf({ containers: [{ ...RUNNING, restartCount, lastState: terminated(1, 'Error') }], ...more });

const crashing = (more: PodParts = {}, container: ContainerParts = {}): Manifest =>
  podOf({
    containers: [
      waiting('CrashLoopBackOff', { lastState: terminated(137, 'OOMKilled'), restartCount: 3, ...container }),
    ],
    ...more,
  });

/** Shows a running pod, which causes no alert. */
async function running(rig: Rig, pod: Manifest = podOf()): Promise<void> {
  await rig.apply(pod);
  assert.deepEqual(rig.takeAlerts(), []);
}

describe('restarts in a window', () => {
  test('4: the threshold within the window is one warning, one less is none', async () => {
    const rig = new Rig({ restarts: 5, window: '4h' });
    await running(rig);
    for (let n = 1; n <= 4; n++) {
      await rig.advance(10 * MINUTE);
      await rig.apply(restarted(n));
    }
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(restarted(5));
    const [alert] = rig.alerts;
    assert.deepEqual(
      [alert?.level, alert?.reason, alert?.restarts, alert?.container],
      ['Warning', 'Restarts', 5, 'web'],
    );
    assert.deepEqual(rig.takeAlerts(), ['new Restarts']);
  });

  test('4: restarts further apart than the window raise no warning, and expire without a new change', async () => {
    const rig = new Rig({ restarts: 3, window: '1h' });
    await running(rig);
    for (let n = 1; n <= 6; n++) {
      await rig.apply(restarted(n));
      await rig.advance(31 * MINUTE);
    }
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(HOUR);
    assert.equal(rig.states.size, 0, 'no state is left');
  });

  test('5: a count that jumps by three counts as three', async () => {
    const rig = new Rig({ restarts: 3 });
    await running(rig);
    await rig.apply(restarted(3));
    assert.deepEqual(rig.takeAlerts(), ['new Restarts']);
  });

  test('6: replicas are counted separately, and deleting one leaves the counts of the others', async () => {
    const rig = new Rig({ restarts: 3 });
    const [one, other] = [{ name: 'web-5d4f8c7b9-a' }, { name: 'web-5d4f8c7b9-b' }];
    await rig.apply(restarted(7, one));
    await rig.apply(restarted(1, other));
    await rig.apply(restarted(9, one));
    await rig.apply(restarted(2, other));
    assert.deepEqual(rig.takeAlerts(), [], 'two and one, below the threshold');
    await rig.delete(restarted(9, one));
    await rig.apply(restarted(4, other));
    assert.deepEqual(rig.alerts[0]?.pod, 'shop/web-5d4f8c7b9-b');
    assert.deepEqual(rig.takeAlerts(), ['new Restarts']);
  });

  test('a container may have the name of a built-in property, such as "constructor"', async () => {
    const rig = new Rig({ restarts: 2 });
    const name = 'constructor';
    await running(rig, podOf({ containers: [{ ...RUNNING, name }] }));
    await rig.apply(podOf({ containers: [{ ...RUNNING, name, restartCount: 2 }] }));
    assert.deepEqual([rig.alerts[0]?.container, rig.alerts[0]?.restarts], [name, 2]);
  });

  test('6: a successor of the same name starts at zero', async () => {
    const rig = new Rig({ restarts: 2 });
    await running(rig, restarted(1));
    await rig.apply(restarted(2));
    await rig.delete(restarted(2));
    await rig.apply(restarted(2, { uid: 'successor' }));
    await rig.apply(restarted(3, { uid: 'successor' }));
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('14: restarts missed while away count as one, whatever the count says now', async () => {
    const rig = new Rig({ restarts: 3 });
    await running(rig);
    await rig.apply(restarted(8), { whileAway: true });
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('a warning is resolved after no restart for window / restarts', async () => {
    const rig = new Rig({ restarts: 4, window: '1h' });
    await running(rig);
    await rig.apply(restarted(4));
    assert.deepEqual(rig.takeAlerts(), ['new Restarts']);
    await rig.advance(15 * MINUTE);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['over Restarts']);
  });
});

describe('what keeps a container from running', () => {
  const reasons = [
    'CrashLoopBackOff',
    'ImagePullBackOff',
    'ErrImagePull',
    'InvalidImageName',
    'CreateContainerConfigError',
    'CreateContainerError',
    'RunContainerError',
    'ErrImageNeverPull',
  ];
  for (const reason of reasons) {
    test(`8: ${reason} is a failure at once`, async () => {
      const rig = new Rig();
      await running(rig);
      await rig.apply(podOf({ containers: [waiting(reason)] }));
      assert.equal(rig.alerts[0]?.level, 'Failure');
      assert.deepEqual(rig.takeAlerts(), [`new ${reason}`]);
    });
  }

  test('7: a sidecar counts, and so does an init container', async () => {
    const rig = new Rig();
    await rig.apply(podOf({ app: 'a', containers: [RUNNING, waiting('CrashLoopBackOff', { name: 'sidecar' })] }));
    assert.equal(rig.alerts[0]?.container, 'sidecar');
    await rig.apply(
      podOf({
        app: 'b',
        phase: 'Pending',
        containers: [waiting('PodInitializing')],
        initContainers: [waiting('CrashLoopBackOff')],
      }),
    );
    assert.deepEqual([rig.alerts[1]?.container, rig.alerts[1]?.image], ['init', 'registry.example/init:1.0']);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff', 'new Init:CrashLoopBackOff']);
  });

  test('an alert names workload, pod, container, node, image, reason, exit code, signal and what to do', async () => {
    const rig = new Rig();
    await running(rig);
    await rig.advance(1_000);
    await rig.apply(crashing());
    const { events: _, lastChanges: __, log: ___, fingerprint, ...alert } = rig.alerts[0] ?? ({} as never);
    assert.match(fingerprint, /^[0-9a-f]{16}$/);
    assert.deepEqual(alert, {
      status: 'firing',
      why: 'new',
      level: 'Failure',
      owner: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' },
      pod: 'shop/web-5d4f8c7b9-x',
      container: 'web',
      node: 'node-1',
      image: 'registry.example/web:1.0',
      reason: 'CrashLoopBackOff',
      because: 'OOMKilled',
      exitCode: 137,
      signal: 9,
      message: 'back-off: CrashLoopBackOff',
      restarts: 3,
      since: new Date(START + 1_000).toISOString(),
      durationMs: 0,
      pods: 1,
      hint: 'It took more memory than its limit, or than the node has: look at resources.limits.memory.',
      kubectl: 'kubectl -n shop logs web-5d4f8c7b9-x -c web --previous',
      headline:
        'CrashLoopBackOff (OOMKilled, exit 137): deployment shop/web, pod web-5d4f8c7b9-x, container web, node node-1, 3 restarts',
    });
  });

  test('an OOM-killed container is reported even if it runs again', async () => {
    const rig = new Rig();
    await running(rig);
    await rig.apply(podOf({ containers: [{ ...RUNNING, restartCount: 1, lastState: terminated(137, 'OOMKilled') }] }));
    assert.deepEqual(rig.takeAlerts(), ['new OOMKilled']);
    await rig.apply(
      podOf({ containers: [{ ...RUNNING, restartCount: 1, lastState: terminated(137, 'OOMKilled'), ready: true }] }),
    );
    await rig.advance(MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['over OOMKilled']);
    await rig.apply(podOf({ containers: [{ state: terminated(137, 'OOMKilled'), restartCount: 1 }] }));
    assert.deepEqual(rig.takeAlerts(), ['new OOMKilled'], 'before it runs again');
  });

  test('a single exit is an alert only if the container is not restarted', async () => {
    const rig = new Rig();
    const exited: ContainerParts = { state: terminated(1, 'Error') };
    await rig.apply(podOf({ app: 'a', containers: [exited] }));
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(podOf({ app: 'b', phase: 'Failed', containers: [exited], spec: { restartPolicy: 'Never' } }));
    assert.equal(rig.alerts[0]?.exitCode, 1);
    assert.deepEqual(rig.takeAlerts(), ['new Error']);
  });

  test('the kubectl command has no --previous when the container was not restarted', async () => {
    const rig = new Rig();
    const ended = [{ state: terminated(137, 'OOMKilled') }];
    await rig.apply(podOf({ phase: 'Failed', containers: ended, spec: { restartPolicy: 'Never' } }));
    assert.equal(rig.alerts[0]?.kubectl, 'kubectl -n shop logs web-5d4f8c7b9-x -c web');
  });
});

describe('a container with a restart policy of its own', () => {
  const sidecar = { name: 'proxy', image: 'registry.example/proxy:1.0', restartPolicy: 'Always' };
  const ofJob = (phase: string, container: ContainerParts, proxy: ContainerParts): Manifest =>
    podOf({
      phase,
      containers: [container],
      initContainers: [{ name: 'proxy', ...proxy }],
      spec: { restartPolicy: 'Never', initContainers: [sidecar] },
    });
  const [done, stopped] = [{ state: terminated(0, 'Completed') }, { state: terminated(143, 'Error') }];

  test('the quoted log is of the container that ended, and is not requested when logLines is 0', async () => {
    const asked: string[] = [];
    const logTail: Evidence['logTail'] = async ({ container, previous }) =>
      `${asked.push(container)}: of ${container}${previous ? ' before' : ''}`;
    const ended = podOf({ phase: 'Failed', containers: [{ state: terminated(1, 'Error') }] });
    for (const [pod, log] of [
      [crashing(), '1: of web before'],
      [ended, '2: of web'],
      [podOf({ containers: [waiting('ImagePullBackOff')] }), undefined],
    ] as const) {
      const rig = new Rig({}, { logTail });
      await rig.apply(pod);
      assert.equal(rig.alerts[0]?.log, log);
    }
    const without = { logLines: 0, events: 0, lastChanges: 0 };
    const rig = new Rig(without, { logTail });
    await rig.apply(crashing());
    assert.deepEqual([rig.takeAlerts(), asked.length], [['new CrashLoopBackOff'], 2]);
    const accessFor = (given: object): unknown => podAlerts.asks?.(podAlerts.options.parse(given)).access;
    assert.deepEqual(accessFor(without), []);
    assert.deepEqual(accessFor({}), [
      { group: '', resource: 'pods/log', verbs: ['get'] },
      { group: '', resource: 'events', verbs: ['list'] },
    ]);
  });

  test('lastChanges are those of the workload and of the ConfigMaps that its pods mount', async () => {
    const asked: string[] = [];
    const history: Evidence['history'] = async ({ key = '' }) => {
      asked.push(key);
      const [namespace = '', name = ''] = key.split('/');
      const shown = (kind: string, replicas: number) => ({ kind, metadata: { namespace, name }, spec: { replicas } });
      const changed = (kind: string, to: number) => changeOf({ before: shown(kind, 1), after: shown(kind, to) });
      return [
        { ...changed('Deployment', 2), id: 1 },
        { ...changed('Deployment', 1), id: 2 },
        { ...changed('Pod', 2), id: 3 },
        { ...changed('ConfigMap', 2), id: 4 },
      ];
    };
    const rig = new Rig({}, { history });
    const volumes = ['settings', 'kube-root-ca.crt'].map((name) => ({ name, configMap: { name } }));
    await rig.apply(crashing({ spec: { volumes } }));
    assert.deepEqual(asked, ['shop/web', 'shop/settings']);
    assert.deepEqual(
      rig.alerts[0]?.lastChanges.map(({ headline }) => headline.split(':')[0]),
      ['configmap shop/settings updated', 'deployment shop/web updated'],
    );
  });

  test('lastChanges are looked up for ConfigMaps and Secrets of projected volumes, too', async () => {
    const asked: string[] = [];
    const history: Evidence['history'] = ({ key = '' }) => {
      asked.push(key);
      return Promise.resolve([]);
    };
    const sources = [
      { serviceAccountToken: { path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt' } },
      { configMap: { name: 'flags' } },
      { secret: { name: 'keys' } },
    ];
    await new Rig({}, { history }).apply(crashing({ spec: { volumes: [{ name: 'all', projected: { sources } }] } }));
    assert.deepEqual(asked, ['shop/web', 'shop/flags', 'shop/keys']);
  });

  test('a sidecar that is stopped with its job, or restarted, is not a failure', async () => {
    const rig = new Rig();
    await running(rig, ofJob('Running', RUNNING, RUNNING));
    await rig.apply(ofJob('Running', RUNNING, { state: terminated(1, 'Error') }));
    await rig.apply(ofJob('Running', done, stopped));
    await rig.apply(ofJob('Succeeded', done, stopped));
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('the alert of a failed job names the failed container, not the sidecar that was stopped after it', async () => {
    const rig = new Rig();
    await running(rig, ofJob('Running', RUNNING, RUNNING));
    await rig.apply(ofJob('Failed', { state: terminated(3, 'Error') }, stopped));
    assert.deepEqual([rig.alerts[0]?.container, rig.alerts[0]?.exitCode], ['web', 3]);
    assert.deepEqual(rig.takeAlerts(), ['new Error']);
  });

  const helper = (exitCode: number, more: object = {}): Manifest =>
    podOf({
      containers: [RUNNING, { name: 'helper', state: terminated(exitCode, 'Error') }],
      spec: { containers: [{ name: 'web' }, { name: 'helper', restartPolicy: 'Never', ...more }] },
    });

  test('a container that exits with an error and is not restarted is a failure while others run', async () => {
    const rig = new Rig();
    await rig.apply(helper(1));
    assert.equal(rig.alerts[0]?.container, 'helper');
    assert.deepEqual(rig.takeAlerts(), ['new Error']);
  });

  test('an exit code for which a rule restarts the container is not a failure; another one is', async () => {
    const restartPolicyRules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }];
    const rig = new Rig();
    await rig.apply(helper(42, { restartPolicyRules }));
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(helper(1, { restartPolicyRules }));
    assert.deepEqual(rig.takeAlerts(), ['new Error']);
  });
});

describe('what keeps a pod from running', () => {
  const unscheduled = (more: PodParts = {}) =>
    podOf({
      phase: 'Pending',
      containers: [],
      ready: false,
      conditions: [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message: '0/3 nodes are available: 3 Insufficient cpu.',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
      ...more,
    });

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

  test('an unschedulable pod is reported after a minute, with the message of the scheduler', async () => {
    const rig = new Rig();
    await rig.apply(unscheduled());
    await rig.advance(MINUTE);
    assert.equal(rig.alerts[0]?.message, '0/3 nodes are available: 3 Insufficient cpu.');
    assert.deepEqual(rig.takeAlerts(), ['new Unschedulable']);
  });

  test('a pod that is scheduled in time, or held back by scheduling gates, is not reported', async () => {
    const rig = new Rig();
    await rig.apply(unscheduled());
    await rig.advance(30_000);
    await rig.apply(podOf());
    const gated = { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' };
    await rig.apply(podOf({ app: 'gated', phase: 'Pending', containers: [], ready: false, conditions: [gated] }));
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('cutting a long message does not reveal part of a secret', async () => {
    const rig = new Rig();
    await running(rig);
    const said = 'x'.repeat(470);
    const message = `${said} https://app:hunter22-hunter22-hunter22@registry.example/`;
    await rig.apply(podOf({ phase: 'Failed', containers: [], ready: false, status: { reason: 'Evicted', message } }));
    assert.equal(rig.alerts[0]?.message, `${said} https://***@registry.example/`);
  });

  test('an evicted pod is reported, and resolved when another one replaces it', async () => {
    const rig = new Rig();
    await running(rig);
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

  test('an evicted pod that was replaced stays resolved, even if it is annotated later', async () => {
    const rig = new Rig();
    const evicted = (metadata: PodParts['metadata'] = {}): Manifest =>
      podOf({ phase: 'Failed', containers: [], ready: false, status: { reason: 'Evicted' }, metadata });
    await running(rig);
    await running(rig, restarted(1));
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

  test('a container killed by its liveness probe is reported from the Event', async () => {
    const rig = new Rig();
    await running(rig);
    await rig.apply(event('Killing', 'Container web failed liveness probe, will be restarted'));
    assert.deepEqual([rig.alerts[0]?.container, rig.alerts[0]?.owner.name], ['web', 'web']);
    assert.deepEqual(rig.takeAlerts(), ['new LivenessProbeFailed']);
  });

  test('a late Event of a pod that is ready by now is not reported', async () => {
    const rig = new Rig();
    await running(rig);
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
    await running(rig);
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
      await running(rig);
      await rig.apply(pod);
      await rig.delete(pod);
      await rig.advance(HOUR);
      assert.deepEqual(rig.takeAlerts(), []);
      assert.equal(rig.states.size, 0);
    });
  }
});

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
    const node = (status: string): Manifest => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node-1', uid: 'uid-node-1' },
      status: { conditions: [{ type: 'Ready', status, message: 'Kubelet stopped posting node status.' }] },
    });
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

test('a node that is cordoned before it goes down is not reported', async () => {
  const node = (status: string, spec: object): Manifest =>
    ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node-1', uid: 'uid-node-1' },
      spec,
      status: { conditions: [{ type: 'Ready', status }] },
    }) as Manifest;
  const rig = new Rig();
  await rig.apply(node('True', {}));
  await rig.apply(node('True', { unschedulable: true }));
  await rig.apply(node('Unknown', { unschedulable: true }));
  assert.deepEqual(rig.takeAlerts(), []);
  await rig.apply(node('Unknown', {}));
  assert.deepEqual(rig.takeAlerts(), ['new NodeUnreachable']);
});

test('a node that is cordoned while it is down is resolved when it is ready or deleted', async () => {
  const node = (name: string, status: string, unschedulable: boolean): Manifest => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}` },
    spec: { unschedulable },
    status: { conditions: [{ type: 'Ready', status }] },
  });
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
  const node = (name: string, status: string): Manifest => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}`, creationTimestamp: new Date(START).toISOString() },
    status: { conditions: [{ type: 'Ready', status, message: 'cni plugin not initialized' }] },
  });
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

describe('resolving an alert', () => {
  test('12: resolved, with its duration, once the pod is ready for the hold-down; new when it fails again', async () => {
    const rig = new Rig({ holdDown: '30s' });
    await running(rig);
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

  const started = (n: number): string => new Date(START + n * MINUTE).toISOString();
  const ranFor = (minutes: number, exitCode: number): ContainerParts => ({
    state: { terminated: { exitCode, startedAt: started(0), finishedAt: started(minutes) } },
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
      const rig = new Rig({ remindAfter: '4h' });
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

  test('a missed deletion is noticed at the next reminder', async () => {
    const rig = new Rig({ remindAfter: '1h' });
    await rig.apply(crashing());
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    rig.held.clear();
    await rig.advance(HOUR + MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff']);
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
    await running(rig);
    await rig.apply(restarted(2));
    await rig.apply(crashing());
    await rig.apply(crashing({}, { restartCount: 4 }));
    assert.deepEqual(rig.takeAlerts(), ['new Restarts', 'worse CrashLoopBackOff']);
  });

  test('a warning that becomes the failure of an unscheduled pod no longer names a node', async () => {
    const rig = new Rig({ restarts: 2 });
    await running(rig);
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

describe('muting', () => {
  const muted = (value: string) => crashing({ metadata: { annotations: { 'watchchain/mute': value } } });

  test('by annotation: reported when it is removed', async () => {
    const rig = new Rig();
    await rig.apply(muted('true'));
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(crashing());
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
  });

  test('by annotation until a time: reported then', async () => {
    const rig = new Rig();
    await rig.apply(muted(new Date(START + HOUR).toISOString()));
    await rig.advance(HOUR - 1);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(1);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
  });

  test('by an annotation of the workload, where it is watched', async () => {
    const rig = new Rig();
    const annotations = { 'watchchain/mute': 'true' };
    await rig.apply({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop', annotations },
    });
    await rig.apply(crashing());
    assert.deepEqual(rig.takeAlerts(), []);
    assert.equal(rig.halts.at(-1), 'muted by annotation watchchain/mute');
  });

  test('by an annotation of the workload until a time: reported when it is removed earlier', async () => {
    const rig = new Rig();
    const until = new Date(START + 24 * HOUR).toISOString();
    const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } };
    const annotated = {
      ...deployment,
      metadata: { ...deployment.metadata, annotations: { 'watchchain/mute': until } },
    };
    await rig.apply(annotated);
    await rig.apply(crashing());
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.apply(deployment);
    await rig.advance(MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
  });

  test('by a configured rule until a time: all of its patterns must match', async () => {
    const until = new Date(START + HOUR).toISOString();
    const rig = new Rig({ mute: [{ namespace: '^shop$', image: ['^registry\\.example/web:'], until }] });
    await rig.apply(crashing());
    await rig.apply(crashing({ app: 'api' }));
    assert.equal(rig.alerts[0]?.owner.name, 'api');
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    await rig.advance(HOUR);
    assert.equal(rig.alerts[0]?.owner.name, 'web');
  });

  test('of a reported alert holds back the reminders, and is checked at most once a minute', async () => {
    const rig = new Rig({ remindAfter: '1h' });
    await rig.apply(crashing());
    rig.takeAlerts();
    await rig.apply(muted('true'));
    rig.halts.splice(0);
    await rig.advance(2 * HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
    assert.ok(rig.halts.length <= 62, `${rig.halts.length} times`);
    await rig.apply(crashing());
    assert.deepEqual(rig.takeAlerts(), ['reminder CrashLoopBackOff']);
  });

  const [a, b] = ['web-5d4f8c7b9-a', 'web-5d4f8c7b9-b'];
  const annotations = { 'watchchain/mute': 'true' };
  const [crash] = [waiting('CrashLoopBackOff')];
  for (const [what, options, muted, other] of [
    ['a container', { mute: [{ container: '^proxy$' }] }, { containers: [RUNNING, { ...crash, name: 'proxy' }] }, {}],
    ['a pod', { mute: [{ pod: '-a$' }] }, { name: a, containers: [crash] }, { name: b }],
    ['a pod by annotation', {}, { name: a, containers: [crash], metadata: { annotations } }, { name: b }],
  ] as const) {
    test(`of ${what} does not hide other failures of the workload`, async () => {
      const rig = new Rig(options);
      await rig.apply(podOf(muted));
      await rig.advance(10 * MINUTE);
      assert.deepEqual(rig.takeAlerts(), []);
      const containers = what === 'a container' ? [crash, { ...crash, name: 'proxy' }] : [crash];
      await rig.apply(podOf({ ...other, containers }));
      assert.deepEqual([rig.alerts[0]?.container, rig.alerts[0]?.since], ['web', new Date(rig.now).toISOString()]);
      assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    });
  }

  test('by a configured rule does not delay the end of other alerts; what it held back is reported when it ends', async () => {
    const rig = new Rig({ mute: [{ pod: '-a$', until: new Date(START + HOUR).toISOString() }] });
    await rig.apply(crashing({ name: b }));
    await rig.apply(crashing({ name: a }));
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
    await rig.apply(podOf({ name: b }));
    await rig.advance(30_000);
    assert.deepEqual(rig.takeAlerts(), ['over CrashLoopBackOff']);
    await rig.advance(HOUR);
    assert.equal(rig.alerts[0]?.pod, `shop/${a}`);
    assert.deepEqual(rig.takeAlerts(), ['new CrashLoopBackOff']);
  });

  test('of several pods until a time: the first one to fail is reported then', async () => {
    const rig = new Rig({ mute: [{ namespace: 'shop', until: new Date(START + HOUR).toISOString() }] });
    await rig.apply(crashing({ name: a }));
    await rig.advance(MINUTE);
    await rig.apply(crashing({ name: b }));
    await rig.apply(crashing({ name: a, metadata: { annotations: { seen: 'twice' } } }));
    await rig.advance(HOUR);
    assert.equal(rig.alerts[0]?.pod, `shop/${a}`);
  });

  test('of one pod until a time: it is reported then, whatever else is muted', async () => {
    const rig = new Rig();
    const until = new Date(START + HOUR).toISOString();
    await rig.apply(crashing({ name: a, metadata: { annotations } }));
    await rig.apply(crashing({ name: b, metadata: { annotations: { 'watchchain/mute': until } } }));
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(HOUR + MINUTE);
    assert.equal(rig.alerts[0]?.pod, `shop/${b}`);
  });

  test('a failure that recovers while it is muted is never reported', async () => {
    const rig = new Rig();
    await rig.apply(muted('true'));
    await rig.apply(podOf());
    await rig.advance(HOUR);
    assert.deepEqual(rig.takeAlerts(), []);
    assert.equal(rig.states.size, 0);
  });

  test('a rule without any pattern, an invalid time and a window of zero are refused', () => {
    assert.match(problemsOf(podAlerts, { mute: [{ until: '2026-12-01T00:00:00Z' }] }).join(), /must say what to mute/);
    assert.match(problemsOf(podAlerts, { mute: [{ owner: 'web', until: 'monday' }] }).join(), /must be a time such as/);
    assert.match(problemsOf(podAlerts, { restarts: 0, mute: [{ owner: '(' }] }).join(), /restarts:.*RE2/);
    assert.match(problemsOf(podAlerts, { window: '0s' }).join(), /must be at least "1s"/);
  });
});
