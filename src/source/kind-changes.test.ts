import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMap, startTestSource, WIDGETS, widget } from '../testing/test-source.ts';

describe('a kind that appears, goes or is replaced', () => {
  test('a kind whose apiVersion is not served yet is watched once it is installed', async (t) => {
    const rig = await startTestSource(t);
    await rig.start({ requests: [{}, { kind: 'widget', apiVersion: 'example.com/v1' }] });
    const [, waiting] = rig.source().health();
    assert.equal(waiting?.state, 'degraded');
    assert.match(waiting?.problem ?? '', /not served/);
    rig.server.addResource(WIDGETS);
    await rig.until(() => rig.source().health()[1]?.state === 'watching', 'the widgets');
    rig.server.create(widget('w'));
    assert.deepEqual(
      (await rig.changes(1)).map(({ action, gvk }) => [action, gvk.kind]),
      [['added', 'Widget']],
    );
  });

  test('a kind removed while it is watched degrades alone, and is found again in another version', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    rig.server.create(widget('w'));
    await rig.start({ requests: [{ kind: 'widget', apiVersion: 'example.com' }, {}] });
    rig.server.removeResource(WIDGETS);
    await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the removal');
    assert.equal(rig.source().health()[1]?.state, 'watching');
    rig.server.addResource({ ...WIDGETS, version: 'v2' });
    await rig.until(() => rig.source().health()[0]?.state === 'watching', 'the return');
    assert.equal(rig.source().health()[0]?.resource, 'example.com/v2/widgets');
    assert.deepEqual(await rig.changesSoFar(), []);
  });

  test('another kind installed under the same plural is found, and its objects are reported', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    rig.server.create(widget('w'));
    await rig.start({ requests: [{ kind: 'widgets', apiVersion: 'example.com' }, {}] });
    const gadget = { ...widget('g'), kind: 'Gadget' };
    rig.server.delete('Widget', 'w', 'shop');
    await rig.changes(1);
    rig.server.removeResource(WIDGETS);
    rig.server.addResource({ ...WIDGETS, kind: 'Gadget' });
    rig.server.create(gadget);
    rig.server.bookmark();
    const told = (await rig.changes(2)).map(({ action, gvk, name }) => `${action} ${gvk.kind} ${name}`);
    assert.deepEqual(told, ['deleted Widget w', 'added Gadget g']);
  });

  test('another kind under the same plural is found by the next process if this one stops first', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    const requests = [{ kind: 'widgets', apiVersion: 'example.com' }];
    await rig.start({ requests });
    rig.server.removeResource(WIDGETS);
    rig.server.addResource({ ...WIDGETS, kind: 'Gadget' });
    const unanswered = rig.server.fault({ effect: 'status', status: 503, path: '/apis' });
    const cursor = async () => (await rig.store.scopes())[0]?.cursor;
    const before = await cursor();
    rig.server.create({ ...widget('g'), kind: 'Gadget' });
    await rig.until(
      () => rig.logged.some(({ message }) => message.startsWith('Skipped an object')),
      'what is left out',
    );
    rig.server.bookmark();
    await rig.until(async () => (await cursor()) !== before, 'the cursor behind it');
    await rig.stop();
    unanswered.remove();
    await rig.start({ requests });
    const told = (await rig.changes(1)).map(({ action, gvk, name }) => `${action} ${gvk.kind} ${name}`);
    assert.deepEqual(told, ['added Gadget g']);
  });

  test('another kind under the same plural is found even if discovery fails at first', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    await rig.start({ requests: [{ kind: 'widgets', apiVersion: 'example.com' }] });
    rig.server.removeResource(WIDGETS);
    rig.server.addResource({ ...WIDGETS, kind: 'Gadget' });
    const unanswered = rig.server.fault({ effect: 'status', status: 503, path: '/apis', times: 2 });
    rig.server.create({ ...widget('g'), kind: 'Gadget' });
    const [told] = await rig.changes(1);
    assert.deepEqual([unanswered.hits, told?.gvk.kind, told?.name], [2, 'Gadget', 'g']);
  });

  test('a stray object of another kind does not restart the watch', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    const metadata = { name: 'p', namespace: 'shop', uid: 'u', resourceVersion: '1' };
    const object = { apiVersion: 'v1', kind: 'Pod', metadata };
    rig.server.fault({ effect: 'line', line: JSON.stringify({ type: 'ADDED', object }), watch: true, times: 1 });
    const looks = () => rig.server.requests.filter(({ path }) => path === '/apis').length;
    const before = looks();
    rig.server.create(configMap('a'));
    await rig.until(() => looks() > before, 'the look at the cluster');
    rig.server.create(configMap('b'));
    await rig.changes(2);
    assert.equal(rig.streamRequests.length, 2);
  });

  test('a kind that two chains name by different versions is found again by either name', async (t) => {
    const rig = await startTestSource(t, { resources: [WIDGETS] });
    await rig.start({
      requests: [
        { kind: 'widget', apiVersion: 'example.com/v1', chains: ['old'] },
        { kind: 'widget', apiVersion: 'example.com', chains: ['any'] },
      ],
    });
    rig.server.removeResource(WIDGETS);
    await rig.until(() => rig.source().health()[0]?.state === 'degraded', 'the removal');
    rig.server.addResource({ ...WIDGETS, version: 'v2' });
    await rig.until(() => rig.source().health()[0]?.state === 'watching', 'the return');
    rig.server.create({ ...widget('w'), apiVersion: 'example.com/v2' });
    assert.equal((await rig.changes(1))[0]?.after?.apiVersion, 'example.com/v2');
  });
});
