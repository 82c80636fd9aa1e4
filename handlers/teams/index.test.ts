import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../../src/change.ts';
import type { Json } from '../../src/json.ts';
import { changeOf, type ChangeParts } from '../../src/testing/change.ts';
import { problemsOf, testContext } from '../../src/testing/handler.ts';
import type { ReceiverAnswer } from '../../src/testing/receiver.ts';
import { connectedSink } from '../../src/testing/test-sink.ts';
import { withDifference } from '../diff/difference.ts';
import teams from './index.ts';

function connected(t: TestContext, options: object = {}, answer: ReceiverAnswer = { status: 202, body: '' }) {
  const given = (url: string) => ({
    webhookURL: `${url}/workflows/1/triggers/manual/paths/invoke?sig=c4nary`,
    messagesPerSecond: 0,
    ...options,
  });
  return connectedSink(t, teams, given, () => answer, { clusterName: 'prod-eu' });
}

async function bodyOf(t: TestContext, change: Change, options: object = {}): Promise<string> {
  const { server, sink } = await connected(t, options);
  await sink.deliver(change, testContext());
  const [request, ...others] = server.requests;
  assert.deepEqual(others, []);
  assert.match(request?.headers['content-type'] ?? '', /^application\/json/);
  return request?.body ?? '';
}

const diffed = (parts: ChangeParts) => withDifference(changeOf(parts));

const deployment = (replicas: number, image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { replicas, template: { spec: { containers: [{ name: 'web', image }] } } },
});
const named = (name: string, place: number, replicas: number) => ({
  ...deployment(replicas, 'nginx:1'),
  metadata: { name, namespace: `ns-${place}` },
});
const by: ChangeParts['by'] = [{ manager: 'kubectl-set', operation: 'Update', paths: ['spec.replicas'] }];
const configMap = (text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c', namespace: 'shop' },
  data: { text },
});

/** Every text that a reader sees, in order. */
function textsIn(body: string): string[] {
  const texts: string[] = [];
  JSON.parse(body, (key, value: unknown) => {
    if (key === 'text' && typeof value === 'string') texts.push(value);
    return value;
  });
  return texts;
}

