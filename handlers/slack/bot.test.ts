import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { SinkInstance, SinkMemory } from '../../src/chain/handler.ts';
import { escapeOf } from '../../src/log.ts';
import { changeOf } from '../../src/testing/change.ts';
import { testContext, testEnvironment, testMemory } from '../../src/testing/handler.ts';
import { startReceiver, type CapturedRequest, type ReceiverAnswer } from '../../src/testing/receiver.ts';
import { testReceivers } from '../../src/testing/sink.ts';
import slack from './index.ts';

interface Call {
  readonly method: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

function callOf({ path, headers, body }: CapturedRequest): Call {
  const { authorization } = headers;
  return { method: path.replace('/api/', ''), authorization, body: JSON.parse(body) as Call['body'] };
}

/** Slack as a bot sees it: messages have a place, in a channel known by its id. */
async function workspace(
  t: TestContext,
  refuse: (call: Call, n: number) => ReceiverAnswer | string | undefined = () => undefined,
  memory: SinkMemory = testMemory(),
) {
  const receivers = testReceivers(t);
  const server = await startReceiver((request, n) => {
    const call = callOf(request);
    const refused = refuse(call, n);
    if (typeof refused === 'object') return refused;
    const answer =
      refused === undefined ? { ok: true, channel: 'C1', ts: `17000000${n}.0` } : { ok: false, error: refused };
    return { body: JSON.stringify(answer) };
  });
  t.after(() => server.close());
  const bot = (options: object): SinkInstance => {
    assert.equal(slack.type, 'sink');
    const given = { token: 'xoxb-c4nary', channel: '#ops', apiURL: `${server.url}/api`, messagesPerSecond: 0 };
    const parsed = slack.options.parse({ ...given, ...options });
    return slack.create(parsed, testEnvironment({ receivers, memory, clusterName: 'prod' }));
  };
  const calls = () => server.requests.map(callOf);
  return { bot, calls, url: server.url };
}

/** A memory that forgets what was not written for 30 days, like that of the store. */
function agingMemory() {
  const memory = testMemory();
  const writtenOn = new Map<string, number>();
  let today = 0;
  const aging: SinkMemory = {
    get: async (key) => (today - (writtenOn.get(key) ?? -Infinity) > 30 ? undefined : memory.get(key)),
    set: async (key, value) => {
      writtenOn.set(key, today);
      await memory.set(key, value);
    },
  };
  return { aging, passDays: (days: number) => void (today += days) };
}

/** An Event of a cluster's upgrade. */
const upgrade = (reason: string, cluster = 'c1', message = '') =>
  changeOf({
    after: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${cluster}.${reason}`, namespace: 'default' },
      involvedObject: { kind: 'Cluster', name: cluster },
      reason,
      message,
      type: 'Normal',
    },
  });

const THREADS = {
  message: '{{ event.reason }}',
  threadKey: '{{ event.involvedObject.name }}',
  completionCondition: "{% if event.reason == 'Upgraded' %}yes{% endif %}",
};

let attempts = 0;
/** A new change each time; the same one for the same `key`. */
const context = (key = `change ${++attempts}`) => testContext({ idempotencyKey: key });

const told = (calls: readonly Call[]) =>
  calls.map(({ method, body }) => [method, body['text'] ?? body['name'], body['thread_ts'] ?? body['timestamp'] ?? '']);

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

  test('a channel template that yields nothing is terminal, with the reason', async (t) => {
    const { bot } = await workspace(t);
    const sink = bot({ channel: '{{ event.host }}' });
    await assert.rejects(sink.deliver(upgrade('x'), context()), {
      code: 'TERMINAL',
      message: /template of channel yields nothing/,
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
          new RegExp(`^Slack \\(127\\.0\\.0\\.1:\\d+\\) refused chat\\.postMessage: ${error}${remedy}$`),
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

describe('slack threads', () => {
  test('37 the first message of a key starts a thread; the completing one replies, adds a reaction and ends it', async (t) => {
    const { bot, calls } = await workspace(t);
    const sink = bot(THREADS);
    for (const reason of ['Upgrading', 'Progress', 'Upgraded', 'Upgrading'])
      await sink.deliver(upgrade(reason), context());
    await sink.deliver(upgrade('Upgrading', 'c2'), context());
    assert.deepEqual(told(calls()), [
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Progress', '170000001.0'],
      ['chat.postMessage', 'Upgraded', '170000001.0'],
      ['reactions.add', 'white_check_mark', '170000001.0'],
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Upgrading', ''],
    ]);
    assert.equal(calls()[1]?.body['channel'], 'C1', 'answers go to the channel by its id');
    assert.equal(calls()[3]?.body['channel'], 'C1');
  });

  test('a thread goes on after a restart', async (t) => {
    const { bot, calls } = await workspace(t);
    await bot(THREADS).deliver(upgrade('Upgrading'), context());
    await bot({ ...THREADS, completionEmoji: 'tada' }).deliver(upgrade('Upgraded'), context());
    assert.deepEqual(told(calls()).slice(1), [
      ['chat.postMessage', 'Upgraded', '170000001.0'],
      ['reactions.add', 'tada', '170000001.0'],
    ]);
  });

  test('a completing message without a thread, or a message without a key, starts no thread', async (t) => {
    const { bot, calls } = await workspace(t);
    const sink = bot(THREADS);
    await sink.deliver(upgrade('Upgraded'), context());
    await sink.deliver(upgrade('Upgrading'), context());
    const keyless = bot({ ...THREADS, threadKey: '{{ event.host }}' });
    await keyless.deliver(upgrade('Upgrading'), context());
    await keyless.deliver(upgrade('Upgrading'), context());
    assert.ok(told(calls()).every(([, , thread]) => thread === ''));
  });

  test('a thread goes on for as long as its messages are at most 30 days apart', async (t) => {
    const { aging, passDays } = agingMemory();
    const { bot, calls } = await workspace(t, undefined, aging);
    const sink = bot(THREADS);
    for (const days of [0, 20, 20, 31]) {
      passDays(days);
      await sink.deliver(upgrade('Progress'), context());
    }
    assert.deepEqual(
      told(calls()).map(([, , thread]) => thread),
      ['', '170000001.0', '170000001.0', ''],
    );
  });

  test('concurrent messages of a key share one thread', async (t) => {
    const { bot, calls } = await workspace(t);
    const sink = bot(THREADS);
    await Promise.all(['a', 'b', 'c'].map((reason) => sink.deliver(upgrade(reason), context())));
    assert.deepEqual(
      told(calls()).map(([, , thread]) => thread),
      ['', '170000001.0', '170000001.0'],
    );
  });

  test('a new thread is started when the parent message no longer exists', async (t) => {
    const { bot, calls } = await workspace(t, ({ body }) =>
      body['thread_ts'] === '170000001.0' ? 'thread_not_found' : undefined,
    );
    const sink = bot(THREADS);
    for (const reason of ['a', 'b', 'c']) await sink.deliver(upgrade(reason), context());
    assert.deepEqual(
      told(calls()).map(([, ...rest]) => rest),
      [
        ['a', ''],
        ['b', '170000001.0'],
        ['b', ''],
        ['c', '170000003.0'],
      ],
    );
  });

  test('a failed reaction is retried without a second reply; already_reacted is a success', async (t) => {
    let reactions = 0;
    const { bot, calls } = await workspace(t, ({ method }) => {
      if (method !== 'reactions.add') return undefined;
      reactions += 1;
      return reactions === 1 ? 'internal_error' : 'already_reacted';
    });
    const sink = bot(THREADS);
    await sink.deliver(upgrade('Upgrading'), context());
    const last = context('the last');
    await assert.rejects(sink.deliver(upgrade('Upgraded'), last), { message: /reactions\.add: internal_error/ });
    await sink.deliver(upgrade('Upgraded'), last);
    await sink.deliver(upgrade('Upgrading'), context());
    assert.deepEqual(told(calls()), [
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Upgraded', '170000001.0'],
      ['reactions.add', 'white_check_mark', '170000001.0'],
      ['reactions.add', 'white_check_mark', '170000001.0'],
      ['chat.postMessage', 'Upgrading', ''],
    ]);
  });
});

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
