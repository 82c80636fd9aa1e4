import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { escapeOf } from '../../src/text/printable.ts';
import { context, THREADS, upgrade, workspace } from '../../src/testing/test-slack.ts';

describe('slack with a token', () => {
  test('keeps the path and the query string of apiURL', async (t) => {
    const { bot, calls, url } = await workspace(t);
    await bot({ apiURL: `${url}/api?proxy=eu` }).deliver(upgrade('Upgrading'), context());
    assert.equal(calls()[0]?.method, 'chat.postMessage?proxy=eu');
  });

  test('a reply for which broadcastCondition yields text is also shown in the channel', async (t) => {
    const { bot, calls } = await workspace(t);
    const broadcastCondition = "{% if event.reason == 'Failed' or event.reason == 'Begun' %}yes{% endif %}";
    const sink = bot({ ...THREADS, broadcastCondition });
    for (const reason of ['Begun', 'Upgrading', 'Failed']) await sink.deliver(upgrade(reason), context());
    const seen = calls().map(({ body }) => [body['text'], body['thread_ts'], body['reply_broadcast']]);
    assert.deepEqual(seen, [
      ['Begun', undefined, undefined],
      ['Upgrading', '170000001.0', undefined],
      ['Failed', '170000001.0', true],
    ]);
  });

  test('a preview shows channel, thread and message, sends nothing, and fails as the delivery would', async (t) => {
    const { bot, calls } = await workspace(t);
    const preview = async (options: object, reason = 'Upgrading'): Promise<unknown> =>
      JSON.parse((await bot(options).preview?.(upgrade(reason), context())) ?? '');
    assert.deepEqual(await preview(THREADS, 'Upgraded'), {
      channel: '#ops',
      thread: { key: 'c1', isComplete: true, broadcast: false },
      text: 'Upgraded',
    });
    assert.deepEqual(await preview({ message: 'm', update: '{{ event.involvedObject.name }}' }), {
      channel: '#ops',
      update: 'c1',
      text: 'm',
    });
    await assert.rejects(preview({ channel: '{{ event.host }}' }), /nowhere to post to/);
    await assert.rejects(preview({ message: '{{ event.host }}' }), /nothing to post/);
    assert.deepEqual(calls(), []);
  });

  test('37 posts to the templated channel, with the token in a header and not in the body', async (t) => {
    const { bot, calls } = await workspace(t);
    const options = { token: 'xoxb-c4nary\n', channel: '#{{ change.namespace }}-events' };
    await bot(options).deliver(upgrade('Upgrading'), context());
    const [call, ...others] = calls();
    assert.deepEqual(others, []);
    assert.deepEqual([call?.method, call?.authorization], ['chat.postMessage', 'Bearer xoxb-c4nary']);
    assert.equal(call?.body['channel'], '#default-events');
    assert.ok(!JSON.stringify(call?.body).includes('c4nary'));
    const [attachment] = (call?.body['attachments'] ?? []) as { title: string; footer: string }[];
    assert.deepEqual([attachment?.title, attachment?.footer], ['ADD event\ndefault/c1.Upgrading', 'prod']);
  });

  test('37 text, title, fields in order and footer are templates; mentions and links in them are escaped', async (t) => {
    const { bot, calls } = await workspace(t);
    const sink = bot({
      message: '{{ event.reason }}: {{ event.message }}',
      title: '{{ event.involvedObject.name }}',
      color: '#123456',
      fields: { Zone: '{{ event.type }}', Area: 'x', Empty: '{{ event.host }}' },
      footer: 'in {{ change.cluster }}',
      authorName: 'bot',
    });
    await sink.deliver(upgrade('Upgrading', 'c1', '<!channel> & <https://evil.example|safe>'), context());
    assert.deepEqual(calls()[0]?.body, {
      channel: '#ops',
      text: 'Upgrading: &lt;!channel&gt; &amp; &lt;https://evil.example|safe&gt;',
      attachments: [
        {
          color: '#123456',
          fallback: 'c1',
          author_name: 'bot',
          title: 'c1',
          footer: 'in test',
          fields: [
            { title: 'Zone', value: 'Normal', short: false },
            { title: 'Area', value: 'x', short: false },
            { title: 'Empty', value: '', short: false },
          ],
        },
      ],
      // A message of an Event may have an address in it.
      unfurl_links: false,
      unfurl_media: false,
    });
  });

  test('accepts the answer that repeats a message of the maximum length in escaped form', async (t) => {
    const escaped = (text: string) => text.replace(/[^\x20-\x7e]/g, escapeOf);
    const { bot, calls } = await workspace(t, ({ body }) => {
      const answer = { ok: true, channel: 'C1', ts: '1.0', message: { text: body['text'] } };
      return { body: escaped(JSON.stringify(answer)) };
    });
    await bot({ message: '{{ event.message }}' }).deliver(upgrade('x', 'c1', '我'.repeat(40_000)), context());
    assert.equal(calls().length, 1);
  });

  for (const [error, rests] of [
    ['token_revoked', true],
    ['not_in_channel', false],
  ] as const) {
    test(`${error} five times ${rests ? 'defers the next delivery without a request' : 'does not defer the next delivery'}`, async (t) => {
      const { bot, calls } = await workspace(t, () => error);
      const sink = bot({ channel: '#{{ change.namespace }}' });
      for (let n = 0; n < 5; n++) {
        await assert.rejects(async () => sink.deliver(upgrade('x'), context()), { code: 'TERMINAL' });
      }
      await assert.rejects(async () => sink.deliver(upgrade('x'), context()), { code: rests ? 'DEFER' : 'TERMINAL' });
      assert.equal(calls().length, rests ? 5 : 6);
    });
  }

  test('the retry-after of a "ratelimited" answer is capped at an hour', async (t) => {
    const { bot } = await workspace(t, () => ({
      headers: { 'retry-after': '99999999' },
      body: '{"ok":false,"error":"ratelimited"}',
    }));
    await assert.rejects(async () => bot({}).deliver(upgrade('x'), context()), { retryAfterMs: 3_600_000 });
  });

  test("a message over Slack's limit is cut, with a note", async (t) => {
    const { bot, calls } = await workspace(t);
    await bot({ message: '{{ event.message }}' }).deliver(upgrade('x', 'c1', '<'.repeat(50_000)), context());
    const text = String(calls()[0]?.body['text']);
    assert.ok(text.length <= 40_000 && text.length > 39_900, String(text.length));
    assert.match(text, /(&lt;)+… [\d,]+ more characters$/);
  });

  test('each channel has its own rate limit, shared by the sinks of that channel', async (t) => {
    const { bot } = await workspace(t);
    const tell = (channel: string) => bot({ channel, messagesPerSecond: 1 }).deliver(upgrade('x'), context());
    await tell('#a');
    await tell('#b');
    await assert.rejects(tell('#a'), { code: 'WAIT' });
  });

  for (const [channel, problem] of [
    ['{{ event.host }}', /template of channel yields nothing: /],
    ['#{{ event.host }}', /template of channel yields nothing after "#": /],
  ] as const)
    test(`a channel ${channel} that yields nothing is terminal, with the reason, and nothing is sent`, async (t) => {
      const { bot, calls } = await workspace(t);
      await assert.rejects(bot({ channel }).deliver(upgrade('x'), context()), { code: 'TERMINAL', message: problem });
      assert.deepEqual(calls(), []);
    });

  for (const error of ['channel_not_found', 'not_in_channel', 'is_archived'])
    test(`${error} names the channel, which a template may have chosen`, async (t) => {
      const { bot } = await workspace(t, () => error);
      await assert.rejects(async () => bot({ channel: '#{{ change.namespace }}' }).deliver(upgrade('x'), context()), {
        code: 'TERMINAL',
        message: new RegExp(`refused chat\\.postMessage to #default: ${error}; `),
      });
    });

  for (const [error, code, remedy = ''] of [
    ['invalid_auth', 'TERMINAL', '; check the token'],
    ['channel_not_found', 'TERMINAL', '; check the channel, and invite the bot if it is private'],
    ['msg_too_long', 'TERMINAL', '; shorten the text and its links'],
    ['restricted_action', 'TERMINAL'],
    ['ratelimited', 'DEFER'],
    ['internal_error', undefined],
  ] as const) {
    test(`200 with "ok": false and ${error} is ${code ?? 'a failed attempt'}`, async (t) => {
      const { bot } = await workspace(t, () => error);
      await assert.rejects(bot({}).deliver(upgrade('x'), context()), (thrown: Error & { code?: string }) => {
        assert.match(
          thrown.message,
          new RegExp(`^Slack \\(127\\.0\\.0\\.1:\\d+\\) refused chat\\.postMessage(?: to #ops)?: ${error}${remedy}$`),
        );
        assert.equal(thrown.code, code);
        return true;
      });
    });
  }

  test('429 defers by retry-after; an HTML page from a proxy is a failed attempt and is not quoted', async (t) => {
    const limited = await workspace(t, () => ({ status: 429, headers: { 'retry-after': '7' }, body: '{}' }));
    await assert.rejects(limited.bot({}).deliver(upgrade('x'), context()), { code: 'DEFER', retryAfterMs: 7000 });
    const proxied = await workspace(t, () => ({ body: '<html>xoxb-c4nary</html>' }));
    await assert.rejects(proxied.bot({}).deliver(upgrade('x'), context()), {
      message: /answered 2xx to chat\.postMessage, but not as Slack does: expected \{"ok": true\}$/,
    });
  });
});
