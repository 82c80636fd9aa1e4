import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EVERYTHING } from '../interest.ts';
import type { Metrics } from '../metrics.ts';
import { configMap, REDACTION_KEY, startTestSource, WIDGETS, widget } from '../testing/test-source.ts';
import type { ClusterSource } from './kubernetes-source.ts';
import { createRedactor } from './redact.ts';

const PLAN = { whileAway: 'each', existing: 'silent' } as const;

describe('metrics of scopes', () => {
  test('metrics show when a scope was last heard from, and drop a scope that is gone', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    rig.server.create(widget('w'));
    await rig.start({ requests: [{ kind: 'widget', apiVersion: 'example.com' }] });
    const heard = async () =>
      (await rig.metrics.scopeHeard.get()).values.map(({ labels, value }) => [labels.resource, value]);
    const [[resource, first] = []] = await heard();
    assert.equal(resource, 'example.com/v1/widgets');
    await rig.clock.advance(60_000);
    rig.server.create(widget('x'));
    await rig.changes(1);
    const [[, second] = []] = await heard();
    assert.ok(Number(second) >= Number(first) + 60, `${first} ${second}`);
    rig.server.removeResource(WIDGETS);
    await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the removal');
    rig.server.addResource({ ...WIDGETS, version: 'v2' });
    await rig.until(() => rig.source().health()[0]?.state === 'watching', 'the return');
    assert.deepEqual(
      (await heard()).map(([name]) => name),
      ['example.com/v2/widgets'],
    );
  });

  test('metrics count the objects of a scope that resumes from its cursor, and of one that is relisted', async (t) => {
    const rig = await startTestSource(t);
    const objects = async () => (await rig.metrics.scopeObjects.get()).values.map(({ value }) => value);
    await rig.start();
    assert.deepEqual(await objects(), [0]);
    for (const name of ['a', 'b', 'c']) rig.server.create(configMap(name));
    await rig.changes(3);
    await rig.stop();
    await rig.start();
    assert.deepEqual(await objects(), [3]);
    await rig.stop();
    rig.server.delete('ConfigMap', 'a', 'shop');
    rig.server.compact();
    await rig.start();
    await rig.until(() => rig.source().health()[0]?.objects === 2, 'the list');
    assert.deepEqual(await objects(), [2]);
  });

  test('cluster-scoped kinds are watched, measured and forgotten as a whole, whatever namespaces are configured', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } });
    const plan = { ...PLAN, redactor: createRedactor({ envNames: [], paths: [] }, REDACTION_KEY) };
    await rig.start({ ...plan, requests: [{ kind: 'node', namespace: 'team-*' }] });
    assert.equal(rig.source().health()[0]?.namespace, '');
    const gauges = [rig.metrics.scopeSynced, rig.metrics.scopeHeard, rig.metrics.scopeObjects];
    const shown = async () => {
      const values = (await Promise.all(gauges.map((gauge) => gauge.get()))).flatMap((metric) => metric.values);
      return values.map(({ labels: { resource, namespace } }) => `${resource} in "${namespace}"`);
    };
    assert.deepEqual(await shown(), Array(3).fill('v1/nodes in ""'));
    const source = rig.source() as ClusterSource;
    await source.applyPlan(await source.prepare({ ...plan, requests: [] }));
    assert.deepEqual(await shown(), []);
  });

  test('metrics show a degraded scope even if another one differs only by its selectors', async (t) => {
    const rig = await startTestSource(t);
    const plan = { ...PLAN, redactor: createRedactor({ envNames: [], paths: [] }, REDACTION_KEY) };
    const synced = async () => (await rig.metrics.scopeSynced.get()).values.map(({ value }) => value);
    await rig.start({ ...plan, requests: [{ fieldSelector: 'spec.nope=1' }, {}] });
    assert.deepEqual(await synced(), [0]);
    const source = rig.source() as ClusterSource;
    const common = { kind: 'configmap', apiVersion: undefined, namespace: '', labelSelector: '', at: 'config.toml:1' };
    const healthy = { ...common, fieldSelector: '', chains: ['default'], interest: EVERYTHING };
    await source.applyPlan(await source.prepare({ ...plan, requests: [healthy] }));
    assert.deepEqual(await synced(), [1]);
  });

  test('metrics sum the objects of scopes that differ only by selectors, and show the longest silence', async (t) => {
    const rig = await startTestSource(t);
    const create = (name: string, app: string) => rig.server.create(configMap(name, {}, { labels: { app } }));
    const { scopeObjects, scopeHeard } = rig.metrics;
    const valuesOf = async (gauge: Metrics['scopeObjects']) => (await gauge.get()).values.map(({ value }) => value);
    for (const [name, app] of Object.entries({ one: 'a', two: 'b', three: 'b' })) create(name, app);
    await rig.start({ requests: [{ labelSelector: 'app=a' }, { labelSelector: 'app=b' }] });
    const heard = await valuesOf(scopeHeard);
    assert.equal(heard.length, 1);
    await rig.clock.advance(60_000);
    create('four', 'a');
    await rig.changes(1);
    assert.deepEqual(await valuesOf(scopeObjects), [4]);
    assert.deepEqual(await valuesOf(scopeHeard), heard);
  });
});
