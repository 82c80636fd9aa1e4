import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { startApiServer, type ApiServer, type Fault } from '../api-server.ts';

/** A server with one ConfigMap `a`. */
async function furnishedServer(): Promise<ApiServer> {
  const server = await startApiServer();
  server.create(configMap('a'));
  return server;
}

const configMap = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

const PATH = '/api/v1/configmaps';

/** The types of a watch's lines until it ends, then how it ended: half a line as its text, a break as `broken`. */
async function watched(server: ApiServer, write: () => void, query = ''): Promise<string[]> {
  const seen: string[] = [];
  try {
    const response = await fetch(`${server.url}${PATH}?watch=1${query}`);
    assert(response.body !== null);
    write();
    for await (const line of createInterface({ input: Readable.fromWeb(response.body) })) {
      seen.push(/^{"type":"(\w+)".*}$/.exec(line)?.[1] ?? (line.startsWith('{') ? 'half' : line));
    }
    return [...seen, 'end'];
  } catch {
    return [...seen, 'broken'];
  }
}

describe('ApiServer.fault() on requests', () => {
  test('status honours skip and times, and answers with Retry-After and a Status', async () => {
    await using server = await furnishedServer();
    const fault = server.fault({ path: PATH, effect: 'status', status: 429, retryAfterSeconds: 7, skip: 1, times: 1 });
    const answers: Response[] = [];
    for (let n = 0; n < 3; n++) answers.push(await fetch(server.url + PATH));
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.get('retry-after')]),
      [
        [200, null],
        [429, '7'],
        [200, null],
      ],
    );
    assert.match((await answers[1]?.text()) ?? '', /"reason":"TooManyRequests"/);
    assert.equal(fault.hits, 1);
  });

  test('affects only matching requests, and none after remove()', async () => {
    await using server = await furnishedServer();
    const fault = server.fault({ path: /configmaps$/, watch: false, effect: 'status', status: 500 });
    assert.equal((await fetch(`${server.url}/api/v1/pods`)).status, 200);
    assert.equal((await fetch(server.url + PATH)).status, 500);
    fault.remove();
    assert.equal((await fetch(server.url + PATH)).status, 200);
  });

  test('reset and hang give no answer', async () => {
    await using server = await furnishedServer();
    server.fault({ effect: 'reset', times: 1 });
    await assert.rejects(fetch(server.url));
    const hang = server.fault({ effect: 'hang', times: 1 });
    const controller = new AbortController();
    const answer = fetch(server.url, { signal: controller.signal });
    await server.waitUntil(() => server.requests.length === 2, 'the request has come');
    controller.abort(new Error('gave up'));
    await assert.rejects(answer, /gave up/);
    assert.equal(hang.hits, 1);
  });

  test('truncate sends half of the body, and contentType answers 200 with another type', async () => {
    await using server = await furnishedServer();
    const whole = await (await fetch(server.url + PATH)).text();
    server.fault({ effect: 'truncate', times: 1 });
    assert.equal(await (await fetch(server.url + PATH)).text(), whole.slice(0, whole.length >> 1));
    server.fault({ effect: 'contentType', contentType: 'text/html', body: '<html>' });
    const page = await fetch(server.url + PATH);
    assert.deepEqual([page.status, page.headers.get('content-type'), await page.text()], [200, 'text/html', '<html>']);
  });
});

describe('ApiServer.fault() on watches', () => {
  for (const [effect, expected] of [
    ['resetMidLine', ['ADDED', 'broken']],
    ['endMidLine', ['ADDED', 'half', 'end']],
    ['truncatedChunk', ['ADDED', 'broken']],
    ['badChunkSize', ['ADDED', 'broken']],
    ['end', ['ADDED', 'end']],
  ] as const) {
    test(`${effect} takes effect after the skipped events`, async () => {
      await using server = await furnishedServer();
      const fault = server.fault({ watch: true, effect, skip: 1, times: 1 });
      const seen = await watched(server, () => server.create(configMap('b')));
      // Half a line before a break may or may not have reached the reader.
      assert.deepEqual(
        seen.filter((line) => line !== 'half' || effect === 'endMidLine'),
        expected,
      );
      assert.equal(fault.hits, 1);
    });
  }

  test('end in place of an event sends no bookmark: the event comes in the next watch', async () => {
    await using server = await furnishedServer();
    const query = `&allowWatchBookmarks=true&resourceVersion=${server.resourceVersion}`;
    for (const name of ['b', 'c']) server.create(configMap(name));
    server.fault({ effect: 'end', skip: 1, times: 1 });
    assert.deepEqual(await watched(server, () => {}, query), ['ADDED', 'end']);
  });

  test('errorEvent sends a Status, then ends the watch', async () => {
    await using server = await furnishedServer();
    server.fault({ effect: 'errorEvent', status: 410, skip: 1 });
    assert.deepEqual(await watched(server, () => server.create(configMap('b'))), ['ADDED', 'ERROR', 'end']);
  });

  test('line and duplicate send extra lines', async () => {
    await using server = await furnishedServer();
    const faults: Fault[] = [
      { effect: 'duplicate', times: 1 },
      { effect: 'line', line: 'garbage', skip: 1, times: 1 },
      { effect: 'end', skip: 1, times: 1 },
    ];
    for (const fault of faults) server.fault(fault);
    const seen = await watched(server, () => ['b', 'c'].forEach((name) => server.create(configMap(name))));
    assert.deepEqual(seen, ['ADDED', 'ADDED', 'ADDED', 'garbage', 'end']);
  });

  test('stall silences an open watch, but not the next one', async () => {
    await using server = await furnishedServer();
    const controller = new AbortController();
    const response = await fetch(`${server.url}${PATH}?watch=1`, { signal: controller.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    const stall = server.fault({ watch: true, effect: 'stall', times: 1 });
    assert.equal(stall.hits, 1);
    server.create(configMap('b'));
    const silent = reader?.read();
    server.fault({ effect: 'end', skip: 2, times: 1 });
    assert.deepEqual(await watched(server, () => server.create(configMap('c'))), ['ADDED', 'ADDED', 'end']);
    controller.abort(new Error('heard nothing'));
    await assert.rejects(async () => silent, /heard nothing/);
  });
});
