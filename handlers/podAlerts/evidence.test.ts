import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crashing, podOf, terminated, waiting } from '../../src/testing/failing-pods.ts';
import type { Evidence } from '../../src/enrich/evidence.ts';
import { changeOf } from '../../src/testing/change.ts';
import podAlerts from './index.ts';
import { Rig } from '../../src/testing/test-pod-alerts.ts';

describe('the evidence of an alert', () => {
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
});
