import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crashing, podOf, RUNNING, waiting } from '../../src/testing/failing-pods.ts';
import { problemsOf } from '../../src/testing/handler.ts';
import podAlerts from './index.ts';
import { HOUR, MINUTE, Rig, START } from '../../src/testing/test-pod-alerts.ts';

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

  test('of the pod that an alert began with does not hold back the reminders of the others that still fail', async () => {
    const rig = new Rig({ remindAfter: '1h' });
    await rig.apply(crashing({ name: a }));
    await rig.apply(crashing({ name: b }));
    rig.takeAlerts();
    await rig.apply(crashing({ name: a, metadata: { annotations: { 'watchchain/mute': 'true' } } }));
    await rig.advance(2 * HOUR);
    assert.deepEqual(
      rig.alerts.map(({ why, pod }) => `${why} ${pod}`),
      [`reminder shop/${b}`, `reminder shop/${b}`],
    );
  });

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
