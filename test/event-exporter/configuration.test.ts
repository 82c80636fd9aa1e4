/** kubernetes-event-exporter's acceptance list, 1 to 4: its configuration. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Program, Workdir } from '../e2e/program.ts';
import { imported, load, problemsOf, shape, toHook, withoutFolder } from './exporter.ts';
import { runCommand } from '../run-command.ts';

const URL = 'http://receiver.example';

/** Four routes and ten receivers of all kinds, as in its documentation. */
const EXAMPLE = `logLevel: debug
logFormat: json
maxEventAgeSeconds: 10
kubeQPS: 60
kubeBurst: 60
route:
  routes:
    - match:
        - receiver: "dump"
    - match:
        - receiver: "alert"
        - receiver: "hook"
      drop:
        - namespace: "*test*"
        - type: "Normal"
          minCount: 5
          apiVersion: "*beta*"
    - match:
        - kind: "Pod|Deployment|ReplicaSet"
          labels:
            version: "dev"
          receiver: "slack"
    - match:
        - receiver: "firehose"
      drop:
        - type: "Normal"
receivers:
  - { name: dump, elasticsearch: { hosts: ["http://localhost:9200"], apiKey: "\${ELASTIC_API_KEY}" } }
  - { name: opensearch-dump, opensearch: { hosts: ["http://localhost:9200"] } }
  - { name: alert, opsgenie: { apiKey: "", message: "Event {{ .Reason }}" } }
  - name: slack
    slack:
      token: "xoxb-1"
      channel: "#mustafa-test"
      message: "Received a Kubernetes Event {{ .Message}}"
      fields:
        reason: "{{ .Reason }}"
        message: "{{ .Message }}"
  - name: hook
    webhook:
      endpoint: "http://localhost:3000"
      headers:
        X-API-KEY: "123"
      streamName: "applicationMetric"
      layout:
        createdAt: "{{ .GetTimestampMs }}"
        details: { labels: "{{ toJson .InvolvedObject.Labels}}" }
  - { name: kafka, kafka: { topic: "kube-event", brokers: ["localhost:9092"] } }
  - { name: pubsub, pubsub: { gcloud_project_id: "my-project", topic: "kube-event" } }
  - { name: eventbridge, eventbridge: { detailType: "deployment", source: "cd" } }
  - { name: syslog, syslog: { network: "tcp", address: "127.0.0.1:11514" } }
  - { name: firehose, firehose: { deliveryStreamName: "kubernetes-events", region: "us-east-1" } }
`;
const NOT_BUILT = ['alert', 'kafka', 'pubsub', 'eventbridge', 'syslog', 'firehose'];

