/** A scope over restarts, changed rules and absences, through the source's public interface. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import type { Store } from '../store/store.ts';
import { configMap, startTestSource, type TestSource } from '../testing/test-source.ts';
import { createRedactor } from './redact.ts';

const lists = ({ streamRequests }: TestSource) => streamRequests.filter(({ watch }) => !watch).length;
const actions = (changes: readonly Change[]) => changes.map(({ action, name }) => `${action} ${name}`);

describe('a restart', () => {
  test('with an unchanged cluster sends nothing and lists nothing', async (t) => {
    const rig = await startTestSource(t);
    for (const name of ['a', 'b']) rig.server.create(configMap(name));
    await rig.start();
    await rig.stop();
    await rig.start();
    assert.deepEqual(await rig.changesSoFar(), []);
    assert.equal(lists(rig), 1);
    assert.equal(rig.source().health()[0]?.objects, 3);
  });

  test('reports what happened meanwhile, marked as whileAway, and later changes unmarked', async (t) => {
    const rig = await startTestSource(t);
    for (const name of ['updated', 'deleted']) rig.server.create(configMap(name, { a: '1' }));
    await rig.start();
    await rig.stop();
    rig.server.update(configMap('updated', { a: '2' }));
    rig.server.delete('ConfigMap', 'deleted', 'shop');
    rig.server.create(configMap('added'));
    await rig.start();
    const away = await rig.changes(3);
    assert.deepEqual(actions(away), ['updated updated', 'deleted deleted', 'added added']);
    for (const { flags } of away) assert.deepEqual(flags, { whileAway: true });
    assert.deepEqual(away[1]?.before?.['data'], { a: '1' });
    await rig.clock.advance(1_000);
    rig.server.create(configMap('live'));
    assert.deepEqual((await rig.changes(4))[3]?.flags, {});
    assert.equal(lists(rig), 1);
  });

  test('marks nothing as missed after the first bookmark', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    await rig.stop();
    await rig.start();
    rig.server.bookmark();
    rig.server.create(configMap('live'));
    assert.deepEqual((await rig.changes(1))[0]?.flags, {});
  });

  test('after the history has expired lists, and reports the differences', async (t) => {
    const rig = await startTestSource(t);
    for (const name of ['kept', 'deleted']) rig.server.create(configMap(name));
    await rig.start();
    await rig.stop();
    rig.server.delete('ConfigMap', 'deleted', 'shop');
    rig.server.create(configMap('added'));
    rig.server.compact();
    await rig.start();
    const changes = await rig.changes(2);
    assert.deepEqual(actions(changes).toSorted(), ['added added', 'deleted deleted']);
    assert.ok(changes.every(({ flags }) => flags.whileAway === true));
  });

  test("with whileAway 'ignore' reports nothing that happened meanwhile, and everything after", async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('a', { n: '1' }));
    await rig.start();
    await rig.stop();
    rig.server.update(configMap('a', { n: '2' }));
    await rig.start({ whileAway: 'ignore' });
    await rig.until(async () => (await bodies(rig.store)).includes('"n":"2"'), 'the missed update');
    await rig.clock.advance(1_000);
    rig.server.update(configMap('a', { n: '3' }));
    const [change] = await rig.changes(1);
    assert.deepEqual(change?.before?.['data'], { n: '2' });
    assert.equal((await rig.changesSoFar()).length, 1);
  });

  test('in the middle of a first list starts the list over, silently', async (t) => {
    const rig = await startTestSource(t, { pageLimit: 2 });
    for (const name of ['a', 'b', 'c', 'd']) rig.server.create(configMap(name));
    const hangs = rig.server.fault({ effect: 'hang', path: '/api/v1/configmaps', watch: false, skip: 1 });
    await rig.start({ settle: false });
    await rig.until(() => hangs.hits === 1, 'the second page');
    await rig.stop();
    hangs.remove();
    rig.server.delete('ConfigMap', 'a', 'shop');
    await rig.start();
    assert.deepEqual(await rig.changesSoFar(), []);
    assert.equal(rig.source().health()[0]?.objects, 4);
  });
});

describe('new rules', () => {
  const interest = (except: readonly string[]) => ({ requests: [{ interest: { except } }] });

  test('a changed interest reports nothing for an unchanged cluster, and a missed change once', async (t) => {
    const rig = await startTestSource(t);
    for (const name of ['same', 'noisy', 'changed']) rig.server.create(configMap(name, { a: '1' }));
    await rig.start(interest(['metadata.labels']));
    rig.server.update(configMap('noisy', { a: '1' }, { labels: { seen: 'late' } }));
    await rig.until(async () => (await rig.metrics.noise.get()).values[0]?.value === 1, 'the noise');
    await rig.stop();
    rig.server.update(configMap('changed', { a: '2' }));
    await rig.start(interest([]));
    assert.deepEqual(actions(await rig.changes(1)), ['updated changed']);
    assert.equal(lists(rig), 2);
    rig.server.update(configMap('noisy', { a: '1' }, { labels: { seen: 'now' } }));
    const [, update] = await rig.changes(2);
    assert.deepEqual(update?.before?.metadata.labels, { seen: 'late' });
    await rig.stop();
    await rig.start(interest([]));
    assert.equal(lists(rig), 2);
  });

  test('a changed redaction key reports nothing for an unchanged cluster', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: 'shop' },
      data: { a: 'b2xk' },
    });
    const secrets = { requests: [{}, { kind: 'secret' }] };
    await rig.start(secrets);
    await rig.stop();
    await rig.start({ ...secrets, redactor: createRedactor({ envNames: [], paths: [] }, Buffer.alloc(32, 9)) });
    assert.deepEqual(await rig.changesSoFar(), []);
  });
});

describe('another cluster', () => {
  const replaceAll = (rig: TestSource) => {
    rig.server.delete('ConfigMap', 'a', 'shop');
    rig.server.create(configMap('a'));
    rig.server.create(configMap('b'));
    rig.server.compact();
  };

  test('is assumed when a list shares no uid with the baseline: a new baseline and one warning', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('a'));
    await rig.start({ identityIsCertain: false, existing: 'added' });
    await rig.stop();
    replaceAll(rig);
    await rig.start({ identityIsCertain: false, existing: 'added' });
    await rig.until(() => lists(rig) === 3 && rig.source().health()[0]?.objects === 2, 'the new start');
    assert.deepEqual(actions(await rig.changesSoFar()), ['added a'], 'at the first start');
    assert.equal(
      rig.logged.filter(({ level, message }) => level === 'warn' && message.includes('another cluster')).length,
      1,
    );
  });

  test('is not assumed when a list is empty: every known object is deleted', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('a'));
    await rig.start({ identityIsCertain: false });
    await rig.server.restart(() => {
      rig.server.delete('ConfigMap', 'a', 'shop');
      rig.server.compact();
    });
    assert.deepEqual(actions(await rig.changes(1)), ['deleted a']);
  });

  test('is not assumed when the identity is certain: the objects were replaced', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('a'));
    await rig.start();
    await rig.stop();
    replaceAll(rig);
    await rig.start();
    assert.deepEqual(actions(await rig.changes(3)).toSorted(), ['added a', 'added b', 'deleted a']);
  });
});

describe('objects', () => {
  test('a Secret is redacted before it is stored, and its change still shows', async (t) => {
    const rig = await startTestSource(t);
    const secret = (value: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: 'shop' },
      data: { a: value },
    });
    await rig.start({ requests: [{ kind: 'secret' }] });
    rig.server.create(secret('c4n4ry'));
    rig.server.update(secret('c4n4ry2'));
    const [, update] = await rig.changes(2);
    assert.ok(!JSON.stringify([update?.before, update?.after]).includes('c4n4ry'));
    assert.notDeepEqual(update?.before?.['data'], update?.after?.['data']);
  });

  test('a Secret that cannot be parsed well enough to be redacted is skipped, logged and counted', async (t) => {
    const rig = await startTestSource(t);
    await rig.start({ requests: [{ kind: 'secret' }] });
    const metadata = '"metadata":{"name":"s","namespace":"shop","uid":"u","resourceVersion":"9"}';
    const broken = `{"kind":"Secret","apiVersion":"v1",${metadata},"data":{"a":"c4n4ry","b" "c4n4ry"}}`;
    rig.server.fault({ effect: 'line', line: `{"type":"ADDED","object":${broken}}`, watch: true, times: 1 });
    rig.server.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'whole', namespace: 'shop' } });
    assert.deepEqual(actions(await rig.changes(1)), ['added whole']);
    assert.equal((await rig.metrics.malformed.get()).values[0]?.value, 1);
    const said = rig.logged.filter(({ message }) => message === 'Skipped an object that cannot be read');
    assert.deepEqual(
      said.map(({ level, key }) => [level, key]),
      [['warn', 'shop/s']],
    );
    assert.ok(!JSON.stringify(rig.logged).includes('c4n4ry'));
  });

  test('an expired Kubernetes Event is pruned, by a watch and by a list, without a change', async (t) => {
    const rig = await startTestSource(t);
    const event = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'shop' },
      message: 'Back-off',
    });
    await rig.start({ requests: [{ kind: 'event' }, {}] });
    for (const name of ['a', 'b']) rig.server.create(event(name));
    await rig.changes(2);
    rig.server.delete('Event', 'a', 'shop');
    await rig.until(() => rig.source().health()[0]?.objects === 1, 'the pruning');
    await rig.server.restart(() => {
      rig.server.delete('Event', 'b', 'shop');
      rig.server.compact();
    });
    await rig.until(() => rig.source().health()[0]?.objects === 0, 'the pruning by a list');
    assert.deepEqual(actions(await rig.changesSoFar()), ['added a', 'added b']);
  });

  test('an object of 1.5 MB and a field that changes its type are changes like any other', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    rig.server.create({ ...configMap('large'), data: { blob: 'x'.repeat(1_500_000) } });
    rig.server.create({ ...configMap('typed'), data: 'text' });
    rig.server.update({ ...configMap('typed'), data: { now: ['a', 'list'] } });
    const [large, , typed] = await rig.changes(3);
    assert.deepEqual(large?.after?.['data'], { blob: 'x'.repeat(1_500_000) });
    assert.deepEqual(typed?.after?.['data'], { now: ['a', 'list'] });
  });
});

async function bodies(store: Store): Promise<string> {
  return (await store.manifests(0, 1_000)).map(({ body }) => Buffer.from(body).toString()).join('\n');
}
