/** The lists of a reflector, each test under its number in the list of what it must do (`10.x`), through the source's public interface. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { actions, clientOf, configMap, lists, startTestSource } from '../testing/test-source.ts';
import type { ApiClient } from './api.ts';

const PATH = '/api/v1/configmaps';

describe('lists', () => {
  test('10.1 the first list asks for the newest state and is silent; the watch goes on from its version', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('old'));
    await rig.start();
    const [list] = lists(rig);
    assert.equal(list?.query['resourceVersion'], undefined);
    assert.equal(list?.query['limit'], 500);
    const watch = rig.server.requests.find(({ query }) => query.has('watch'));
    assert.equal(watch?.query.get('allowWatchBookmarks'), 'true');
    rig.server.create(configMap('new'));
    assert.deepEqual(actions(await rig.changes(1)), ['added new']);
  });

  test('10.2 a list of any size is accepted: 3,000 objects in one answer', async (t) => {
    const rig = await startTestSource(t);
    rig.server.putAll(
      Array.from({ length: 3_000 }, (_, i) => ({
        ...configMap(`c-${i}`),
        metadata: { name: `c-${i}`, namespace: 'shop', uid: `u-${i}` },
      })),
    );
    await rig.start();
    assert.equal(rig.source().health()[0]?.objects, 3_000);
    assert.deepEqual(await rig.changesSoFar(), []);
  });

  test('10.3 a list is read page by page with the continue token', async (t) => {
    const rig = await startTestSource(t, { pageLimit: 2 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) rig.server.create(configMap(name));
    await rig.start();
    assert.equal(lists(rig).length, 3);
    assert.equal(rig.source().health()[0]?.objects, 5);
  });

  test('10.3 an expired continue token voids the pages so far, and everything is listed in one request', async (t) => {
    const rig = await startTestSource(t, { pageLimit: 2 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) rig.server.create(configMap(name));
    await rig.start();
    rig.server.update(configMap('e', { changed: 'yes' }));
    await rig.changes(1);
    rig.server.fault({ effect: 'errorEvent', status: 410, times: 1, watch: true });
    rig.server.fault({ effect: 'status', status: 410, path: PATH, watch: false, skip: 1, times: 1 });
    await rig.until(() => lists(rig).length >= 6 && rig.source().health()[0]?.state === 'watching', 'the full list');
    assert.deepEqual(
      lists(rig)
        .map(({ query }) => query['limit'])
        .slice(3, 6),
      [500, 500, undefined],
    );
    assert.deepEqual(actions(await rig.changesSoFar()), ['updated e']);
  });

  test('10.3 a change between two pages that show different moments is not lost', async (t) => {
    const rig = await startTestSource(t, { pageLimit: 2 });
    for (const name of ['a', 'b', 'c']) rig.server.create(configMap(name));
    const client = clientOf(rig.server);
    t.after(() => client.close());
    // As from an aggregated API that has no snapshots: each page shows the newest state, and its version.
    const stream: ApiClient['stream'] = (path, query, signal) => {
      const { continue: token } = query;
      if (token === undefined) return client.stream(path, query, signal);
      rig.server.update(configMap('a', { changed: 'between the pages' }));
      const { start } = JSON.parse(Buffer.from(String(token), 'base64url').toString()) as { start: string };
      const newest = Buffer.from(JSON.stringify({ rv: -1, start })).toString('base64url');
      return client.stream(path, { ...query, continue: newest }, signal);
    };
    const request: ApiClient['request'] = (...asked) => client.request(...asked);
    await rig.start({ api: { host: client.host, request, stream, close: () => client.close() } });
    assert.deepEqual(actions(await rig.changes(1)), ['updated a']);
  });

  for (const effect of ['truncate', 'reset'] as const) {
    test(`10.10 a list that breaks on its second page (${effect}) deletes nothing`, async (t) => {
      const rig = await startTestSource(t, { pageLimit: 2 });
      for (const name of ['a', 'b', 'c', 'd', 'e']) rig.server.create(configMap(name));
      await rig.start();
      rig.server.fault({ effect, path: PATH, watch: false, skip: 1, times: 2 });
      rig.server.fault({ effect: 'errorEvent', status: 410, times: 1, watch: true });
      await rig.until(() => lists(rig).length >= 9 && rig.source().health()[0]?.state === 'watching', 'the whole list');
      assert.deepEqual(await rig.changesSoFar(), []);
      assert.equal(rig.source().health()[0]?.problem, undefined);
    });
  }

  test('10.10 a 200 that is not a list is an error, not an empty cluster', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('a'));
    await rig.start();
    const page = { effect: 'contentType', path: PATH, watch: false, times: 1 } as const;
    rig.server.fault({ ...page, contentType: 'text/html', body: '<html>log in</html>' });
    rig.server.fault({ ...page, contentType: 'application/json', body: '{"kind":"Pod","items":[]}' });
    rig.server.fault({ ...page, contentType: 'application/json', body: '[]' });
    rig.server.fault({ effect: 'errorEvent', status: 410, times: 1, watch: true });
    await rig.until(() => lists(rig).length >= 5 && rig.source().health()[0]?.state === 'watching', 'a good list');
    assert.deepEqual(await rig.changesSoFar(), []);
  });

  test('10.10 a relist reports what was added, updated and deleted, marked as inferred', async (t) => {
    const rig = await startTestSource(t);
    for (const name of ['kept', 'updated', 'deleted']) rig.server.create(configMap(name, { a: '1' }));
    await rig.start();
    await rig.server.restart(() => {
      rig.server.update(configMap('updated', { a: '2' }));
      rig.server.delete('ConfigMap', 'deleted', 'shop');
      rig.server.create(configMap('added'));
      rig.server.compact();
    });
    const changes = await rig.changes(3);
    assert.deepEqual(actions(changes).toSorted(), ['added added', 'deleted deleted', 'updated updated']);
    const deleted = changes.find(({ action }) => action === 'deleted');
    assert.deepEqual(deleted?.flags, { whileAway: true, finalStateUnknown: true });
    assert.deepEqual(deleted?.before?.['data'], { a: '1' });
    assert.deepEqual(changes.find(({ action }) => action === 'updated')?.flags, { whileAway: true, compacted: true });
    assert.equal(lists(rig).length, 2);
  });

  test('10.10 another uid under the same name is reported as deleted and added, by a list and by a watch', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('web'));
    await rig.start();
    const recreate = () => {
      rig.server.delete('ConfigMap', 'web', 'shop');
      rig.server.create(configMap('web'));
    };
    recreate();
    assert.deepEqual(actions(await rig.changes(2)), ['deleted web', 'added web']);
    await rig.server.restart(() => {
      recreate();
      rig.server.compact();
    });
    assert.deepEqual(actions(await rig.changes(4)).slice(2), ['deleted web', 'added web']);
  });
});
