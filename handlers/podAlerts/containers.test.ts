import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import { crashing, podOf, RUNNING, terminated, waiting, type ContainerParts } from '../../src/testing/failing-pods.ts';
import { MINUTE, Rig, showRunning, START } from '../../src/testing/test-pod-alerts.ts';

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
      await showRunning(rig);
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
    await showRunning(rig);
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

  test('a crash loop quotes what the container said when it ended, and of one that never ran there is no log', async () => {
    const loop = (exitCode: number, reason: string, message?: string): Manifest => {
      const lastState = { terminated: { exitCode, reason, ...(message !== undefined && { message }) } };
      return podOf({ containers: [waiting('CrashLoopBackOff', { lastState, restartCount: 3 })] });
    };
    const describes = 'kubectl -n shop describe pod web-5d4f8c7b9-x';
    const logs = 'kubectl -n shop logs web-5d4f8c7b9-x -c web --previous';
    for (const [pod, message, hint, kubectl] of [
      [loop(128, 'StartError', 'exec: "serv": not found'), 'exec: "serv": not found', /command and mounts/, describes],
      [loop(127, 'ContainerCannotRun', 'not a directory'), 'not a directory', /command and mounts/, describes],
      [loop(1, 'Error', 'no such table'), 'no such table', /see its log/, logs],
      [loop(1, 'Error'), 'back-off: CrashLoopBackOff', /see its log/, logs],
      [loop(0, 'Completed'), 'back-off: CrashLoopBackOff', /has to keep running/, logs],
    ] as const) {
      const rig = new Rig();
      await rig.apply(pod);
      const [alert] = rig.alerts;
      assert.deepEqual([alert?.message, alert?.kubectl], [message, kubectl]);
      assert.match(alert?.hint ?? '', hint);
    }
  });

  for (const [reason, message, hint] of [
    ['ErrImagePull', 'unexpected status: 429 Too Many Requests - toomanyrequests: slow down', /limits how often/],
    ['ErrImagePull', 'tls: failed to verify certificate: x509: unknown authority', /does not accept/],
    ['ImagePullBackOff', 'dial tcp: lookup registry.example: no such host', /does not reach/],
    ['ErrImagePull', 'no match for platform in manifest: not found', /architecture/],
    ['ErrImagePull', 'manifest for web:2 not found', /its name, its tag/],
    ['CreateContainerConfigError', 'container has runAsNonRoot and image will run as root', /user of the image/],
    ['CreateContainerConfigError', 'failed to prepare subPath for volumeMount "data"', /subPath/],
    ['CreateContainerConfigError', 'secret "keys" not found', /ConfigMap or Secret/],
  ] as const) {
    test(`the hint on ${reason} follows its message: ${message}`, async () => {
      const rig = new Rig();
      await rig.apply(podOf({ phase: 'Pending', containers: [{ state: { waiting: { reason, message } } }] }));
      assert.match(rig.alerts[0]?.hint ?? '', hint);
    });
  }

  test('an OOM-killed container is reported even if it runs again', async () => {
    const rig = new Rig();
    await showRunning(rig);
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

  test('of several containers that failed, the alert names the first to end, else the first in the spec', async () => {
    const ended = (name: string, second: number): ContainerParts => ({
      name,
      state: { terminated: { exitCode: 1, reason: 'Error', finishedAt: `2026-01-01T00:00:0${second}Z` } },
    });
    const [proxy, app, later] = [ended('a-proxy', 9), ended('report', 5), ended('b-later', 5)];
    const containers = [{ name: 'report' }, { name: 'b-later' }, { name: 'a-proxy' }];
    const rig = new Rig();
    await rig.apply(
      podOf({ phase: 'Failed', containers: [proxy, later, app], spec: { restartPolicy: 'Never', containers } }),
    );
    assert.equal(rig.alerts[0]?.container, 'report');
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

  test('a sidecar that is stopped with its job, or restarted, is not a failure', async () => {
    const rig = new Rig();
    await showRunning(rig, ofJob('Running', RUNNING, RUNNING));
    await rig.apply(ofJob('Running', RUNNING, { state: terminated(1, 'Error') }));
    await rig.apply(ofJob('Running', done, stopped));
    await rig.apply(ofJob('Succeeded', done, stopped));
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('the alert of a failed job names the failed container, not the sidecar that was stopped after it', async () => {
    const rig = new Rig();
    await showRunning(rig, ofJob('Running', RUNNING, RUNNING));
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
