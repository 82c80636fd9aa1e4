import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../../src/change.ts';
import { changeOf } from '../../src/testing/change.ts';
import { testContext } from '../../src/testing/handler.ts';
import { connected, deployment, event, failureOf, KEY, requestOf, scaled } from '../../src/testing/test-webhook.ts';

describe('webhook: CloudEvents', () => {
  const subject = '/apis/apps/v1/namespaces/shop/deployments/web';

  test('structured: one document, the body as data', async (t) => {
    const { headers, body } = await requestOf(t, {
      cloudEvents: 'structured',
      layout: { n: '{{ change.after.spec.replicas }}' },
    });
    assert.equal(headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    const { id, ...rest } = JSON.parse(body) as Record<string, unknown>;
    assert.match(String(id), /^msg_[\w-]{43}$/);
    assert.deepEqual(rest, {
      specversion: '1.0',
      source: '/clusters/test',
      type: 'io.github.watchchain.change.updated',
      subject,
      time: '2026-11-20T23:42:03.000Z',
      datacontenttype: 'application/json',
      data: { n: 3 },
    });
  });

  for (const batch of [false, true]) {
    test(`structured: the envelope counts towards maxBodyBytes${batch ? ', in a batch too' : ''}`, async (t) => {
      const annotations = { long: 'x'.repeat(300) };
      const change = changeOf({ before: deployment(1), after: deployment(3, { annotations }) });
      const { body } = await requestOf(t, { cloudEvents: 'structured', maxBodyBytes: 1_100, batch }, change);
      assert.ok(Buffer.byteLength(body) <= 1_100, `${Buffer.byteLength(body)} bytes`);
      assert.match(body, /"omitted":\["before","after"\]/);
    });
  }

  test('structured: a text that exceeds maxBodyBytes within its envelope is terminal', async (t) => {
    const options = { cloudEvents: 'structured', maxBodyBytes: 1_024, body: '{{ event.message }}' };
    const failure = await failureOf(t, options, event('"'.repeat(900)));
    assert.deepEqual([failure.requests, failure.code], [0, 'TERMINAL']);
    assert.match(failure.message, /^The body has 2\d{3} bytes, more than maxBodyBytes \(1024\)/);
  });

  test('structured: a text is data as a string', async (t) => {
    const { body } = await requestOf(t, { cloudEvents: 'structured', body: 'a "text"' });
    const { data, datacontenttype } = JSON.parse(body) as Record<string, unknown>;
    assert.deepEqual([data, datacontenttype], ['a "text"', 'text/plain; charset=utf-8']);
  });

  test('binary: attributes as headers, percent-encoded; the body as it is', async (t) => {
    const change = { ...scaled, cluster: { id: 'c', name: 'größe "1"' }, name: 'a%b c' };
    const { headers, body } = await requestOf(t, { cloudEvents: 'binary', layout: { n: 1 } }, change);
    assert.equal(body, '{"n":1}');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['ce-specversion'], '1.0');
    assert.equal(headers['ce-source'], '/clusters/gr%25C3%25B6%25C3%259Fe%2520%25221%2522');
    assert.equal(headers['ce-subject'], '/apis/apps/v1/namespaces/shop/deployments/a%25b%20c');
  });

  test('the id is the same for each attempt, and differs for another change', async (t) => {
    const { server, sink } = await connected(t, { cloudEvents: 'binary' });
    for (const idempotencyKey of ['k1', 'k1', 'k2']) await sink.deliver(scaled, testContext({ idempotencyKey }));
    const [first, again, other] = server.requests.map(({ headers }) => headers['ce-id']);
    assert.equal(first, again);
    assert.notEqual(first, other);
  });
});

describe('webhook: batches', () => {
  const named = (name: string, extra: object = {}) =>
    changeOf({ after: { apiVersion: 'v1', kind: 'Pod', metadata: { name, ...extra } } });

  async function batchOf(t: TestContext, options: object) {
    const { server, sink } = await connected(t, { batch: true, ...options });
    return {
      server,
      sink,
      fits: (changes: readonly Change[]) => sink.fits?.(changes) ?? assert.fail('it takes no batches'),
      tell: (...changes: readonly Change[]) =>
        sink.deliverMany?.(changes, testContext({ idempotencyKey: KEY })) ?? assert.fail('it takes no batches'),
    };
  }

  test('are one JSON list in one request, and one change is a list of one', async (t) => {
    const { server, sink, tell } = await batchOf(t, { layout: { name: '{{ change.name }}' } });
    await tell(named('a'), named('b'));
    await sink.deliver(named('c'), testContext());
    const [both, one] = server.requests;
    assert.equal(both?.headers['content-type'], 'application/json');
    assert.equal(both?.headers['idempotency-key'], KEY);
    assert.deepEqual([both?.body, one?.body], ['[{"name":"a"},{"name":"b"}]', '[{"name":"c"}]']);
  });

  test('of CloudEvents have the batch format, each event under its own id', async (t) => {
    const { server, sink, tell } = await batchOf(t, {
      cloudEvents: 'structured',
      layout: { name: '{{ change.name }}' },
    });
    await tell(named('a', { uid: 'a' }), named('b', { uid: 'b' }));
    await sink.deliver(named('a', { uid: 'a' }), testContext());
    const [both, again] = server.requests;
    assert.equal(both?.headers['content-type'], 'application/cloudevents-batch+json; charset=utf-8');
    const ids = [both, again].map(({ body = '' } = assert.fail()) =>
      (JSON.parse(body) as { id: string }[]).map(({ id }) => id),
    );
    assert.equal(ids[0]?.length, 2);
    assert.deepEqual(ids[1], [ids[0]?.[0]]);
    assert.notEqual(ids[0]?.[0], ids[0]?.[1]);
  });

  test('hold the changes that fit into maxBodyBytes; one that cannot be rendered is a batch of its own', async (t) => {
    const annotations = { long: 'x'.repeat(400) };
    const layout = {
      name: '{{ change.name }}',
      long: '{{ change.object.metadata.annotations.long }}',
      odd: "{% if change.name == 'bad' %}{{ change.name | append }}{% endif %}",
    };
    const { server, fits, tell } = await batchOf(t, { layout, maxBodyBytes: 1_024 });
    const long = ['a', 'b', 'c'].map((name) => named(name, { annotations }));
    assert.equal(fits(long), 2);
    await tell(...long.slice(0, 2));
    assert.ok(Buffer.byteLength(server.requests[0]?.body ?? '') <= 1_024);
    assert.equal(fits([named('a'), named('bad'), named('c')]), 1);
    assert.equal(fits([named('bad'), named('c')]), 1);
    assert.equal(fits([named('a'), named('b')]), 2);
  });
});
