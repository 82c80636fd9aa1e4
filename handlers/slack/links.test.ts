import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { changeOf } from '../../src/testing/change.ts';
import { problemsOf, testContext } from '../../src/testing/handler.ts';
import { connectedSink } from '../../src/testing/test-sink.ts';
import slack from './index.ts';

const noted = (note: string) =>
  changeOf({
    after: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c', namespace: 'shop', annotations: { note } },
    },
  });
const NOTE = '{{ change.object.metadata.annotations.note }}';

interface Message {
  readonly text?: string;
  readonly attachments?: readonly {
    readonly fields?: readonly { readonly title: string; readonly value: string }[];
    readonly [part: string]: unknown;
  }[];
}

const connected = (t: TestContext, options: object) =>
  connectedSink(t, slack, (webhookURL) => ({ webhookURL, messagesPerSecond: 0, ...options }));

async function messageOf(t: TestContext, options: object, ...notes: readonly string[]): Promise<Message> {
  const { server, sink } = await connected(t, options);
  const [first, ...more] = notes.map(noted);
  assert.ok(first);
  if (more.length === 0) await sink.deliver(first, testContext());
  else await sink.deliverMany?.([first, ...more], testContext());
  return JSON.parse(server.requests[0]?.body ?? '') as Message;
}

const DASHBOARD = 'https://grafana.example/d/ns?a=1&var-namespace={{ change.namespace | url_encode }}';

