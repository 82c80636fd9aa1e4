/** kubernetes-event-exporter's acceptance list, 29 to 37: how Events leave. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { World, type Running } from '../e2e/world.ts';
import { until } from '../until.ts';
import { imported, podEvent, run, SEED_EVENT, toHook } from './exporter.ts';

const NAME = '      layout: { name: "{{ .Name }}" }\n';
const names = (receiver: Pick<CapturedReceiver, 'requests'>) =>
  receiver.requests.map(({ body }) => (JSON.parse(body) as { readonly name: string }).name);
const numbered = (count: number) => Array.from({ length: count }, (_, n) => `event-${String(n).padStart(2, '0')}`);

/** Ended deliveries of the only chain. */
async function ends(running: Running): Promise<object> {
  const [{ completed, dead } = { completed: 0, dead: 0 }] = await running.app.store.balances();
  return { completed, dead };
}

describe("event-exporter's deliveries", { timeout: 180_000 }, () => {
  test('29, 30 both recipes in one configuration: one Event, two requests', async () => {
    await using world = await World.start();
    const config = `route:
  routes:
    - match: [{ apiversion: cluster.x-k8s.io/v1alpha3, kind: Cluster, reason: ClusterIsUpdating, receiver: slack }]
    - match: [{ kind: Cluster|MachineDeployment, receiver: grafana }]
receivers:
  - { name: slack, webhook: { endpoint: "${world.slack.url}/slack", layout: { text: Your Slack message here. } } }
  - name: grafana
    webhook:
      endpoint: ${world.slack.url}/api/annotations/graphite
      headers: { Authorization: Bearer TOKEN, Content-Type: application/json, Accept: application/json }
      layout: { what: "{{ .InvolvedObject.Kind }} - {{ .Reason }}", tags: ["event", "{{ .Source.Component }}"] }
`;
    await using running = await run(world, config);
    world.server.create(SEED_EVENT);
    await world.slack.waitFor(2);
    await running.app.idle();
    assert.deepEqual(world.slack.requests.map(({ path, body }) => `${path} ${body}`).toSorted(), [
      '/api/annotations/graphite {"tags":["event",""],"what":"Cluster - ClusterIsUpdating"}',
      '/slack {"text":"Your Slack message here."}',
    ]);
    const [annotation] = world.slack.requests.filter(({ path }) => path !== '/slack');
    assert.equal(annotation?.headers.authorization, 'Bearer TOKEN');
    assert.equal(annotation?.rawHeaders.filter((name) => name.toLowerCase() === 'content-type').length, 1);
  });

  test('1 Loki, Elasticsearch and OpenSearch get the requests that event-exporter sends', async () => {
    await using world = await World.start();
    const config = `route: { match: [{ receiver: loki }, { receiver: line }, { receiver: es }, { receiver: os }] }
receivers:
  - name: loki
    loki: { url: "${world.slack.url}/loki", streamLabels: { app: events, n: "{{ .Count }}" }, headers: { X-Scope-OrgID: 0 } }
  - name: line
    loki: { url: "${world.slack.url}/line", streamLabels: { a: b }, layout: { z: "{{ .Message }}", "a{{": [1, { k: 'x "y"' }] } }
  - name: es
    elasticsearch:
      hosts: ["${world.slack.url}/es/"]
      index: unused
      indexFormat: "kube-events-{2006}"
      apiKey: k
      layout: { reason: "{{ .Reason }}" }
  - name: os
    opensearch:
      hosts: ["${world.slack.url}"]
      index: events
      username: admin
      password: 'p"a#$HOME'
      useEventID: true
      deDot: true
      layout: { labels: "{{ toJson .Labels }}" }
`;
    await using running = await run(world, config);
    world.server.create({
      ...podEvent({
        message: 'a <b> "c"',
        metadata: { name: 'web.1', namespace: 'default', uid: 'u/1', labels: { 'a.b': 'c' } },
      }),
    });
    await world.slack.waitFor(4);
    await running.app.idle();
    const year = new Date().getUTCFullYear();
    const [es, os, line, loki] = world.slack.requests.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    assert.deepEqual(
      [es?.method, es?.path, es?.headers.authorization],
      ['POST', `/es/kube-events-${year}/_doc`, 'ApiKey k'],
    );
    assert.equal(es?.body, '{"reason":"BackOff"}');
    assert.deepEqual([os?.method, os?.path], ['PUT', '/events/_doc/u%2F1']);
    assert.equal(
      os?.headers.authorization,
      `Basic ${Buffer.from(`admin:p"a#${world.workdir.path}`).toString('base64')}`,
    );
    assert.equal(os?.body, String.raw`{"labels":"{\"a_b\":\"c\"}"}`);
    assert.equal(loki?.headers['x-scope-orgid'], '0');
    const entry = (body = '') => {
      const { streams } = JSON.parse(body) as { streams: [{ stream: object; values: [[string, string]] }] };
      const [
        {
          stream,
          values: [[time, text]],
        },
      ] = streams;
      assert.match(time, /^\d{10}0{9}$/);
      return { stream, line: JSON.parse(text) as Record<string, unknown> };
    };
    assert.deepEqual(entry(line?.body), { stream: { a: 'b' }, line: { 'a{{': [1, { k: 'x "y"' }], z: 'a <b> "c"' } });
    const whole = entry(loki?.body);
    assert.deepEqual([whole.stream, whole.line['reason']], [{ app: 'events', n: '1' }, 'BackOff']);
  });

  test('31 header values are templates, and override the default ones', async () => {
    await using world = await World.start();
    const layout = `      headers: { X-Reason: "{{ .Reason }}", content-type: text/plain, User-Agent: kube-event-exporter 1.0, Host: elsewhere }\n`;
    await using running = await run(world, toHook(world.slack.url, { layout }));
    world.server.create(podEvent());
    await world.slack.waitFor(1);
    await running.app.idle();
    const [request] = world.slack.requests;
    assert.equal(request?.headers['x-reason'], 'BackOff');
    assert.equal(request?.headers['user-agent'], 'kube-event-exporter 1.0');
    assert.equal(request?.headers.host, new URL(world.slack.url).host);
    const types = request?.rawHeaders.filter(
      (_, n, all) => n % 2 === 1 && all[n - 1]?.toLowerCase() === 'content-type',
    );
    assert.deepEqual(types, ['text/plain']);
  });

  test('32 a 500, a 429 and a reset are retried; a 400 is not, and is logged', async () => {
    const answers = [
      { status: 500 },
      { status: 429, headers: { 'retry-after': '1' } },
      { reset: true },
      {},
      { status: 400 },
    ];
    await using world = await World.start((_, n) => answers[n - 1] ?? {});
    const asked: number[] = [];
    const toml = await imported(toHook(world.slack.url, { layout: NAME }));
    await using running = await world.run({ config: `retry = { minTimeout = "10ms" }\n${toml}` });
    world.server.create(podEvent({ name: 'troubled' }));
    await world.slack.waitFor(4);
    asked.push(...world.slack.requests.map(({ at }) => at));
    world.server.create(podEvent({ name: 'refused' }));
    await world.slack.waitFor(5);
    await until('the end of both', async () => ((await ends(running)) as { dead: number }).dead === 1);
    await running.app.idle();

    assert.deepEqual(names(world.slack), ['troubled', 'troubled', 'troubled', 'troubled', 'refused']);
    assert.ok((asked[2] ?? 0) - (asked[1] ?? 0) >= 1_000, 'Retry-After is honoured');
    assert.deepEqual(await ends(running), { completed: 1, dead: 1 });
    assert.match(running.serviceLog(), /answered 400[^\n]*"level":"error"/);
  });

  test('33 a receiver that hangs delays no other, and its request times out', async () => {
    await using world = await World.start(({ path }) => (path === '/hang' ? { hang: true } : {}));
    const more = `  - { name: hang, webhook: { endpoint: "${world.slack.url}/hang" } }\n`;
    const route = 'route: { match: [{ receiver: hang }, { receiver: hook }] }';
    const toml = await imported(toHook(world.slack.url, { route, more, layout: NAME }));
    await using running = await world.run({
      config: toml.replaceAll('name = "webhook"\n', 'name = "webhook"\ntimeout = "500ms"\n'),
    });
    const all = numbered(20);
    for (const name of all) world.server.create(podEvent({ name }));
    const done = () => world.slack.requests.filter(({ path }) => path === '/hook');
    await until('the others', () => done().length === 20);
    assert.deepEqual(names({ requests: done() }), all);
    await until('a second attempt', () => world.slack.requests.length >= 22);
    await running.app.stop(0);
  });

  test('34 a receiver gets Events in order, even if one of its answers is slow', async () => {
    await using world = await World.start((_, n) => (n === 3 ? { delayMs: 500 } : {}));
    await using running = await run(world, toHook(world.slack.url, { layout: NAME }));
    const all = numbered(20);
    for (const name of all) world.server.create(podEvent({ name }));
    await world.slack.waitFor(20);
    await running.app.idle();
    assert.deepEqual(names(world.slack), all);
  });

  test('35 SIGTERM loses none of 20 Events to a receiver that takes 400 ms for each: the next start sends the rest', async () => {
    await using server = await startApiServer();
    await using receiver = await startReceiver(() => ({ delayMs: 400 }));
    await using workdir = await Workdir.make();
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    const config = await workdir.write('config.yaml', toHook(receiver.url, { layout: NAME }));
    const args = ['-c', config, '-k', kubeconfig, '--listen', '127.0.0.1:0'];
    const all = numbered(20);
    {
      await using program = new Program(args, { cwd: workdir.path });
      await program.ready();
      for (const name of all) server.create(podEvent({ name }));
      await receiver.waitFor(2);
      const { code } = await program.stop();
      assert.equal(code, 0);
    }
    assert.ok(receiver.requests.length < 20);
    await using program = new Program(args, { cwd: workdir.path });
    await receiver.waitFor(20);
    await program.stop();
    assert.deepEqual(names(receiver), all);
  });

  test('36 stdout and file hold a line of JSON for each Event, and the log goes to stderr', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    const config = `logLevel: debug
logFormat: pretty
route: { match: [{ receiver: out }, { receiver: kept }] }
receivers:
  - { name: out, stdout: { layout: { name: "{{ .Name }}", message: "{{ .Message }}" } } }
  - { name: kept, file: { path: events.jsonl, layout: { name: "{{ .Name }}", message: "{{ .Message }}" } } }
`;
    const file = await workdir.write('config.yaml', config);
    await using program = new Program(['-c', file, '-k', kubeconfig, '--listen', '127.0.0.1:0'], { cwd: workdir.path });
    await program.until('the watch', ({ stderr }) => /Watching|Started/.test(stderr));
    await server.waitForWatches(1, '/api/v1/events');
    for (const name of ['one', 'two']) server.create(podEvent({ name, message: 'a\nb' }));
    await program.until('both', ({ stdout }) => stdout.split('\n').length > 2);
    const lines = () => readFile(workdir.file('events.jsonl'), 'utf8').catch(() => '');
    await until('both in the file', async () => (await lines()).split('\n').length > 2);
    const { stdout, stderr } = await program.stop();
    assert.equal(stdout, '{"message":"a\\nb","name":"one"}\n{"message":"a\\nb","name":"two"}\n');
    assert.equal(await lines(), stdout);
    assert.match(stderr, /DEBUG/);
  });

  test('37 Slack with a token: text and one attachment whose fields are in order', async () => {
    const slack = `  - name: slack
    slack:
      token: xoxb-1
      channel: "#{{ .Namespace }}"
      message: "Received {{ .Message }} <x>"
      color: danger
      title: "{{ .Reason }}"
      fields: { reason: "{{ .Reason }}", kind: "{{ .InvolvedObject.Kind }}" }
`;
    const posts = await toSlack(slack, [podEvent({ message: 'a & b' })]);
    assert.deepEqual(posts, [
      {
        path: '/chat.postMessage',
        channel: '#default',
        text: 'Received a &amp; b &lt;x&gt;',
        attachments: [
          {
            color: 'danger',
            fallback: 'BackOff',
            title: 'BackOff',
            fields: [
              { title: 'kind', value: 'Pod', short: false },
              { title: 'reason', value: 'BackOff', short: false },
            ],
          },
        ],
      },
    ]);
  });

  test("37 threads of Giant Swarm's build: one for each upgrade, with the emoji when it is done", async () => {
    const slack = `  - name: slack
    slack:
      token: xoxb-1
      channel: "#upgrades"
      cache: { name: thread-cache, namespace: giantswarm }
      threadKey: '{{ .InvolvedObject.Namespace }}/{{ .InvolvedObject.Name }}/{{ index .Annotations "giantswarm.io/target-version" }}'
      completionCondition: '{{ if eq .Reason "Upgraded" }}true{{ end }}'
      completionEmoji: ":tada:"
      message: '{{ .Reason }}'
`;
    const upgrade = (name: string, reason: string, cluster: string) => ({
      ...SEED_EVENT,
      metadata: { name, namespace: 'default', annotations: { 'giantswarm.io/target-version': '30.1.0' } },
      involvedObject: { ...SEED_EVENT.involvedObject, name: cluster },
      reason,
    });
    const posts = await toSlack(slack, [
      upgrade('1', 'Upgrading', 'a'),
      upgrade('2', 'Upgrading', 'b'),
      upgrade('3', 'UpgradedControlPlane', 'a'),
      upgrade('4', 'Upgraded', 'a'),
      upgrade('5', 'Upgrading', 'a'),
    ]);
    assert.deepEqual(posts, [
      { path: '/chat.postMessage', channel: '#upgrades', text: 'Upgrading' },
      { path: '/chat.postMessage', channel: '#upgrades', text: 'Upgrading' },
      { path: '/chat.postMessage', channel: 'C1', thread_ts: '1.0', text: 'UpgradedControlPlane' },
      { path: '/chat.postMessage', channel: 'C1', thread_ts: '1.0', text: 'Upgraded' },
      { path: '/reactions.add', channel: 'C1', timestamp: '1.0', name: 'tada' },
      { path: '/chat.postMessage', channel: '#upgrades', text: 'Upgrading' },
    ]);
  });
});

/** What is sent to Slack for the Events, without previews of links; kubernetes-event-exporter's file cannot set Slack's address. */
async function toSlack(receiver: string, events: readonly object[]): Promise<object[]> {
  await using world = await World.start((_, n) => ({
    body: JSON.stringify({ ok: true, channel: 'C1', ts: `${n}.0` }),
  }));
  const toml = await imported(`route: { match: [{ receiver: slack }] }\nreceivers:\n${receiver}`);
  const reach = `name = "slack"\napiURL = "${world.slack.url}"\nmessagesPerSecond = 0\n`;
  await using running = await world.run({ config: toml.replace('name = "slack"\n', reach) });
  for (const event of events) world.server.create(event);
  await world.slack.waitFor(events.length);
  await running.app.idle();
  return world.slack.requests.map(({ path, body }) => {
    const { unfurl_links: _, unfurl_media: __, ...message } = JSON.parse(body) as Readonly<Record<string, unknown>>;
    return { path, ...message };
  });
}
