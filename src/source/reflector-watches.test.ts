/** The watches of a reflector, each test under its number in the list of what it must do (`10.x`), through the source's public interface. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer } from '../testing/api-server.ts';
import { actions, clientOf, configMap, lists, startTestSource, watches } from '../testing/test-source.ts';

describe('watches', () => {
  test('10.5 a bookmark moves the cursor without a change, and the next process resumes from it', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    rig.server.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'elsewhere', namespace: 'shop' } });
    rig.server.bookmark();
    const newest = rig.server.putAll([]);
    await rig.until(async () => (await rig.store.scopes())[0]?.cursor === newest, 'the cursor');
    assert.deepEqual(await rig.store.history({ limit: 1 }), []);
    await rig.stop();
    await rig.start();
    assert.equal(watches(rig).at(-1)?.query['resourceVersion'], newest);
    assert.equal(lists(rig).length, 1);
  });

  test('10.6 each watch asks for a timeout of 5 to 10 minutes', async (t) => {
    const rig = await startTestSource(t);
    for (const random of [0, 0.999]) {
      await rig.start({ random: () => random });
      await rig.stop();
    }
    assert.deepEqual(
      watches(rig).map(({ query }) => query['timeoutSeconds']),
      [300, 600],
    );
  });

  for (const [name, fault] of [
    ['429 with Retry-After', { effect: 'status', status: 429, retryAfterSeconds: 7 }],
    ['500', { effect: 'status', status: 500 }],
    ['503', { effect: 'status', status: 503 }],
    ['a reset before the answer', { effect: 'reset' }],
  ] as const) {
    test(`10.7 ${name} on watch: backs off and re-watches the same version without a relist`, async (t) => {
      const rig = await startTestSource(t);
      await rig.start();
      rig.server.create(configMap('a'));
      await rig.changes(1);
      rig.server.fault({ ...fault, watch: true, times: 2 });
      rig.server.fault({ effect: 'end', watch: true, times: 1 });
      await rig.until(() => watches(rig).length >= 4, 'the fourth watch');
      const [, second, third, fourth] = watches(rig);
      assert.equal(second?.query['resourceVersion'], third?.query['resourceVersion']);
      assert.equal(third?.query['resourceVersion'], fourth?.query['resourceVersion']);
      const waits = [(third?.atMs ?? 0) - (second?.atMs ?? 0), (fourth?.atMs ?? 0) - (third?.atMs ?? 0)];
      const [least, next] = fault.effect === 'status' && fault.status === 429 ? [7_000, 7_000] : [400, 800];
      assert.ok(waits[0]! >= least && waits[1]! >= next, `waited ${waits.join(' and ')} ms`);
      assert.equal(lists(rig).length, 1);
      rig.server.create(configMap('b'));
      assert.deepEqual(actions(await rig.changes(2)), ['added a', 'added b']);
    });
  }

  for (const effect of ['resetMidLine', 'endMidLine', 'truncatedChunk', 'badChunkSize', 'end', 'duplicate'] as const) {
    test(`10.7 a stream with ${effect}: resumes from the cursor, one change per event, without a relist`, async (t) => {
      const rig = await startTestSource(t);
      await rig.start();
      rig.server.create(configMap('a'));
      await rig.changes(1);
      const fault = rig.server.fault({ effect, watch: true, times: 1 });
      rig.server.create(configMap('b'));
      rig.server.create(configMap('c'));
      assert.deepEqual(actions(await rig.changes(3)), ['added a', 'added b', 'added c']);
      assert.equal(fault.hits, 1);
      assert.equal(lists(rig).length, 1);
      assert.equal((await rig.changesSoFar()).length, 3);
    });
  }

  for (const [name, fault] of [
    ['as HTTP status', { effect: 'status', status: 410 }],
    ['as ERROR event', { effect: 'errorEvent', status: 410, reason: 'Expired' }],
  ] as const) {
    test(`10.7 410 ${name}: relists without reporting known objects`, async (t) => {
      const rig = await startTestSource(t);
      for (const name of ['a', 'b']) rig.server.create(configMap(name));
      await rig.start();
      rig.server.fault({ ...fault, watch: true, times: 1 });
      rig.server.fault({ effect: 'end', watch: true, times: 1 });
      await rig.until(() => lists(rig).length === 2 && rig.source().health()[0]?.state === 'watching', 'the relist');
      assert.deepEqual(await rig.changesSoFar(), []);
    });
  }

  test('10.7 410 soon after a list: waits as after a first failure, even if the server was away before', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    rig.server.fault({ effect: 'reset', watch: true, times: 6 });
    rig.server.fault({ effect: 'end', watch: true, times: 1 });
    await rig.until(() => watches(rig).length === 8, 'the watch after the restart');
    for (let listed = 2; listed <= 4; listed++) {
      rig.server.fault({ effect: 'errorEvent', status: 410, reason: 'Expired', watch: true, times: 1 });
      await rig.until(() => lists(rig).length === listed, 'the relist');
    }
    const expired = rig.logged.filter(({ message }) =>
      message.startsWith('The resourceVersion to watch from has expired'),
    );
    assert.deepEqual(
      expired.map(({ waitMs }) => waitMs),
      [0, 400, 800],
    );
  });

  test('10.7 an ERROR event 500: backs off and re-watches without a relist', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    rig.server.fault({ effect: 'errorEvent', status: 500, reason: 'InternalError', watch: true, times: 1 });
    await rig.until(() => watches(rig).length === 2, 'the second watch');
    rig.server.create(configMap('a'));
    assert.deepEqual(actions(await rig.changes(1)), ['added a']);
    assert.equal(lists(rig).length, 1);
  });

  test('10.7 what came just before an ERROR event is stored at once, even if no further watch opens', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    const object = configMap('a', {}, { uid: 'u', resourceVersion: String(rig.server.resourceVersion) });
    const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 500, reason: 'InternalError' };
    const events = [
      { type: 'ADDED', object },
      { type: 'ERROR', object: status },
    ];
    const line = events.map((event) => JSON.stringify(event)).join('\n');
    rig.server.fault({ effect: 'line', line, watch: true, times: 1 });
    rig.server.fault({ effect: 'status', status: 503, watch: true });
    rig.server.create(configMap('b'));
    await rig.until(() => watches(rig).length === 2, 'the second watch');
    const began = rig.clock.monotonic();
    assert.deepEqual(actions(await rig.changes(1)), ['added a']);
    assert.ok(rig.clock.monotonic() - began < 1_000);
  });

  for (const [what, fault] of [
    ['an ERROR event 500 at the same place', { effect: 'errorEvent', status: 500, reason: 'InternalError' }],
    ['a resourceVersion refused with 400', { effect: 'status', status: 400, reason: 'BadRequest' }],
    ['a resourceVersion refused with 422', { effect: 'status', status: 422, reason: 'Invalid' }],
  ] as const) {
    test(`10.7 ${what}: lists after the third time, and reports what changed meanwhile`, async (t) => {
      const rig = await startTestSource(t);
      rig.server.create(configMap('a', { n: '1' }));
      await rig.start();
      rig.server.fault({ ...fault, watch: true, times: 4 });
      if (fault.effect === 'status') rig.server.fault({ effect: 'end', watch: true, times: 1 });
      rig.server.update(configMap('a', { n: '2' }));
      assert.deepEqual(actions(await rig.changes(1)), ['updated a']);
      assert.equal(lists(rig).length, 2);
    });
  }

  test('10.7 a watch that repeatedly ends at once without an event is retried with backoff', async (t) => {
    const rig = await startTestSource(t);
    rig.server.fault({ effect: 'end', watch: true, times: 5 });
    await rig.start({ settle: false });
    await rig.until(() => watches(rig).length === 6, 'six watches');
    const at = watches(rig).map(({ atMs }) => atMs);
    const waits = at.slice(1).map((ms, i) => ms - (at[i] ?? 0));
    assert.ok(
      waits.every((ms, i) => ms >= 400 * 2 ** i),
      `waited ${waits.join(', ')} ms`,
    );
    assert.equal(lists(rig).length, 1);
  });

  test('10.7 a version unknown to the server: waits, and lists after the third time', async (t) => {
    const rig = await startTestSource(t);
    for (const current of [5, 6, 7]) {
      const message = `Too large resource version: 999, current: ${current}`;
      rig.server.fault({ effect: 'status', status: 504, reason: 'Timeout', message, watch: true, times: 1 });
    }
    await rig.start({ settle: false });
    await rig.until(() => watches(rig).length === 4, 'the watch after the list');
    assert.deepEqual(
      rig.streamRequests.map(({ watch }) => (watch ? 'watch' : 'list')),
      ['list', 'watch', 'watch', 'watch', 'list', 'watch'],
    );
  });

  const named =
    '"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"shop","uid":"u","resourceVersion":"9"}';
  for (const [what, line] of [
    ['the whole line', '{"type":"MODIFIED","object":{broken'],
    ['inside an object with ignored status', `{"type":"MODIFIED","object":{${named},"data":{"a":[},"status":{"a":1}}}`],
  ] as const) {
    test(`10.7 garbage, ${what}: re-watches from the cursor, and lists after the third time`, async (t) => {
      const rig = await startTestSource(t);
      await rig.start({ requests: [{ interest: { except: ['status'] } }] });
      rig.server.create(configMap('a'));
      await rig.changes(1);
      rig.server.fault({ effect: 'line', line, watch: true, times: 3 });
      await rig.until(() => lists(rig).length === 2, 'the list');
      assert.equal(watches(rig).length, 3);
      const reasons = await rig.metrics.relists.get();
      assert.ok(reasons.values.some(({ labels }) => labels['reason'] === 'garbage'));
      rig.server.create(configMap('b'));
      assert.deepEqual(actions(await rig.changes(2)), ['added a', 'added b']);
    });
  }

  test('10.7 a quiet kind without bookmarks is not degraded by watches that break now and then', async (t) => {
    const rig = await startTestSource(t);
    const api = clientOf(rig.server);
    t.after(() => api.close());
    const stream: typeof api.stream = (path, query, signal) =>
      api.stream(path, { ...query, allowWatchBookmarks: undefined }, signal);
    await rig.start({ api: { host: api.host, stream, request: api.request.bind(api), close: api.close.bind(api) } });
    const begun = () => rig.server.requests.filter(({ query }) => query.has('watch')).length;
    for (let n = 1; n <= 3; n++) {
      rig.server.fault({ effect: 'status', status: 500, watch: true, times: 1 });
      await rig.clock.advance(300_000);
      rig.server.fault({ effect: 'end', watch: true, times: 1 });
      await rig.until(() => begun() === 1 + 2 * n, 'the watch after the broken one');
    }
    assert.deepEqual(
      rig.logged.filter(({ level }) => level === 'warn').map(({ message }) => message),
      [],
    );
  });

  test('10.7 a forbidden kind is degraded and named while the other goes on, and recovers by itself', async (t) => {
    const rig = await startTestSource(t);
    rig.server.allow(({ resource }) => resource !== 'secrets');
    await rig.start({ requests: [{}, { kind: 'secret' }] });
    const [configMaps, secrets] = rig.source().health();
    assert.equal(configMaps?.state, 'watching');
    assert.equal(secrets?.state, 'degraded');
    assert.match(
      secrets?.problem ?? '',
      /^Cannot list v1\/secrets in all namespaces on 127\.0\.0\.1:\d+: 403 Forbidden: /,
    );
    rig.server.allow(() => true);
    await rig.until(() => rig.source().health()[1]?.state === 'watching', 'recovery');
    assert.equal(rig.source().health()[1]?.problem, undefined);
  });

  test('10.9 a half-open connection is detected by its silence and replaced, without a relist', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    rig.server.bookmark();
    await rig.until(async () => (await rig.metrics.watchEvents.get()).values.length > 0, 'the bookmark');
    const silentFrom = rig.clock.monotonic();
    const stalled = rig.server.fault({ effect: 'stall', watch: true, times: 1 });
    rig.server.create(configMap('a'));
    await rig.until(() => stalled.hits === 1, 'the stall');
    await rig.clock.advance(89_000);
    assert.equal(watches(rig).length, 1);
    assert.deepEqual(actions(await rig.changes(1)), ['added a']);
    const [, again] = watches(rig);
    assert.ok((again?.atMs ?? 0) - silentFrom <= 92_000, `after ${(again?.atMs ?? 0) - silentFrom} ms`);
    assert.equal(lists(rig).length, 1);
  });

  test('10.9 bookmarks alone keep a quiet watch open for 10 minutes', async (t) => {
    const rig = await startTestSource(t);
    await rig.start({ random: () => 0.999 });
    const bookmarks = async () =>
      (await rig.metrics.watchEvents.get()).values.reduce((sum, { value }) => sum + value, 0);
    for (let minute = 1; minute <= 10; minute++) {
      await rig.clock.advance(58_000);
      rig.server.bookmark();
      await rig.until(async () => (await bookmarks()) === minute, `bookmark ${minute}`);
    }
    assert.equal(watches(rig).length, 1);
  });

  test('10.9 with a silence limit of 60 s, watches last at most 45 s and a half-open one is replaced within 60 s', async (t) => {
    const rig = await startTestSource(t);
    await rig.start({ maxSilenceMs: 60_000, random: () => 0.999 });
    assert.equal(watches(rig)[0]?.query['timeoutSeconds'], 45);
    rig.server.bookmark();
    await rig.until(async () => (await rig.metrics.watchEvents.get()).values.length > 0, 'the bookmark');
    const stalled = rig.server.fault({ effect: 'stall', watch: true, times: 1 });
    rig.server.create(configMap('a'));
    await rig.until(() => stalled.hits === 1, 'the stall');
    const restarts = async () => (await rig.metrics.watchRestarts.get()).values.map(({ labels }) => labels.reason);
    await rig.clock.advance(58_000);
    assert.deepEqual(await restarts(), []);
    await rig.clock.advance(2_000);
    assert.deepEqual(await restarts(), ['stalled']);
    assert.deepEqual(actions(await rig.changes(1)), ['added a']);
    assert.equal(lists(rig).length, 1);
  });

  test('10.9 a server restored from a backup is detected by its silence, added up over short watches', async (t) => {
    const rig = await startTestSource(t);
    await rig.start({ maxSilenceMs: 60_000 });
    for (let n = 0; n < 3; n++) rig.server.create(configMap(`c-${n}`));
    await rig.changes(3);
    rig.server.bookmark();
    const bookmarks = async () =>
      (await rig.metrics.watchEvents.get()).values.some(({ labels }) => labels.type === 'BOOKMARK');
    await rig.until(bookmarks, 'the bookmark');
    await rig.server.close();
    const restored = await startApiServer({ port: Number(new URL(rig.server.url).port) });
    t.after(() => restored.close());
    for (let ended = 0; ended < 8; ended++) {
      await rig.until(() => restored.requests.filter(({ query }) => query.has('watch')).length > ended, 'a watch');
      assert.equal(lists(rig).length, 1, `after ${ended} watches`);
      await rig.clock.advance(40_000);
      restored.fault({ effect: 'end', watch: true, times: 1 });
    }
    await rig.until(() => lists(rig).length === 2, 'the list');
    assert.deepEqual(actions((await rig.changes(6)).slice(3)), ['deleted c-0', 'deleted c-1', 'deleted c-2']);
  });

  test('10.9 a server restored from a backup while we were stopped is detected by its silence, and listed once', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    for (let n = 0; n < 3; n++) rig.server.create(configMap(`c-${n}`));
    await rig.changes(3);
    await rig.stop();
    await rig.server.close();
    const restored = await startApiServer({ port: Number(new URL(rig.server.url).port) });
    t.after(() => restored.close());
    await rig.start();
    for (let ended = 0; ended < 3; ended++) {
      await rig.until(() => restored.requests.filter(({ query }) => query.has('watch')).length > ended, 'a watch');
      await rig.clock.advance(300_000);
      restored.fault({ effect: 'end', watch: true, times: 1 });
    }
    assert.deepEqual(actions((await rig.changes(6)).slice(3)), ['deleted c-0', 'deleted c-1', 'deleted c-2']);
    assert.equal(lists(rig).length, 2, 'a server that sends no bookmarks is listed once');
  });

  test('10.17 selectors apply to list and watch alike, and a deletion is marked as leftScope', async (t) => {
    const rig = await startTestSource(t);
    rig.server.create(configMap('mine', {}, { labels: { team: 'a' } }));
    rig.server.create(configMap('other', {}, { labels: { team: 'b' } }));
    const selectors = { labelSelector: 'team=a', fieldSelector: 'metadata.namespace=shop' };
    await rig.start({ requests: [{ ...selectors, namespace: 'shop' }] });
    for (const { query, path } of rig.streamRequests) {
      assert.partialDeepStrictEqual(query, selectors);
      assert.equal(path, '/api/v1/namespaces/shop/configmaps');
    }
    rig.server.update(configMap('mine', {}, { labels: { team: 'b' } }));
    const [change] = await rig.changes(1);
    assert.equal(change?.action, 'deleted');
    assert.deepEqual(change?.flags, { leftScope: true });
  });

  test('10.17 an object of another kind, or without a name, is dropped and counted, and delays nothing', async (t) => {
    const rig = await startTestSource(t);
    await rig.start();
    const stranger = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'shop', uid: 'u', resourceVersion: '1' },
    };
    const nameless = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { uid: 'u', resourceVersion: '1' } };
    for (const object of [stranger, nameless, { ...nameless, metadata: [] }]) {
      rig.server.fault({ effect: 'line', line: JSON.stringify({ type: 'ADDED', object }), watch: true, times: 1 });
    }
    rig.server.create(configMap('a'));
    assert.deepEqual(actions(await rig.changes(1)), ['added a']);
    const { values } = await rig.metrics.malformed.get();
    assert.equal(values[0]?.value, 3);
    const warnings = rig.logged.filter(({ level }) => level === 'warn');
    assert.deepEqual(
      warnings.map(({ problem }) => problem),
      ['it is of another kind', 'it has no metadata.name'],
    );
    assert.equal(watches(rig).length, 1);
  });
});