describe('slack: links', () => {
  test('stand in a field below the standard message, which is otherwise the same', async (t) => {
    const links = { 'Dash <board>': DASHBOARD, Logs: 'http://logs.example/{{ change.name }}', None: NOTE };
    const [plain, linked] = [await messageOf(t, {}, ''), await messageOf(t, { links }, '')];
    const value =
      '<https://grafana.example/d/ns?a=1&amp;var-namespace=shop|Dash &lt;board&gt;> · <http://logs.example/c|Logs>';
    assert.deepEqual(linked, {
      attachments: [{ ...plain.attachments?.[0], fields: [{ title: 'Links', value, short: false }] }],
    });
  });

  test('that yield nothing leave the message as it is', async (t) => {
    const plain = await messageOf(t, {}, ' \n');
    assert.deepEqual(await messageOf(t, { links: { None: NOTE } }, ' \n'), plain);
  });

  test('are the last line of a text, and follow the fields of a templated message', async (t) => {
    const links = { Logs: 'https://logs.example/' };
    const { text } = await messageOf(t, { links, message: 'note {{ change.name }}' }, '');
    assert.equal(text, 'note c\n<https://logs.example/|Logs>');
    const { attachments } = await messageOf(t, { links, title: 't', fields: { A: 'b' } }, '');
    assert.deepEqual(
      attachments?.[0]?.fields?.map(({ title, value }) => `${title}: ${value}`),
      ['A: b', 'Links: <https://logs.example/|Logs>'],
    );
  });

  test('a text from the cluster cannot end a link, or begin another', async (t) => {
    const { attachments } = await messageOf(
      t,
      { links: { L: `https://logs.example/${NOTE}` } },
      'a|b> <!here> <https://evil.example|x',
    );
    const url = 'https://logs.example/a%7Cb%3E%20%3C!here%3E%20%3Chttps://evil.example%7Cx';
    assert.equal(attachments?.[0]?.fields?.[0]?.value, `<${url}|L>`);
  });

  test('are part of what a bot posts', async (t) => {
    const options = (apiURL: string) => ({
      token: 'xoxb-1',
      channel: 'c',
      apiURL,
      links: { Logs: 'https://logs.example/' },
    });
    const { server, sink } = await connectedSink(t, slack, options, () => ({ body: '{"ok":true,"ts":"1.2"}' }));
    await sink.deliver(noted(''), testContext());
    const { attachments } = JSON.parse(server.requests[0]?.body ?? '') as Message;
    assert.equal(attachments?.[0]?.fields?.[0]?.value, '<https://logs.example/|Logs>');
  });

  test('that are as long as they may be fit into a field', async (t) => {
    const url = `https://logs.example/?${'&'.repeat(50)}${'x'.repeat(1_428)}`;
    const { attachments } = await messageOf(t, { links: { ['&'.repeat(20) + 'L'.repeat(40)]: url } }, '');
    const { value = '' } = attachments?.[0]?.fields?.[0] ?? {};
    assert.match(value, /L>$/);
    assert.ok(value.length <= 2_000, `${value.length} characters`);
  });

  test('that do not fit into one field have a field each', async (t) => {
    const long = `https://logs.example/${'x'.repeat(1_400)}`;
    const { attachments } = await messageOf(t, { links: { A: long, B: long } }, '');
    assert.deepEqual(
      attachments?.[0]?.fields?.map(({ title, value }) => [title, value]),
      [
        ['Links', `<${long}|A>`],
        ['', `<${long}|B>`],
      ],
    );
  });

  test('stand below each of a few changes in one message, and not in a list of many', async (t) => {
    const options = { links: { L: `https://logs.example/${NOTE}` } };
    const { attachments } = await messageOf(t, options, '1', '2');
    assert.deepEqual(
      attachments?.map(({ fields }) => fields?.[0]?.value),
      ['<https://logs.example/1|L>', '<https://logs.example/2|L>'],
    );
    const many = await messageOf(t, options, ...Array.from({ length: 11 }, (_, n) => `${n}`));
    assert.equal(many.attachments, undefined);
    assert.doesNotMatch(many.text ?? '', /logs\.example/);
  });

  for (const [what, note] of [
    ['another scheme', 'javascript:alert(1)'],
    ['no scheme', 'logs.example/x'],
    ['no host', 'https://'],
    ['1,501 characters', `https://logs.example/${'x'.repeat(1_480)}`],
    ['51 "&", which Slack counts as five each', `https://logs.example/?${'&'.repeat(51)}`],
  ] as const) {
    test(`a template that yields a URL with ${what} is terminal, and nothing is sent`, async (t) => {
      const { server, sink } = await connected(t, { links: { 'My logs': NOTE } });
      await assert.rejects(async () => sink.deliver(noted(note), testContext()), {
        code: 'TERMINAL',
        message:
          'The template of links.My logs yields no https:// or http:// URL of at most 1,500 characters, with at most 50 "&": let it yield nothing to leave the link out',
      });
      assert.deepEqual(server.requests, []);
    });
  }

  test('that cannot be rendered for one change do not keep others in its message from being delivered', async (t) => {
    const { sink } = await connected(t, { links: { L: NOTE } });
    const [good, bad] = [noted('https://logs.example/'), noted('nonsense')];
    assert.equal(sink.fits?.([good, good, bad, good]), 2);
    assert.equal(sink.fits?.([bad, good]), 1);
    const many = Array.from({ length: 10 }, () => good);
    assert.equal(sink.fits?.([...many, bad]), 11, 'a list of many has no links');
  });

  const webhookURL = 'https://hooks.example/x';
  for (const [links, problem] of [
    [
      { Logs: 'logs.example' },
      /^links\.Logs: must be an https:\/\/ or http:\/\/ URL of at most 1,500 characters, with at most 50 "&"$/,
    ],
    [{ Logs: '{{ chagne.name }}' }, /^links\.Logs: must be a Liquid template: unknown name "chagne"/],
    [{ ' ': 'https://x' }, /^links\. : must have a label of 1 to 60 characters on one line$/],
    [{ 'a\nb': 'https://x' }, /^links\.a\nb: must have a label of 1 to 60 characters on one line$/],
    [
      Object.fromEntries(Array.from({ length: 6 }, (_, n) => [`L${n}`, 'https://x'])),
      /^links: must have at most 5 links: there are 6$/,
    ],
  ] as const) {
    test(`are refused at the start: ${problem}`, () => {
      const problems = problemsOf(slack, { webhookURL, links });
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', problem);
    });
  }
});
