/** The examples of docs/receivers.md send what each receiver accepts, according to its own documentation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../src/change.ts';
import { podOf, RUNNING, terminated, waiting } from '../src/testing/failing-pods.ts';
import type { CapturedRequest } from '../src/testing/receiver.ts';
import { World } from '../test/e2e/world.ts';
import { readRecipes } from './page-recipes.ts';

const RECIPES = await readRecipes('receivers.md');

const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((found, key) => (found as Record<string | number, unknown> | undefined)?.[key], value);

const textAt = (value: unknown, ...path: readonly (string | number)[]): string => {
  const found = at(value, ...path);
  assert.equal(typeof found, 'string', path.join('.'));
  return found as string;
};

type Check = (body: unknown, request: CapturedRequest, all: readonly CapturedRequest[]) => void;

/** Checks the limits and types that the vendors document. */
const TAKES: Readonly<Record<string, Check>> = {
  Discord(body) {
    assert.deepEqual(at(body, 'allowed_mentions'), { parse: [] });
    const [title, description] = [textAt(body, 'embeds', 0, 'title'), textAt(body, 'embeds', 0, 'description')];
    assert.ok(title.length > 0 && title.length <= 256 && description.length <= 4096);
    assert.ok(Number.isInteger(at(body, 'embeds', 0, 'color')), 'a colour is a number');
    // A single word on the line of the fence names a language, and is not shown.
    assert.match(description, /^(```\n[^]*)?$/);
    assert.doesNotMatch(description.replace(/^```|```$/g, ''), /```/);
  },
  'Google Chat'(body) {
    assert.ok(Buffer.byteLength(JSON.stringify(body)) <= 32_000);
    assert.doesNotMatch(textAt(body, 'text'), /<users/);
    assert.notEqual(textAt(body, 'thread', 'threadKey'), '');
  },
  Matrix(body, { method, path }, all) {
    assert.match(
      `${method} ${path}`,
      /^PUT \/_matrix\/client\/v3\/rooms\/secret-MATRIX_ROOM\/send\/m\.room\.message\/(?:added|updated|firing|resolved)-\d+-\d{13}$/,
    );
    assert.equal(new Set(all.map((request) => request.path)).size, all.length, 'each message has its own transaction');
    assert.equal(at(body, 'msgtype'), 'm.text');
    assert.notEqual(textAt(body, 'body'), '');
    assert.deepEqual(at(body, 'm.mentions'), {});
    assert.ok(Buffer.byteLength(JSON.stringify(body)) <= 60_000);
  },
  Telegram(body) {
    const text = textAt(body, 'text');
    assert.ok(text.length > 0 && text.length <= 4096);
    assert.deepEqual(at(body, 'chat_id'), 'secret-TELEGRAM_CHAT_ID');
  },
  DingTalk(body) {
    assert.equal(at(body, 'msgtype'), 'text');
    assert.match(textAt(body, 'text', 'content'), /^watchchain: \S/, 'has the keyword');
    assert.ok(Buffer.byteLength(JSON.stringify(body)) <= 20_000);
  },
  WeCom(body) {
    assert.equal(at(body, 'msgtype'), 'text');
    assert.notEqual(textAt(body, 'text', 'content'), '');
    assert.ok(Buffer.byteLength(textAt(body, 'text', 'content')) <= 2_048);
  },
  'Feishu, Lark'(body) {
    assert.equal(at(body, 'msg_type'), 'text');
    assert.ok(Buffer.byteLength(JSON.stringify(body)) <= 20_000);
    assert.doesNotMatch(textAt(body, 'content', 'text'), /</, 'calls nobody');
  },
  ntfy(body) {
    assert.ok(Buffer.byteLength(textAt(body, 'message')) <= 4096);
    assert.ok([3, 5].includes(at(body, 'priority') as number));
  },
  Opsgenie(body, request, [first]) {
    const { path, headers } = request;
    assert.equal(headers.authorization, 'GenieKey secret-OPSGENIE_KEY');
    assert.ok(textAt(body, 'source').length <= 100);
    const alias = textAt(JSON.parse(first?.body ?? ''), 'alias');
    assert.match(alias, /^[0-9a-f]{16}$/);
    if (request === first) {
      assert.equal(path, '/v2/alerts');
      assert.ok(textAt(body, 'message').length <= 130 && textAt(body, 'description').length <= 15_000);
      assert.match(textAt(body, 'priority'), /^P[24]$/);
    } else {
      assert.equal(path, `/v2/alerts/${alias}/close?identifierType=alias`);
      assert.notEqual(textAt(body, 'note'), '');
    }
  },
  Alertmanager(body) {
    const alert = at(body, 0);
    const [startsAt, endsAt] = [Date.parse(textAt(alert, 'startsAt')), Date.parse(textAt(alert, 'endsAt'))];
    assert.ok(startsAt <= endsAt, `${startsAt} <= ${endsAt}`);
    assert.deepEqual(
      [at(alert, 'labels', 'kind'), at(alert, 'labels', 'name'), at(alert, 'labels', 'namespace')],
      ['Deployment', 'web', 'shop'],
    );
  },
  Loki(body, { headers }) {
    assert.equal(headers['content-type'], 'application/json');
    assert.match(textAt(body, 'streams', 0, 'values', 0, 0), /^\d{19}$/, 'nanoseconds, as a text');
    assert.notEqual(textAt(body, 'streams', 0, 'values', 0, 1), '');
    for (const value of Object.values(at(body, 'streams', 0, 'stream') as object)) assert.equal(typeof value, 'string');
  },
  'Elasticsearch, OpenSearch'(body, { method, path }, all) {
    assert.match(`${method} ${path}`, /^PUT \/kubernetes-changes\/_doc\/(?:added|updated|firing|resolved)-\d+-\d{13}$/);
    assert.equal(new Set(all.map((request) => request.path)).size, all.length, 'each document has its own id');
    assert.ok(Date.parse(textAt(body, '@timestamp')) > 0);
    assert.ok(Array.isArray(at(body, 'by')));
  },
  'Elasticsearch, an index per namespace'(body, { path, headers }) {
    assert.deepEqual(
      [path, headers['content-type']],
      ['/_bulk?filter_path=errors,items.*.error.reason', 'application/x-ndjson'],
    );
    assert.equal(textAt(body, 0, 'create', '_index'), 'kubernetes-changes-shop');
    assert.match(textAt(body, 0, 'create', '_id'), /^(?:added|updated|firing|resolved)-\d+-\d{13}$/);
    assert.ok(Date.parse(textAt(body, 1, '@timestamp')) > 0);
    assert.notEqual(textAt(body, 1, 'message'), '');
    assert.ok(Array.isArray(at(body, 1, 'by')));
    assert.equal(at(body, 2), undefined);
  },
  Splunk(body, { headers }) {
    assert.equal(headers.authorization, 'Splunk secret-SPLUNK_HEC_TOKEN');
    assert.equal(typeof at(body, 'time'), 'number');
    assert.notEqual(textAt(body, 'event', 'message'), '');
  },
  Datadog(body) {
    assert.ok(textAt(body, 'text').length <= 4000);
    assert.ok(['info', 'warning', 'error', 'success'].includes(textAt(body, 'alert_type')));
    assert.equal(typeof at(body, 'date_happened'), 'number');
    assert.ok(textAt(body, 'aggregation_key').length <= 100);
  },
  'E-mail'(body) {
    assert.doesNotMatch(textAt(body, 'subject'), /\n/);
    assert.notEqual(textAt(body, 'content', 0, 'value'), '');
  },
};

/** Those that accept alerts only. */
const ALERTS_ONLY: ReadonlySet<string> = new Set(['Opsgenie', 'Alertmanager']);

/** The answer of receivers that say in the body whether they accepted the message. */
const ACCEPTED = '{"errcode":0,"code":0,"errors":false}';

/** Of several lines of JSON, a list. */
function contentOf({ headers, body }: CapturedRequest): unknown {
  if (headers['content-type'] !== 'application/x-ndjson') return JSON.parse(body);
  assert.match(body, /\n$/, 'the last line ends, too');
  return body
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

/** A separate chain with the example after the given handlers, sending to our receiver. */
function chainOf(name: string, before: string, toml: string, url: string): string {
  const towards = toml
    .replace(/^url = "(?:https?:\/\/[^/"]+|\$\{[A-Z_]+\})/gm, `url = "${url}`)
    .replace(/^messagesPerSecond.*\n/m, '')
    .replace(/\$\{([A-Z_]+)\}/g, 'secret-$1')
    .replace(/^(\[+)(handler|branch)/gm, '$1chain.$2');
  return `[[chain]]\nname = "${name}"\n${before}${towards}`;
}

const deployment = (image: string, words: string): Manifest => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', annotations: { words } },
  spec: { replicas: 1, template: { spec: { containers: [{ name: 'web', image }] } } },
});

