import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../../src/change.ts';
import { changeOf } from '../../src/testing/change.ts';
import { problemsOf, testContext } from '../../src/testing/handler.ts';
import { connectedSink } from '../../src/testing/test-sink.ts';
import { withDifference } from '../diff/difference.ts';
import teams from './index.ts';

const configMap = (text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c', namespace: 'shop' },
  data: { text },
});
const updated = withDifference(changeOf({ before: configMap('a'), after: configMap('b') }));

async function sent(t: TestContext, options: object, ...changes: readonly Change[]): Promise<string> {
  const { server, sink } = await connectedSink(
    t,
    teams,
    (webhookURL) => ({ webhookURL, messagesPerSecond: 0, ...options }),
    () => ({ status: 202 }),
  );
  const [first, ...more] = changes;
  assert.ok(first);
  if (more.length === 0) await sink.deliver(first, testContext());
  else await sink.deliverMany?.(changes, testContext());
  return server.requests[0]?.body ?? '';
}

function cardIn(body: string): Readonly<Record<string, unknown>> {
  const { attachments } = JSON.parse(body) as { attachments: { content: Record<string, unknown> }[] };
  assert.ok(attachments[0]);
  return attachments[0].content;
}

describe('teams: links', () => {
  const links = {
    Dashboard: 'https://grafana.example/d/ns?var-namespace={{ change.namespace | url_encode }}',
    None: '{{ event.reason }}',
  };

  test('are buttons below the card, which is otherwise the same', async (t) => {
    const actions = [
      { type: 'Action.OpenUrl', title: 'Dashboard', url: 'https://grafana.example/d/ns?var-namespace=shop' },
    ];
    const plain = cardIn(await sent(t, {}, updated));
    assert.deepEqual(cardIn(await sent(t, { links }, updated)), { ...plain, actions });
    assert.deepEqual(cardIn(await sent(t, { links: { None: links.None } }, updated)), plain);
  });

  test('leave less room for a long change, within 28 KB', async (t) => {
    const text = (version: string) => Array.from({ length: 5_000 }, (_, n) => `key${n} = ${version}\n`).join('');
    const change = withDifference(changeOf({ before: configMap(text('old')), after: configMap(text('new')) }));
    const long = Object.fromEntries(
      Array.from({ length: 5 }, (_, n) => [`L${n}`, `https://logs.example/${'x'.repeat(1_450)}`]),
    );
    const body = await sent(t, { links: long }, change);
    assert.equal((cardIn(body)['actions'] as object[]).length, 5);
    assert.ok(Buffer.byteLength(body) <= 27 * 1024, `${Buffer.byteLength(body)} bytes`);
  });

  test('are not on a card of several changes', async (t) => {
    assert.equal(cardIn(await sent(t, { links }, updated, updated))['actions'], undefined);
  });

  test('a template that yields no URL is terminal', async (t) => {
    await assert.rejects(sent(t, { links: { L: '{{ change.name }}' } }, updated), {
      code: 'TERMINAL',
      message: /^The template of links\.L yields no https:\/\/ or http:\/\/ URL/,
    });
  });

  test('cannot be combined with a layout', () => {
    const webhookURL = 'https://hooks.example/x';
    assert.deepEqual(problemsOf(teams, { webhookURL, links, layout: { text: 'x' } }), [
      'links: cannot be combined with layout: write buttons as actions of the card there',
    ]);
  });
});