describe("event-exporter's configuration", () => {
  test('1 each receiver of its example that is not supported is named; --lenient loads the others', async () => {
    const problems = await problemsOf(EXAMPLE);
    const named = problems.flatMap((line) => /: receiver "([^"]+)": (\w+) is not supported/.exec(line)?.[1] ?? []);
    assert.deepEqual(named, NOT_BUILT);
    const { chains, warnings, log } = await load(EXAMPLE, { lenient: true });
    assert.deepEqual(
      chains.flatMap((chain) => shape(chain)),
      ['default: maxAge, repeats', '  hook: webhook', '  slack: match, slack'],
    );
    assert.deepEqual(log, { level: 'debug', format: 'json' });
    for (const name of NOT_BUILT)
      assert.ok(
        warnings.some((line) => line.includes(`receiver "${name}"`)),
        name,
      );
    // Their webhook ignores it, too.
    assert.ok(
      warnings.some((line) =>
        line.endsWith('config.yaml:44: receivers[4].webhook.streamName: has no effect, as before'),
      ),
    );
  });

  test('1 check refuses its example, and accepts it with --lenient', async () => {
    await using workdir = await Workdir.make();
    const file = await workdir.write('config.yaml', EXAMPLE);
    const refused = await new Program(['check', '-c', file]).exited();
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /config\.yaml:34: receivers\[7\]\.eventbridge|receiver "eventbridge": eventbridge is not supported/,
    );
    const lenient = await new Program(['check', '-c', file, '--lenient']).exited();
    assert.equal(lenient.code, 0, lenient.stderr);
    assert.match(lenient.stdout, /is valid\.\n.*config\.yaml:\d+: .*is not a regular expression, so it never matches/s);
  });

  test('2 the spellings of all builds mean the same', async () => {
    const rule = (apiVersion: string, minCount: string) =>
      `route: { routes: [{ match: [{ ${apiVersion}: v1, ${minCount}: 2, receiver: hook }] }] }`;
    const options = async (route: string) => {
      const { chains } = await load(toHook(URL, { route }), { repeats: 'every' });
      return chains[0]?.handlers.map((handler) => handler.options);
    };
    const newer = await options(rule('apiVersion', 'minCount'));
    assert.deepEqual(newer, await options(rule('apiversion', 'mincount')));
    assert.match(
      JSON.stringify(newer),
      /"involvedApiVersion":"v1".*"minCount":2|"minCount":2.*"involvedApiVersion":"v1"/,
    );
  });

  test('16 changes are not coalesced when every repeat is wanted', async () => {
    const coalesces = async (repeats: 'first' | 'every') => (await load(toHook(URL), { repeats })).chains[0]?.coalesce;
    assert.deepEqual([await coalesces('first'), await coalesces('every')], [true, false]);
  });

  test('3 variables are expanded as by event-exporter, $$ is a dollar sign, and template variables survive', async () => {
    const env = { SECRET: 's3', URL };
    const layout = `      layout:
        a: "\${SECRET}$SECRET\${UNSET}-"
        b: "cost $5 $1x \${bad-name}"
        c: "x$ (Foo$|^Bar$) $$5"
        d: "{{ $x := .Reason }}{{ $x }}"
        # e: "$OFF"
`;
    const { chains, warnings } = await load(toHook('${URL}', { layout }), { env });
    const { url, layout: loaded } = (chains[0]?.handlers.at(-1)?.options ?? {}) as { url: string; layout: object };
    assert.equal(url, `${URL}/hook`);
    assert.deepEqual(
      { ...loaded },
      {
        a: 's3s3-',
        b: 'cost  x ',
        c: 'x$ (Foo$|^Bar$) $5',
        d: '{% assign v_x_1 = event.reason %}{{ v_x_1 }}',
      },
    );
    assert.deepEqual(warnings.map(withoutFolder), [
      'config.yaml:7: the variable UNSET is not set: it is treated as empty, as before',
      'config.yaml:8: the variable 5 is not set: it is treated as empty, as before',
      'config.yaml:8: the variable 1 is not set: it is treated as empty, as before',
      'config.yaml:8: the variable bad-name is not set: it is treated as empty, as before',
    ]);
  });

  test('2 a pattern of several lines matches without the line feed at its end', async () => {
    const options = async (rule: string) => {
      const { chains } = await load(toHook(URL, { route: `route:\n  match:\n    - receiver: hook\n${rule}` }));
      return chains[0]?.handlers.find(({ definition }) => definition.name === 'match')?.options;
    };
    assert.deepEqual(
      await options(
        '      reason: >\n        BackOff|\n        Failed\n      labels:\n        app: |\n          ^web$\n',
      ),
      await options('      reason: "BackOff| Failed"\n      labels: { app: "^web$" }\n'),
    );
  });

  test('3 a value with a variable is read with its type, and a secret is not shown', async () => {
    const more = 'maxEventAgeSeconds: ${AGE}\nomitLookup: $OMIT\n';
    const config = await load(toHook(URL, { more }), { env: { AGE: '60', OMIT: 'true' } });
    assert.equal(config.chains[0]?.resources[0]?.events?.[0]?.maxAgeMs, 60_000);
    for (const who of ['$WHO', '${WHO}']) {
      const named = `route: { match: [{ receiver: ${who} }] }\nreceivers: [{ name: hook, stdout: {} }]\n`;
      const { chains } = await load(named, { env: { WHO: 'hook' } });
      assert.equal(chains[0]?.handlers.at(-1)?.definition.name, 'stdout');
    }
    const problems = await problemsOf(toHook('$SECRET'), { env: { SECRET: 'hunter2' } });
    assert.deepEqual(problems, ['config.yaml:5: receivers[0].webhook.endpoint: must be an https:// or http:// URL']);
  });

  test('3 import reports an unset variable where no reference to it can stand', async () => {
    const toml = await imported(toHook(URL, { more: 'maxEventAgeSeconds: ${AGE}\nclusterName: ${CLUSTER}\n' }));
    assert.match(
      toml,
      /^# \S*their\.yaml:6: maxEventAgeSeconds: the variable AGE is not set, and this place cannot refer to it: it is treated as empty$/m,
    );
    assert.doesNotMatch(toml, /variable CLUSTER/);
  });

  test('3 import refuses an unset variable as the name of a receiver, and names it', async () => {
    await using workdir = await Workdir.make();
    const yaml = 'route: { match: [{ receiver: "${TO}" }] }\nreceivers: [{ name: "${TO}", stdout: {} }]\n';
    const { code, stderr } = await runCommand(['import', await workdir.write('their.yaml', yaml)], { env: {} });
    assert.equal(code, 1);
    assert.deepEqual(
      stderr
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/^.*their/, 'their')),
      [
        'their.yaml:1: route.match[0].receiver: the variable TO is not set, and a name cannot refer to it: set it for this command',
        'their.yaml:2: receivers[0].name: the variable TO is not set, and a name cannot refer to it: set it for this command',
      ],
    );
  });

  test('4 the age of Events is 5 seconds by default; both of its names at once are refused', async () => {
    const maxAge = async (more: string) =>
      (await load(toHook(URL, { more }))).chains[0]?.resources[0]?.events?.[0]?.maxAgeMs;
    assert.deepEqual(
      [await maxAge(''), await maxAge('maxEventAgeSeconds: 123\n'), await maxAge('throttlePeriod: 123\n')],
      [5_000, 123_000, 123_000],
    );
    assert.deepEqual(await problemsOf(toHook(URL, { more: 'throttlePeriod: 123\nmaxEventAgeSeconds: 321\n' })), [
      'config.yaml:6: throttlePeriod: must not be set together with maxEventAgeSeconds: it is the old name of that key',
    ]);
  });

  test('40 leader election holds a Lease of the given name, or of the default one of event-exporter', async () => {
    const nameOf = async (election: string) =>
      (await load(toHook(URL, { more: `leaderElection: ${election}\n` }))).lease?.name;
    assert.deepEqual(
      [
        await nameOf('{ enabled: true, leaderElectionID: mine }'),
        await nameOf('{ enabled: true }'),
        await nameOf('{ enabled: true, leaderElectionID: "" }'),
        await nameOf('{ leaderElectionID: mine }'),
      ],
      ['mine', 'kubernetes-event-exporter', 'kubernetes-event-exporter', undefined],
    );
  });

  test('4 an empty value, as charts write for unset ones, counts as absent', async () => {
    const more = 'logLevel: ""\nlogFormat: ""\nmetricsNamePrefix: ""\nnamespace: ""\nclusterName: ""\n';
    const [config, plain] = [await load(toHook(URL, { more })), await load(toHook(URL))];
    assert.deepEqual([config.log, config.chains[0]?.resources[0]?.namespaces], [plain.log, []]);
  });

  test('3 import keeps the variable of clusterName as a reference', async () => {
    const route = 'route: { match: [{ receiver: teams }] }\nclusterName: $CLUSTER';
    const toml = await imported(`${route}\nreceivers: [{ name: teams, teams: { endpoint: "${URL}" } }]\n`);
    assert.match(toml, /enhanced_event: involved, "\$\{CLUSTER\}"/);
  });

  test('4 a variable with an empty value counts as absent', async () => {
    const yaml = toHook(URL, { more: 'namespace: ${NS}\nclusterName: "$CLUSTER"\n' });
    const config = await load(yaml, { env: { NS: '', CLUSTER: '' } });
    assert.deepEqual([config.cluster.name, config.chains[0]?.resources[0]?.namespaces], [undefined, []]);
    assert.match(await imported(yaml), /^name = "\$\{CLUSTER\}"$[^]*^namespaces = \[ "\$\{NS\}" \]$/m);
  });

  test('4 metricsNamePrefix is checked as by event-exporter', async () => {
    const problems = (prefix: string) => problemsOf(toHook(URL, { more: `metricsNamePrefix: "${prefix}"\n` }));
    for (const prefix of [
      'kubernetes_event_exporter_',
      'test_',
      'test_test_',
      'test::test_test_',
      'TEST::test_test_',
      'test_test::1234_test_',
    ])
      assert.deepEqual(await problems(prefix), [], prefix);
    for (const prefix of ['no_tracing_underscore', '__reserved_', '::wrong_', '13245_test_'])
      assert.match(
        (await problems(prefix)).join(),
        /^config\.yaml:6: metricsNamePrefix: must match \^\[a-zA-Z\]/,
        prefix,
      );
    assert.match(
      (await problems('watchchain_')).join(),
      /^config\.yaml:6: metricsNamePrefix: is the prefix of watchchain's own/,
    );
  });
});