const EVENT = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'web-1.17a', namespace: 'shop' },
  involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
  reason: 'BackOff',
  message: 'Back-off restarting failed container',
  type: 'Warning',
};

/** The cause is at the end, as of a mount or a pod that fits no node. */
const LONG_EVENT = {
  ...EVENT,
  metadata: { name: 'web-1.17b', namespace: 'shop' },
  message: `${'0/9 nodes are available, '.repeat(13)}\nand this is THE CAUSE`,
};

const EMPTY_EVENT = {
  ...EVENT,
  metadata: { name: 'web-1.17c', namespace: 'shop' },
  involvedObject: {},
  reason: '',
  message: '',
  type: '',
};

/** Ends a code block, mentions everybody, and is long, with multi-byte characters. */
const HOSTILE = `\`\`\`\n@everyone <users/all> <!channel> "quoted" \\ \u001b[31m\n${'Ä line of a long text. '.repeat(4_000)}`;

const crashing = podOf({ containers: [waiting('CrashLoopBackOff', { lastState: terminated(1, 'Error') })] });

const SOURCES = {
  changes: `${['deployment', 'event'].map((kind) => `[[chain.resource]]\nkind = "${kind}"\n`).join('')}[[chain.handler]]\nname = "diff"\n`,
  alerts: '[[chain.resource]]\nkind = "pod"\n[[chain.handler]]\nname = "podAlerts"\nholdDown = "10ms"\n',
};

