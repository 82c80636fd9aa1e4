import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../../src/change.ts';
import { codeOf } from '../../src/errors.ts';
import { changeOf, type ChangeParts } from '../../src/testing/change.ts';
import { problemsOf, testContext } from '../../src/testing/handler.ts';
import type { ReceiverAnswer } from '../../src/testing/receiver.ts';
import { connectedSink } from '../../src/testing/test-sink.ts';
import { withDifference } from '../diff/difference.ts';
import slack from './index.ts';

const diffed = (parts: ChangeParts) => withDifference(changeOf(parts));

/** The handler with a receiver that answers with `respond`, on a clock that stands still. */
function connected(t: TestContext, options: object = {}, respond?: () => ReceiverAnswer) {
  const given = (url: string) => ({
    webhookURL: `${url}/services/T0/B0/s3cr3t-token`,
    messagesPerSecond: 0,
    ...options,
  });
  return connectedSink(t, slack, given, respond, { clusterName: 'staging' });
}

/** The body of the one message, as sent. */
async function bodyOf(t: TestContext, change: Change, options: object = {}): Promise<string> {
  const { server, sink } = await connected(t, { clusterName: 'prod', ...options });
  await sink.deliver(change, testContext());
  const [request, ...others] = server.requests;
  assert.deepEqual(others, []);
  assert.equal(request?.method, 'POST');
  assert.match(request.headers['content-type'] ?? '', /^application\/json/);
  return request.body;
}

interface Attachment {
  readonly fallback: string;
  readonly color: string;
  readonly text: string;
  readonly title: string;
  readonly footer?: string;
}

function attachmentIn(body: string): Attachment {
  const { attachments } = JSON.parse(body) as { attachments: Attachment[] };
  assert.equal(attachments.length, 1);
  assert.ok(attachments[0]);
  return attachments[0];
}

const deployment = (replicas: number, image: string, env = 'LOG_LEVEL') => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: { replicas, template: { spec: { containers: [{ name: 'web', image, env: [{ name: env, value: 'info' }] }] } } },
});

const byKubectl: ChangeParts['by'] = [
  {
    manager: 'kubectl-set',
    operation: 'Update',
    paths: ['spec.replicas', 'spec.template.spec.containers[name="web"].image'],
  },
];

const rollout: ChangeParts = {
  before: deployment(1, 'nginx:1.7.9'),
  after: deployment(3, 'nginx:1.9.1'),
  by: byKubectl,
};

const configMap = (text: string, annotations: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'default', annotations },
  data: { 'app.conf': text },
});

/** 1.5 MB of text in which every hundredth line differs, and 2,000 annotations that all do. */
function huge(version: string) {
  const lines = Array.from(
    { length: 30_000 },
    (_, n) => `key${n} = ${n % 100 === 0 ? version : 'unchanged '.repeat(4)}\n`,
  );
  const annotations = Array.from({ length: 2_000 }, (_, n) => [`example.com/note-${n}`, `${version} 😀 <&>`]);
  return configMap(lines.join(''), Object.fromEntries(annotations) as Record<string, string>);
}

const HOSTILE = '``` <!channel> <@U1> <https://evil.example|safe> &lt; *bold* \u202egnp.exe \u001b[31m 😀';

const hostile = {
  before: configMap('first\n', { note: 'harmless' }),
  after: configMap(`first\n${HOSTILE}\n\`\`\`\n`, { note: HOSTILE, [HOSTILE]: '', ['__proto__']: 'x' }),
  by: [{ manager: '<!here> `x`', operation: 'Update', paths: [] }],
} satisfies ChangeParts;

const golden: Readonly<Record<string, ChangeParts>> = {
  added: { after: deployment(1, 'nginx:1.7.9') },
  updated: rollout,
  deleted: { before: deployment(1, 'nginx:1.7.9') },
  huge: { before: huge('old'), after: huge('new') },
  hostile,
};

