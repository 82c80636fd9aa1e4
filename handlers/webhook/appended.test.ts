import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changeOf } from '../../src/testing/change.ts';
import { testContext } from '../../src/testing/handler.ts';
import { connected, deployment, event, failureOf, KEY, requestOf, scaled } from '../../src/testing/test-webhook.ts';

const noted = (note: string) => changeOf({ after: deployment(1, { annotations: { note } }) });
const NOTE = '{{ change.object.metadata.annotations.note }}';

describe('webhook: path and query', () => {
  test('are appended to those of the URL, each value percent-encoded', async (t) => {
    const { method, path } = await requestOf(t, {
      method: 'PUT',
      path: [' {{ change.key }} ', 'close'],
      query: { identifierType: 'alias', 'the source': 'a&b {{ change.cluster }}', none: '{{ event.reason }}' },
    });
    assert.equal(
      `${method} ${path}`,
      'PUT /hook/shop%2Fweb/close?x=1&identifierType=alias&the%20source=a%26b%20test',
      'what yields nothing is left out of the query',
    );
  });

  for (const [note, problem] of [
    ['', 'is empty'],
    [' \n', 'is empty'],
    ['..', 'is "." or "..", or has one of them between slashes'],
    ['.', 'is "." or "..", or has one of them between slashes'],
    ['shop/../admin', 'is "." or "..", or has one of them between slashes'],
    ['..\\admin', 'is "." or "..", or has one of them between slashes'],
  ] as const) {
    test(`a segment that yields ${JSON.stringify(note)} is terminal, and nothing is sent`, async (t) => {
      const failure = await failureOf(t, { path: ['x', NOTE] }, noted(note));
      assert.deepEqual([failure.requests, failure.code], [0, 'TERMINAL']);
      const wanted = `The template of path[1] yields a segment that ${problem}: halt such changes with match, or set a default`;
      assert.equal(failure.message, wanted);
    });
  }

  test('a name cannot leave its segment', async (t) => {
    for (const [note, segment] of [
      ['a/b?c#d', 'a%2Fb%3Fc%23d'],
      ['%2e%2e', '%252e%252e'],
      ['@evil.example\r\nHost: x', '%40evil.example%0D%0AHost%3A%20x'],
      ['...', '...'],
    ] as const)
      assert.equal((await requestOf(t, { path: [NOTE] }, noted(note))).path, `/hook/${segment}?x=1`);
  });

  test('the rest of the request is as without them', async (t) => {
    const options = { cloudEvents: 'binary', secret: 'A'.repeat(32), headers: { 'X-A': '{{ change.name }}' } };
    const [plain, appended] = [
      await requestOf(t, options),
      await requestOf(t, { ...options, path: ['{{ change.name }}'] }),
    ];
    // Each request has a receiver with a port of its own.
    const comparable = (headers: object): object =>
      Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'host'));
    assert.equal(appended.path, '/hook/web?x=1');
    assert.equal(appended.headers['idempotency-key'], KEY);
    assert.deepEqual(comparable(appended.headers), comparable(plain.headers));
    assert.equal(appended.body, plain.body);
  });

  test('may be fixed texts in a batch', async (t) => {
    const { server, sink } = await connected(t, { batch: true, path: ['bulk'], query: { a: '1' } });
    await sink.deliverMany?.([scaled, scaled], testContext());
    assert.equal(server.requests[0]?.path, '/hook/bulk?x=1&a=1');
  });

  test('are shown by a preview, which does not show the URL', async (t) => {
    const { sink } = await connected(t, { path: ['{{ change.name }}'], query: { a: '1' }, body: 'text' });
    assert.equal(await sink.preview?.(scaled, testContext()), 'POST …/web?a=1 text');
  });
});

describe('webhook: a path with a value in it', () => {
  const options = { path: ['{{ change.name }}'], query: { message: '{{ event.message }}' } };
  const named = event('a-private-message');

  test('is in no error that quotes the answer', async (t) => {
    const body = 'no route for POST /hook/web-1.17a?x=1&message=a-private-message (a-private-message)';
    for (const more of [{}, { accepted: '^ok$' }])
      for (const status of [200, 400, 500]) {
        if (status === 200 && !('accepted' in more)) continue;
        const { message } = await failureOf(t, { ...options, ...more }, named, { status, body });
        assert.match(message, /\*\*\*/);
        assert.doesNotMatch(message, /web-1\.17a|private/);
      }
  });

  test('is in no error of a verdict', async (t) => {
    const body = JSON.stringify({ error: 'cannot judge a-private-message' });
    const { message } = await failureOf(t, { ...options, verdict: true }, named, { body });
    assert.match(message, /cannot judge \*\*\*/);
  });

  test('does not change whether the answer is accepted', async (t) => {
    const { sink, server } = await connected(
      t,
      { path: [NOTE], accepted: '"processed"' },
      { body: '{"is":"processed"}' },
    );
    await sink.deliver(noted('processed'), testContext());
    assert.equal(server.requests.length, 1);
  });

  test('leads to the same receiver, with one rate', async (t) => {
    const { sink, server } = await connected(t, { path: [NOTE], messagesPerSecond: 1 });
    await sink.deliver(noted('one'), testContext({ idempotencyKey: 'one' }));
    const other = async () => sink.deliver(noted('other'), testContext({ idempotencyKey: 'other' }));
    await assert.rejects(other, { code: 'WAIT' });
    assert.equal(server.requests.length, 1);
  });

  for (const [what, path, status, sixth] of [
    ['404s of a path with values do not defer', [NOTE], 404, 'TERMINAL'],
    ['500s of paths with different values defer', [NOTE], 500, 'DEFER'],
    ['404s of a fixed path defer', ['close'], 404, 'DEFER'],
  ] as const) {
    test(`five ${what} the next delivery`, async (t) => {
      const { sink } = await connected(t, { path }, { status });
      const tell = (n: number) => sink.deliver(noted(`n${n}`), testContext({ idempotencyKey: `k${n}` }));
      for (let n = 0; n < 5; n++) await assert.rejects(tell(n));
      await assert.rejects(tell(5), { code: sixth });
    });
  }
});