describe('docs/receivers.md', () => {
  test('each recipe is tested', () => {
    assert.deepEqual(
      RECIPES.map(({ name }) => name),
      Object.keys(TAKES),
    );
  });

  for (const { name, toml } of RECIPES) {
    test(`${name} gets a valid body: an update, a large one, Events with a long message and with none, an alert and its end`, async () => {
      await using world = await World.start(() => ({ body: ACCEPTED }));
      const sources = ALERTS_ONLY.has(name) ? (['alerts'] as const) : (['changes', 'alerts'] as const);
      const config = sources.map((one) => chainOf(one, SOURCES[one], toml, world.slack.url)).join('');
      world.server.create(deployment('nginx:1.7.9', ''));
      world.server.create(podOf({ containers: [RUNNING] }));
      await using running = await world.run({ config });
      if (!ALERTS_ONLY.has(name)) {
        world.server.update(deployment('nginx:1.9.1', ''), { manager: 'kubectl-set' });
        world.server.update(deployment('nginx:1.9.1', HOSTILE), { manager: 'kubectl-annotate' });
        for (const event of [EVENT, LONG_EVENT, EMPTY_EVENT]) world.server.create(event);
        await world.slack.waitFor(5);
      }
      world.server.update(crashing);
      await world.slack.waitFor(world.slack.requests.length + 1);
      world.server.update(podOf({ containers: [RUNNING] }));
      await world.slack.waitFor(sources.length === 1 ? 2 : 7);
      await running.app.idle();
      for (const request of world.slack.requests) TAKES[name]?.(contentOf(request), request, world.slack.requests);
      assert.equal(world.slack.requests.length, sources.length === 1 ? 2 : 7);
      const causes = world.slack.requests.filter(({ body }) => body.includes('THE CAUSE'));
      assert.equal(causes.length, sources.length - 1, 'the end of a long message arrives');
      assert.equal(
        (await running.app.store.balances()).reduce((n, { dead }) => n + dead, 0),
        0,
      );
    });
  }

  const conflict = '[added-1-1]: version conflict, document already exists (current version [1])';
  for (const [name, body] of [
    ['Elasticsearch, OpenSearch', { result: 'updated' }],
    ['Elasticsearch, an index per namespace', { errors: true, items: [{ create: { error: { reason: conflict } } }] }],
  ] as const) {
    test(`${name}: a retry after a lost answer names the same document, and is delivered`, async () => {
      await using world = await World.start((_, n) => (n === 1 ? { reset: true } : { body: JSON.stringify(body) }));
      const toml = RECIPES.find((recipe) => recipe.name === name)?.toml ?? '';
      const chain = chainOf('changes', SOURCES.changes, toml, world.slack.url);
      await using running = await world.run({ config: `[retry]\nminTimeout = "1ms"\n${chain}` });
      world.server.create(EVENT);
      await world.slack.waitFor(2);
      await running.app.idle();
      const [first = '', second] = world.slack.requests.map(({ path, body }) => `${path} ${body}`);
      assert.match(first, /\badded-\d+-\d{13}\b/);
      assert.equal(second, first);
      const [{ dead, completed } = {}] = await running.app.store.balances();
      assert.deepEqual({ dead, completed }, { dead: 0, completed: 1 });
    });
  }

  test('Matrix: a room gets a change and the alert about it, though both have the same number', async () => {
    await using world = await World.start(() => ({ body: ACCEPTED }));
    const toml = RECIPES.find(({ name }) => name === 'Matrix')?.toml ?? '';
    const pods = '[[chain.resource]]\nkind = "pod"\n[[chain.handler]]\nname = "diff"\n';
    const sources = { pods, alerts: SOURCES.alerts };
    const config = Object.entries(sources).map(([name, before]) => chainOf(name, before, toml, world.slack.url));
    world.server.create(podOf({ containers: [RUNNING] }));
    await using running = await world.run({ config: config.join('') });
    world.server.update({ ...crashing, metadata: { ...crashing.metadata, annotations: { words: 'new' } } });
    await world.slack.waitFor(2);
    await running.app.idle();
    assert.equal(new Set(world.slack.requests.map(({ path }) => path)).size, 2, 'a server ignores a second one');
  });
});