describe('teams', () => {
  test('a 200 with an HTML page, such as a login, fails the delivery', async (t) => {
    const { sink } = await connected(t, {}, { status: 200, body: '\n<html><title>Sign in</title></html>' });
    await assert.rejects(async () => sink.deliver(changeOf({ after: configMap('') }), testContext()), {
      message: /answered 200 with an HTML page, such as a login/,
    });
  });

  test('the body of a rollout is as in golden/teams-updated.json', async (t) => {
    const rollout = diffed({ before: deployment(1, 'nginx:1'), after: deployment(3, 'nginx:2'), by });
    const body = await bodyOf(t, rollout);
    const path = join(import.meta.dirname, '../golden/teams-updated.json');
    t.assert.fileSnapshot(JSON.parse(body), path);
  });

  test('describes a deletion with its flags and the cluster', async (t) => {
    const deleted = changeOf({ before: deployment(1, 'nginx:1'), flags: { whileAway: true } });
    assert.deepEqual(textsIn(await bodyOf(t, deleted, { clusterName: 'eu-2' })), [
      'deployment shop/web deleted',
      'happened while nothing was watching · eu-2',
    ]);
  });

  test('names the sink in whose place it delivers, for one change and for several', async (t) => {
    const { sink, server } = await connected(t, { clusterName: 'eu-2' });
    const deleted = changeOf({ before: named('a', 1, 1) });
    const context = testContext({ insteadOf: 'default/slack' });
    await sink.deliver(deleted, context);
    await sink.deliverMany?.([deleted, deleted], context);
    const [one = '', several = ''] = server.requests.map(({ body }) => body);
    assert.equal(textsIn(one)[1], 'eu-2 · in place of default/slack');
    assert.equal(textsIn(several)[0], '2 changes in eu-2 · in place of default/slack');
  });

  test('a Kubernetes Event is described by type, reason and message', async (t) => {
    const event = {
      ...configMap(''),
      kind: 'Event',
      type: 'Warning',
      reason: 'BackOff',
      message: 'restarting',
      involvedObject: { kind: 'Pod', name: 'web-1' },
    };
    const body = await bodyOf(t, changeOf({ after: event }));
    assert.equal(textsIn(body)[0], 'Warning BackOff pod web-1: restarting');
    assert.match(body, /"color":"Warning"/);
    assert.match(await bodyOf(t, changeOf({ after: { ...event, type: 'Normal' } })), /"color":"Good"/);
  });

  test('the message of an Event that does not fit into the headline stands below it, line by line', async (t) => {
    const message = `mount failed ${'x'.repeat(300)}\nOutput:\n\n  Resource busy\n`;
    const event = { ...configMap(''), kind: 'Event', reason: 'FailedMount', message, count: 2 };
    const by = [{ manager: 'kubelet', operation: 'Update', paths: ['count'] }] as const;
    const change = diffed({ before: { ...event, count: 1 }, after: event, by: [...by] });
    const [headline = '', about, ...lines] = textsIn(await bodyOf(t, change));
    assert.match(headline, /^FailedMount x2: mount failed x+…$/);
    assert.deepEqual(
      [about, lines],
      ['prod-eu', [message.split('\n')[0], 'Output:', '\u00a0\u00a0Resource busy']],
      'nor who wrote it',
    );
  });

  test('text from the cluster is never in a Markdown element, and control characters are escaped', async (t) => {
    const evil = '[safe](https://evil.example) <at>all</at> \u202e\u001b[31m\n**x**';
    const body = await bodyOf(t, diffed({ before: configMap('a\nb'), after: configMap(evil) }));
    assert.doesNotMatch(body, /"TextBlock"|"FactSet"/);
    assert.doesNotMatch(body, /[\p{Cc}\u202e]/u);
    assert.ok(textsIn(body).some((text) => text.includes('[safe](https://evil.example)')));
  });

  test('a diff of YAML keeps its indentation', async (t) => {
    const yaml = (level: string) => `logging:\n  level: ${level}\n  json: true\n`;
    const body = await bodyOf(t, diffed({ before: configMap(yaml('info')), after: configMap(yaml('debug')) }));
    assert.deepEqual(textsIn(body).slice(-4), [
      '\u00a0logging:',
      '-\u00a0\u00a0level: info',
      '+\u00a0\u00a0level: debug',
      '\u00a0\u00a0\u00a0json: true',
    ]);
  });

  test('long lines show where they differ, and a long path does not hide the value', async (t) => {
    const text = (mark: string) => `first\n${'x '.repeat(400)}${mark}`;
    const body = await bodyOf(t, diffed({ before: configMap(text('old')), after: configMap(text('new')) }));
    assert.ok(
      ['-', '+'].every((sign) => textsIn(body).some((line) => line.startsWith(sign) && /x old$|x new$/.test(line))),
    );
    const deep = (value: number) => ({
      ...configMap(''),
      spec: Array.from({ length: 30 }).reduce<Json>((inner) => ({ additionalProperties: inner }), value),
    });
    assert.match(await bodyOf(t, diffed({ before: deep(1), after: deep(2) })), /additionalProperties: 1 -> 2"/);
  });

  test('a huge change is cut to fit into 28 KB, with a note', async (t) => {
    const text = (version: string) =>
      Array.from({ length: 5_000 }, (_, n) => `key${n} = ${version} 😀 "quoted"\n`).join('');
    const body = await bodyOf(t, diffed({ before: configMap(text('old')), after: configMap(text('new')) }));
    const bytes = Buffer.byteLength(body);
    assert.ok(bytes <= 27 * 1024 && bytes > 24 * 1024, String(bytes));
    const shown = textsIn(body).filter((line) => line.startsWith('-key') || line.startsWith('+key')).length;
    assert.equal(textsIn(body).at(-1), `… ${(10_000 - shown).toLocaleString('en')} more lines`);
  });

  for (const [what, changeAt] of [
    ['deletions', (n: number) => changeOf({ before: named(`web-😀-${n}-${'x'.repeat(n % 60)}`, n % 7, 1) })],
    ['updates', (n: number) => changeOf({ before: named(`web-${n}`, n % 7, 1), after: named(`web-${n}`, n % 7, 2) })],
  ] as const) {
    test(`a storm of ${what} makes few cards within 28 KB, and each object is named once`, async (t) => {
      const { sink, server } = await connected(t);
      const changes = Array.from({ length: 2_000 }, (_, n) => withDifference(changeAt(n)));
      for (let left = changes; left.length > 0;) {
        const some = left.slice(0, sink.fits?.(left));
        await sink.deliverMany?.(some, testContext());
        left = left.slice(some.length);
      }
      const cards = server.requests.map(({ body }) => body);
      assert.ok(
        cards.every((body) => Buffer.byteLength(body) <= 27 * 1024),
        'within the limit',
      );
      assert.ok(
        cards.slice(0, -1).every((body) => Buffer.byteLength(body) > 22 * 1024),
        'no room is wasted',
      );
      const names = cards.flatMap((body) => textsIn(body).flatMap((text) => text.match(/web-\S*?(?=[,:]|$)/g) ?? []));
      assert.deepEqual(names.toSorted(), changes.map(({ name }) => name).toSorted());
    });
  }

  test('a digest states the count, the cluster and what happened to each kind; nothing in it is Markdown', async (t) => {
    const { sink, server } = await connected(t, { clusterName: 'eu-2' });
    const away = { flags: { whileAway: true } } as const;
    const changes = [
      changeOf({ before: named('a', 1, 1), ...away }),
      changeOf({ before: named('[b](https://evil.example)', 1, 1), ...away }),
      withDifference(changeOf({ before: named('c', 2, 1), after: named('c', 2, 3), ...away })),
    ];
    await sink.deliverMany?.(changes, testContext());
    const [body = ''] = server.requests.map((request) => request.body);
    assert.deepEqual(textsIn(body), [
      '3 changes in eu-2 while nothing was watching',
      'deployment deleted · ns-1 · 2',
      'a, [b](https://evil.example)',
      'deployment updated · ns-2 · 1',
      'c: replicas 1 -> 3',
    ]);
    assert.doesNotMatch(body, /"TextBlock"|"FactSet"/);
    await sink.deliverMany?.([...changes, changeOf({ before: named('d', 1, 1) })], testContext());
    const heads = textsIn(server.requests[1]?.body ?? '').filter((line) => / · |^4/.test(line));
    assert.deepEqual(heads, [
      '4 changes in eu-2',
      'deployment deleted while nothing was watching · ns-1 · 2',
      'deployment updated while nothing was watching · ns-2 · 1',
      'deployment deleted · ns-1 · 1',
    ]);
  });

  test('a digest names Kubernetes Events by what they say, not by their names', async (t) => {
    const { sink, server } = await connected(t, { clusterName: 'eu-2' });
    const event = (n: number) =>
      changeOf({
        after: {
          ...configMap(''),
          kind: 'Event',
          metadata: { name: `web.17f3${n}`, namespace: 'shop' },
          reason: `R${n}`,
          message: 'm',
        },
      });
    await sink.deliverMany?.([event(1), event(2)], testContext());
    assert.deepEqual(textsIn(server.requests[0]?.body ?? ''), [
      '2 changes in eu-2',
      'event added · shop · 2',
      'R1: m',
      'R2: m',
    ]);
  });

  test('with a layout, changes are delivered one by one', async (t) => {
    const { sink } = await connected(t, { layout: { text: 'x' } });
    assert.ok(!('deliverMany' in sink));
  });

  test('a layout of type AdaptiveCard is the card; any other is the whole body', async (t) => {
    const change = changeOf({ after: deployment(1, 'nginx:1') });
    const card = { type: 'AdaptiveCard', version: '1.4', body: [{ type: 'TextBlock', text: '{{ change.key }}' }] };
    const message = JSON.parse(await bodyOf(t, change, { layout: card })) as { attachments: { content: object }[] };
    assert.deepEqual(message.attachments[0]?.content, { ...card, body: [{ type: 'TextBlock', text: 'shop/web' }] });
    const plain = { summary: 'event', text: '{{ change.name }}' };
    assert.equal(await bodyOf(t, change, { layout: plain }), '{"summary":"event","text":"web"}');
  });

  test('a layout yields no half of a surrogate pair: JSON with one is not valid everywhere', async (t) => {
    const half = changeOf({ after: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '😀'.slice(0, 1) } } });
    assert.equal(await bodyOf(t, half, { layout: { text: '{{ change.name }}' } }), '{"text":"\ufffd"}');
  });

  test('a layout that exceeds the message size is terminal, with both sizes', async (t) => {
    const { sink, server } = await connected(t, { layout: { text: '{{ change.after.data.text }}' } });
    await assert.rejects(sink.deliver(changeOf({ after: configMap('x'.repeat(30_000)) }), testContext()), {
      code: 'TERMINAL',
      message: /a message of 300\d\d bytes, and Teams accepts 27648: shorten it/,
    });
    assert.equal(server.requests.length, 0);
  });

  const said = (status: number) =>
    `Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error ${status} with ContextId c=1`;
  for (const [what, answer, code] of [
    ['202', { status: 202, body: '' }, 'delivered'],
    ['200 and 1', { status: 200, body: '1' }, 'delivered'],
    ['200 with HTTP error 429 in it', { body: said(429) }, 'DEFER'],
    ['200 with HTTP error 413 in it', { body: said(413) }, 'TERMINAL'],
    ['200 with HTTP error 502 in it', { body: said(502) }, undefined],
    ['200 with HTTP error 408 in it', { body: said(408) }, undefined],
    ['429', { status: 429 }, 'DEFER'],
    ['413', { status: 413 }, 'TERMINAL'],
    ['500', { status: 500 }, undefined],
  ] as const) {
    test(`an answer of ${what} is ${code ?? 'a failed attempt'}`, async (t) => {
      const { sink } = await connected(t, {}, answer);
      const outcome = await sink.deliver(changeOf({ after: configMap('') }), testContext()).then(
        () => 'delivered',
        (thrown: Error & { code?: string }) => {
          assert.doesNotMatch(thrown.message, /c4nary|workflows/);
          return thrown.code;
        },
      );
      assert.equal(outcome, code);
    });
  }

  for (const [status, sixth] of [
    [410, 'DEFER'],
    [413, 'TERMINAL'],
  ] as const) {
    test(`HTTP error ${status} in five 200s ${sixth === 'DEFER' ? 'defers the next delivery' : 'does not defer the next delivery'}`, async (t) => {
      const { sink } = await connected(t, {}, { body: said(status) });
      const change = changeOf({ after: configMap('') });
      const tell = async () => sink.deliver(change, testContext());
      for (let n = 0; n < 5; n++) await assert.rejects(tell, { code: 'TERMINAL' });
      await assert.rejects(tell, { code: sixth });
    });
  }

  test('refuses an invalid URL, and a layout with a mistake, at the start', () => {
    assert.match(problemsOf(teams, { webhookURL: 'x' }).join(), /^webhookURL: must be the https/);
    const layout = { body: [{ text: '{{ event.reasn }}' }] };
    assert.match(
      problemsOf(teams, { webhookURL: 'https://x', layout }).join(),
      /^layout\.body\.0\.text: .*unknown name "event.reasn"/,
    );
  });
});