describe('slack: the message', () => {
  for (const [name, parts] of Object.entries(golden)) {
    test(`26 the body of the ${name} object is as in golden/slack-${name}.json`, async (t) => {
      const body = await bodyOf(t, diffed(parts));
      t.assert.fileSnapshot(body, join(import.meta.dirname, `../golden/slack-${name}.json`), { serializers: [String] });
    });
  }

  test('an update begins with the headline and the manager, followed by a line per field', async (t) => {
    const { text } = attachmentIn(await bodyOf(t, diffed(rollout)));
    assert.deepEqual(text.slice(3, -3).split('\n'), [
      'image web nginx:1.7.9 -> nginx:1.9.1, replicas 1 -> 3 · by kubectl-set',
      'spec.template.spec.containers[web].image: nginx:1.7.9 -> nginx:1.9.1',
      'spec.replicas: 1 -> 3',
    ]);
  });

  test('27 a huge object is cut to at most 4,000 characters, with a note', async (t) => {
    const { text } = attachmentIn(await bodyOf(t, diffed({ before: huge('old'), after: huge('new') })));
    const length = Array.from(text).length;
    assert.ok(length <= 4000 && length > 3800, String(length));
    assert.match(text, /\n… [\d,]+ more lines```$/);
  });

  test('27 nothing in an object can mention anybody, make a link or end the code block', async (t) => {
    const { text } = attachmentIn(await bodyOf(t, diffed(hostile)));
    assert.doesNotMatch(text.slice(3, -3), /[<`\u202e]|[^\P{Cc}\n]/u);
    assert.match(text, /&lt;!channel&gt;/);
    assert.match(text, /by &lt;!here&gt; ˋxˋ\n/);
  });

  test('a Kubernetes Event of either API group is described by type, reason and message', async (t) => {
    const metadata = { name: 'web-1.17f', namespace: 'shop' };
    const involved = { kind: 'Pod', name: 'web-1' };
    const words = { type: 'Warning', reason: 'BackOff' };
    for (const event of [
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata,
        involvedObject: involved,
        message: 'Back-off <restarting>',
        ...words,
      },
      {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata,
        regarding: involved,
        note: 'Back-off <restarting>',
        ...words,
      },
    ]) {
      const { text, color, fallback } = attachmentIn(await bodyOf(t, changeOf({ after: event })));
      assert.equal(fallback, 'Warning BackOff pod web-1: Back-off &lt;restarting&gt;', 'what a notification shows');
      assert.equal(text, `\`\`\`${fallback}\`\`\``);
      assert.equal(color, '#F39C12', 'a warning is never green');
      const normal = attachmentIn(await bodyOf(t, changeOf({ after: { ...event, type: 'Normal' } })));
      assert.equal(normal.color, '#1ADA00');
    }
  });

  test('a repeat of an Event is described by reason, new count and message after diff, too', async (t) => {
    const event = (count: number) => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'web-1.17f', namespace: 'shop' },
      involvedObject: { kind: 'Pod', name: 'web-1' },
      reason: 'BackOff',
      message: 'Back-off',
      count,
    });
    const repeat = diffed({ before: event(3), after: event(4), by: byKubectl });
    assert.equal(attachmentIn(await bodyOf(t, repeat)).text, '```BackOff x4 pod web-1: Back-off```');
  });

  test('links and mentions in templates work, and those in values are escaped', async (t) => {
    const change = changeOf({ after: configMap('', { note: HOSTILE }) });
    const note = '{{ change.object.metadata.annotations.note }}';
    const body = await bodyOf(t, change, {
      message: `<!here> ${note}`,
      fields: { Logs: `<https://logs.example|${note}>` },
    });
    const { text, attachments } = JSON.parse(body) as { text: string; attachments: { fields: { value: string }[] }[] };
    for (const shown of [text, attachments[0]?.fields[0]?.value ?? '']) {
      assert.match(shown, /^<(?:!here>|https:\/\/logs\.example\|)[^<>]*&lt;!channel&gt; &lt;@U1&gt; [^<>]*>?$/);
    }
  });

  test('a name that Kubernetes allows cannot mention anybody in the title', async (t) => {
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: '<!channel>' } };
    const { title } = attachmentIn(await bodyOf(t, changeOf({ after: role })));
    assert.equal(title, 'ADD clusterrole\n&lt;!channel&gt;');
  });

  test('the footer is clusterName, else the name of the cluster; an empty clusterName omits it', async (t) => {
    const change = changeOf({ after: deployment(1, 'a') });
    assert.equal(attachmentIn(await bodyOf(t, change)).footer, 'prod');
    assert.equal(attachmentIn(await bodyOf(t, change, { clusterName: undefined })).footer, 'staging');
    assert.ok(!('footer' in attachmentIn(await bodyOf(t, change, { clusterName: '' }))));
  });

  test('the footer names the sink in whose place the message is sent', async (t) => {
    const change = changeOf({ after: deployment(1, 'a') });
    for (const [clusterName, footer] of [
      ['prod', 'prod · in place of default/mail'],
      ['', 'in place of default/mail'],
    ]) {
      const { server, sink } = await connected(t, { clusterName });
      await sink.deliver(change, testContext({ insteadOf: 'default/mail' }));
      assert.equal(attachmentIn(server.requests[0]?.body ?? '').footer, footer);
    }
  });

  test('the flags of a change are spelled out, and are the whole text when there is nothing else', async (t) => {
    const flags = { whileAway: true, leftScope: true } as const;
    const words = 'happened while nothing was watching · deleted or no longer selected';
    const deleted = attachmentIn(await bodyOf(t, diffed({ before: deployment(1, 'a'), flags })));
    assert.equal(deleted.text, `\`\`\`${words}\`\`\``);
    const updated = attachmentIn(await bodyOf(t, diffed({ ...rollout, flags: { compacted: true } })));
    assert.match(updated.text, / · by kubectl-set · several changes seen as one\n/);
  });

  test('without diff before it, an update has a title and no text', async (t) => {
    assert.equal(attachmentIn(await bodyOf(t, changeOf(rollout))).text, '');
  });
});

