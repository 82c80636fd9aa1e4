import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { podOf, restarted, RUNNING } from '../../src/testing/failing-pods.ts';
import { HOUR, MINUTE, Rig, showRunning } from '../../src/testing/test-pod-alerts.ts';

describe('restarts in a window', () => {
  test('4: the threshold within the window is one warning, one less is none', async () => {
    const rig = new Rig({ restarts: 5, window: '4h' });
    await showRunning(rig);
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
    await showRunning(rig);
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
    await showRunning(rig);
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
    await showRunning(rig, podOf({ containers: [{ ...RUNNING, name }] }));
    await rig.apply(podOf({ containers: [{ ...RUNNING, name, restartCount: 2 }] }));
    assert.deepEqual([rig.alerts[0]?.container, rig.alerts[0]?.restarts], [name, 2]);
  });

  test('6: a successor of the same name starts at zero', async () => {
    const rig = new Rig({ restarts: 2 });
    await showRunning(rig, restarted(1));
    await rig.apply(restarted(2));
    await rig.delete(restarted(2));
    await rig.apply(restarted(2, { uid: 'successor' }));
    await rig.apply(restarted(3, { uid: 'successor' }));
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('14: restarts missed while away count as one, whatever the count says now', async () => {
    const rig = new Rig({ restarts: 3 });
    await showRunning(rig);
    await rig.apply(restarted(8), { whileAway: true });
    assert.deepEqual(rig.takeAlerts(), []);
  });

  test('a warning is resolved after no restart for window / restarts', async () => {
    const rig = new Rig({ restarts: 4, window: '1h' });
    await showRunning(rig);
    await rig.apply(restarted(4));
    assert.deepEqual(rig.takeAlerts(), ['new Restarts']);
    await rig.advance(15 * MINUTE);
    assert.deepEqual(rig.takeAlerts(), []);
    await rig.advance(MINUTE);
    assert.deepEqual(rig.takeAlerts(), ['over Restarts']);
  });
});
