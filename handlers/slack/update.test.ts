import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { agingMemory, context, upgrade, workspace } from '../../src/testing/test-slack.ts';

describe('slack update', () => {
  const UPDATE = { message: '{{ event.reason }}', update: '{{ event.involvedObject.name }}' };

  test('rewrites the message of its key, across restarts, and clears its attachments', async (t) => {
    const { bot, calls } = await workspace(t);
    await bot(UPDATE).deliver(upgrade('a'), context());
    await bot(UPDATE).deliver(upgrade('b'), context());
    await bot(UPDATE).deliver(upgrade('c', 'c2'), context());
    const [first, second, third] = calls();
    assert.equal(first?.method, 'chat.postMessage');
    assert.equal(second?.method, 'chat.update');
    assert.deepEqual(second.body, { channel: 'C1', ts: '170000001.0', text: 'b', attachments: [] });
    assert.equal(third?.method, 'chat.postMessage');
  });

  test('rewrites a message for as long as its changes are at most 30 days apart', async (t) => {
    const { aging, passDays } = agingMemory();
    const { bot, calls } = await workspace(t, undefined, aging);
    for (const days of [0, 20, 20, 31]) {
      passDays(days);
      await bot(UPDATE).deliver(upgrade('a'), context());
    }
    assert.deepEqual(
      calls().map(({ method }) => method),
      ['chat.postMessage', 'chat.update', 'chat.update', 'chat.postMessage'],
    );
  });

  test('cuts the text at what Slack takes when a message is rewritten: 4,000 bytes, escaped', async (t) => {
    const { bot, calls } = await workspace(t);
    const sink = bot({ ...UPDATE, message: '{{ event.message }}', links: { Runbook: 'https://wiki.example/runbook' } });
    for (const text of ['ä'.repeat(3_000), '<'.repeat(3_000), `<!here> ${'x'.repeat(5_000)}`, 'short'])
      await sink.deliver(upgrade('a', 'c1', text), context());
    const texts = calls().map(({ body }) => String(body['text']));
    assert.deepEqual(
      texts.map((text) => Buffer.byteLength(text) <= 4_000),
      [true, true, true, true],
    );
    assert.match(texts[0] ?? '', /^ä{1400,}… 1,[\d]{3} more characters\n<https:/);
    assert.match(texts[1] ?? '', /^(?:&lt;){700,}… 2,[\d]{3} more characters\n<https:/);
    assert.equal(texts[3], 'short\n<https://wiki.example/runbook|Runbook>');
  });

  test('posts a separate message to another channel', async (t) => {
    const { bot, calls } = await workspace(t);
    await bot(UPDATE).deliver(upgrade('a'), context());
    await bot({ ...UPDATE, channel: '#deployments' }).deliver(upgrade('b'), context());
    assert.deepEqual(
      calls().map(({ method, body }) => [method, body['channel']]),
      [
        ['chat.postMessage', '#ops'],
        ['chat.postMessage', '#deployments'],
      ],
    );
  });

  for (const error of ['edit_window_closed', 'is_inactive']) {
    test(`posts a new message when the old one can no longer be updated: ${error}`, async (t) => {
      const { bot, calls } = await workspace(t, ({ method }) => (method === 'chat.update' ? error : undefined));
      for (const reason of ['a', 'b']) await bot(UPDATE).deliver(upgrade(reason), context());
      assert.deepEqual(
        calls().map(({ method }) => method),
        ['chat.postMessage', 'chat.update', 'chat.postMessage'],
      );
    });
  }

  for (const error of ['update_failed', 'external_channel_migrating', 'org_login_required']) {
    test(`fails the attempt when the message cannot be updated now: ${error}`, async (t) => {
      const { bot } = await workspace(t, ({ method }) => (method === 'chat.update' ? error : undefined));
      await bot(UPDATE).deliver(upgrade('a'), context());
      await assert.rejects(bot(UPDATE).deliver(upgrade('b'), context()), (thrown: Error) => {
        assert.match(thrown.message, new RegExp(`refused chat\\.update: ${error}$`));
        return !('code' in thrown);
      });
    });
  }
});