describe('slack: several in one message', () => {
  const some = [1, 2, 3].map((n) => changeOf({ after: configMap(`${n}`, { note: `n${n}` }) }));

  async function bodyOfAll(t: TestContext, options: object): Promise<string> {
    const { server, sink } = await connected(t, options);
    await sink.deliverMany?.(some, testContext());
    return server.requests[0]?.body ?? '';
  }

  test('a few changes are rendered with the templates, one per line', async (t) => {
    const message = 'note <!here> {{ change.object.metadata.annotations.note }}';
    assert.deepEqual(JSON.parse(await bodyOfAll(t, { message })), {
      text: [1, 2, 3].map((n) => `note <!here> n${n}`).join('\n'),
      unfurl_links: false,
      unfurl_media: false,
    });
  });

  test('the text of each change is the pretext of its attachment', async (t) => {
    const note = '{{ change.object.metadata.annotations.note }}';
    const body = await bodyOfAll(t, { message: `note ${note}`, title: note });
    const { text, attachments } = JSON.parse(body) as { text?: string; attachments: Record<string, string>[] };
    assert.equal(text, undefined);
    assert.deepEqual(
      attachments.map(({ pretext, title }) => `${pretext} | ${title}`),
      ['note n1 | n1', 'note n2 | n2', 'note n3 | n3'],
    );
  });

  test('a list fills up to 40,000 characters, and marks only the changes that were missed', async (t) => {
    const many = Array.from({ length: 2_000 }, (_, n) => {
      const metadata = { name: `c-${n}-${'x'.repeat(100)}`, namespace: 'shop' };
      const flags: ChangeParts['flags'] = n === 0 ? {} : { whileAway: true };
      return changeOf({ after: { apiVersion: 'v1', kind: 'ConfigMap', metadata }, flags });
    });
    const { server, sink } = await connected(t);
    const fits = sink.fits?.(many) ?? 0;
    await sink.deliverMany?.(many.slice(0, fits), testContext());
    const { text } = JSON.parse(server.requests[0]?.body ?? '') as { text: string };
    assert.ok(text.length > 35_000 && text.length <= 40_000, `${text.length} characters`);
    assert.ok(text.includes(`c-${fits - 1}-`));
    assert.deepEqual(
      text.match(/^\*.*$/gm)?.map((head) => head.replaceAll(/ in .*|[\d,]{2,}/g, '')),
      ['* changes*', '*ADD configmap* · shop · 1', '*ADD configmap* while nothing was watching · shop · '],
    );
  });

  test('whoever the messages mention is notified by a list of many and by attachments, each once', async (t) => {
    const message = '<!here> {{ change.object.metadata.annotations.note }} <https://x.example|x>';
    const withBar = JSON.parse(await bodyOfAll(t, { message, color: 'danger' })) as { text: string };
    assert.equal(withBar.text, '<!here>', 'Slack notifies of no mention in an attachment');
    const many = Array.from({ length: 12 }, (_, n) =>
      changeOf({ after: configMap(`${n}`, { note: n === 7 ? '<!channel> <@U1>' : 'n' }) }),
    );
    const { server, sink } = await connected(t, { message });
    await sink.deliverMany?.(many, testContext());
    const { text } = JSON.parse(server.requests[0]?.body ?? '') as { text: string };
    assert.match(text, /^<!here> \*12 changes\* in staging\n/);
    assert.equal(text.split('<').length, 2, text);
  });

  test('a change for which the template yields nothing is not sent along with others', async (t) => {
    const message = '{{ change.object.metadata.annotations.note }}';
    const { sink } = await connected(t, { message });
    const silent = changeOf({ after: configMap('4', {}) });
    assert.equal(sink.fits?.([...some, silent, ...some]), 3);
    assert.equal(sink.fits?.([silent, ...some]), 1);
    await assert.rejects(async () => sink.deliverMany?.([silent], testContext()), { code: 'TERMINAL' });
  });

  test('texts that are too long together become a list', async (t) => {
    assert.match(await bodyOfAll(t, { message: 'x'.repeat(20_000) }), /^\{"text":"\*3 changes\* in /);
  });
});

describe('slack: delivery', () => {
  const change = changeOf({ after: deployment(1, 'a') });

  async function failure(t: TestContext, answer: ReceiverAnswer, options: object = {}): Promise<Error> {
    const { sink } = await connected(t, options, () => answer);
    const thrown: unknown = await sink.deliver(change, testContext()).then(
      () => assert.fail('delivered'),
      (reason: unknown) => reason,
    );
    assert.ok(thrown instanceof Error);
    for (let error: unknown = thrown; error instanceof Error; error = error.cause) {
      assert.ok(!`${error.message}${error.stack}`.includes('s3cr3t'), '29 the URL is in no error');
    }
    return thrown;
  }

  test('a Slack error in a 200 is terminal', async (t) => {
    const error = await failure(t, { body: 'invalid_payload' });
    assert.equal(codeOf(error), 'TERMINAL');
    assert.match(error.message, /^Slack \(127\.0\.0\.1:\d+\) refused the message: invalid_payload$/);
  });

  test('a message template that yields nothing is terminal, and nothing is sent', async (t) => {
    const { server, sink } = await connected(t, { message: '{{ event.message }}' });
    const change = changeOf(rollout);
    const refusal = { code: 'TERMINAL', message: /^The template of message yields nothing/ };
    await assert.rejects(async () => sink.deliver(change, testContext({ insteadOf: 'default/teams' })), refusal);
    await assert.rejects(async () => sink.deliverMany?.([change, change], testContext()), refusal);
    assert.deepEqual(server.requests, []);
  });

  test('18 a 429 defers for as long as Slack asks', async (t) => {
    const error = await failure(t, { status: 429, headers: { 'retry-after': '7' } });
    assert.equal(codeOf(error), 'DEFER');
    assert.equal((error as Error & { retryAfterMs?: number }).retryAfterMs, 7_000);
  });

  test('a 500 is a failed attempt; a 404 is final', async (t) => {
    assert.equal(codeOf(await failure(t, { status: 500 })), undefined);
    assert.equal(codeOf(await failure(t, { status: 404, body: 'no_service' })), 'TERMINAL');
  });

  test('28 a webhook that never answers fails after its timeout', async (t) => {
    assert.match((await failure(t, { hang: true }, { timeout: '50ms' })).message, /127\.0\.0\.1/);
  });

  test('one message a second by default: the next one waits, without a request', async (t) => {
    const { server, sink } = await connected(t, { messagesPerSecond: undefined });
    await sink.deliver(change, testContext({ idempotencyKey: 'first' }));
    await assert.rejects(sink.deliver(change, testContext({ idempotencyKey: 'second' })), { code: 'WAIT' });
    assert.equal(server.requests.length, 1);
  });
});

describe('slack: configuration', () => {
  test('29 refuses a missing, empty or unusable webhookURL at the start', () => {
    const wanted = 'webhookURL: must be the https:// or http:// URL of an incoming webhook';
    for (const given of [{ webhookURL: '' }, { webhookURL: 'hooks.slack.com/x' }, { webhookURL: 'ftp://x/y' }]) {
      assert.deepEqual(problemsOf(slack, given), [wanted]);
    }
  });

  const webhookURL = 'https://hooks.example/x';
  for (const [given, problem] of [
    [{}, /^webhookURL: is missing: the URL of an incoming webhook, or a token and a channel$/],
    [{ webhookURL, token: 'x', channel: 'c' }, /^webhookURL: cannot be combined with token: leave one of them out$/],
    [{ token: 'xoxb-1' }, /^channel: is missing: a token requires it$/],
    [{ webhookURL, threadKey: 'x' }, /^threadKey: requires a token: a webhook has one channel/],
    [{ token: 'x', channel: 'c', completionCondition: 'x' }, /^completionCondition: requires a threadKey/],
    [{ token: 'x', channel: 'c', broadcastCondition: 'x' }, /^broadcastCondition: requires a threadKey/],
    [{ token: 'x', channel: 'c', update: 'x', threadKey: 'y' }, /^update: cannot be combined with threadKey/],
    [{ token: 'x', channel: '{{ chagne.name }}' }, /^channel: must be a Liquid template: unknown name "chagne"/],
    [{ webhookURL, fields: { A: '{{' } }, /^fields\.A: must be a Liquid template/],
    [{ webhookURL, completionEmoji: ':tada:' }, /^completionEmoji: must be the name of an emoji without colons/],
  ] as const) {
    test(`refuses ${JSON.stringify(given)}, and never shows the token`, () => {
      const problems = problemsOf(slack, given);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems.join(), problem);
      assert.doesNotMatch(problems.join(), /xoxb/);
    });
  }

  test('refuses a rate below zero, a bad duration and an unknown key', () => {
    assert.match(problemsOf(slack, { webhookURL, messagesPerSecond: -1 }).join(), /^messagesPerSecond: /);
    assert.match(problemsOf(slack, { webhookURL, timeout: '10' }).join(), /^timeout: must be a duration/);
    assert.match(problemsOf(slack, { webhookURL, username: 'x' }).join(), /username/);
  });
});
