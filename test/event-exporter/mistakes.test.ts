/** kubernetes-event-exporter's acceptance list, 5 and 6: mistakes in its configuration. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { load, problemsOf, shape, toHook, withoutFolder } from './exporter.ts';

const URL = 'http://receiver.example';

describe("mistakes in event-exporter's configuration", () => {
  for (const [what, yaml, problem] of [
    [
      'an unknown key at the top',
      toHook(URL, { more: 'logLevl: info\n' }),
      '6: logLevl: unknown key; did you mean "logLevel"?; --lenient leaves it out',
    ],
    [
      'an unknown key of a rule',
      toHook(URL, { route: 'route: { match: [{ resaon: x, receiver: hook }] }' }),
      '1: route.match[0].resaon: unknown key; did you mean "reason"?; --lenient leaves it out',
    ],
    [
      'an unknown key of a receiver',
      toHook(URL, { layout: '      header: {}\n' }),
      '6: receivers[0].webhook.header: unknown key; did you mean "headers"?; --lenient leaves it out',
    ],
    [
      'an unknown receiver type',
      'route: { match: [{ receiver: hook }] }\nreceivers: [{ name: hook, webhok: {} }]\n',
      '2: receivers[0].webhok: unknown receiver type; did you mean "webhook"?; --lenient leaves it out',
    ],
    [
      'a receiver type of another build',
      'route: { match: [{ receiver: hook }] }\nreceivers: [{ name: hook, prometheus: {} }]\n',
      '2: receivers[0].prometheus: unknown receiver type; supported are webhook, file, stdout, slack, teams, loki, elasticsearch, opensearch; --lenient leaves it out',
    ],
    [
      'the URL of a webhook for slack',
      'route: { match: [{ receiver: hook }] }\nreceivers: [{ name: hook, slack: { webhookUrl: https://x } }]\n',
      '2: receivers[0].slack.webhookUrl: unknown key: slack sends with a token to a channel; for the URL of a webhook, use the type webhook with layout: {text: "..."}; --lenient leaves it out',
    ],
    [
      'the id of a cloud, which only its clients can resolve',
      'route: { match: [{ receiver: es }] }\nreceivers: [{ name: es, elasticsearch: { cloudID: "x:y", index: i } }]\n',
      '2: receivers[0].elasticsearch.cloudID: is not supported: write the https:// address of the deployment into hosts; --lenient leaves it out',
    ],
    [
      'a store without a host',
      'route: { match: [{ receiver: os }] }\nreceivers: [{ name: os, opensearch: { index: i } }]\n',
      '2: receivers[0].opensearch.hosts: is missing: it must list the address of a node; --lenient leaves it out',
    ],
    [
      'a store without an index',
      'route: { match: [{ receiver: os }] }\nreceivers: [{ name: os, opensearch: { hosts: ["http://x"] } }]\n',
      '2: receivers[0].opensearch: needs an index or an indexFormat; --lenient leaves it out',
    ],
    [
      'routes at the top level',
      'routes: [{ match: [{ receiver: hook }] }]\nreceivers: [{ name: hook, stdout: {} }]\n',
      '1: routes: has no effect here: it belongs below route; --lenient leaves it out',
    ],
    [
      'drop in a rule',
      toHook(URL, { route: 'route: { match: [{ receiver: hook }, { drop: [{ type: Normal }] }] }' }),
      '1: route.match[1].drop: has no effect in a rule: it belongs to the route, beside the list that holds this rule; --lenient leaves it out',
    ],
    [
      "a field by its name in the Event's JSON",
      toHook(URL, { layout: '      layout:\n        by: "{{ .ReportingComponent }}"\n' }),
      '7: receivers[0].webhook.layout.by: must be a Go template that can be translated: there is no field .ReportingComponent in an Event; did you mean "ReportingController"?; --lenient leaves it out',
    ],
    [
      'a receiver type without effect in event-exporter',
      'route: { match: [{ receiver: hook }] }\nreceivers: [{ name: hook, splunk: {} }]\n',
      '2: receivers[0].splunk: receiver "hook": splunk is not supported; use a webhook with a layout instead: docs/receivers.md; --lenient leaves it out',
    ],
    [
      'a value that our own handler refuses, under another name',
      'route: { match: [{ receiver: hook }] }\nreceivers:\n  - name: hook\n    file:\n      path: /tmp/x\n      maxsize: -3\n',
      '6: receivers[0].file.maxsize: must be at least 0: current value is -3',
    ],
    [
      'a receiver type without a value',
      'route: { match: [{ receiver: hook }] }\nreceivers:\n  - name: hook\n    stdout:\n',
      '3: receivers[0]: receiver "hook" has no type: it needs one of webhook, file, stdout, slack, teams, loki, elasticsearch, opensearch, followed by options or {}; --lenient leaves it out',
    ],
    [
      'an invalid regular expression',
      toHook(URL, { route: 'route: { match: [{ reason: "^(?!Foo)", receiver: hook }] }' }),
      "1: route.match[0].reason: must be a regular expression in RE2's syntax, or it never matches: error parsing regexp: invalid or unsupported Perl syntax: `(?!`; --lenient leaves it out",
    ],
    [
      'a template that cannot be read',
      toHook(URL, { layout: '      layout:\n        text: "{{ .Reason }"\n' }),
      '7: receivers[0].webhook.layout.text: must be a Go template that can be translated: "}" is not part of the template language; --lenient leaves it out',
    ],
    [
      'a rule with an unknown receiver',
      toHook(URL, { route: 'route: { match: [{ receiver: hok }, { receiver: hook }] }' }),
      '1: route.match[0].receiver: unknown receiver "hok"; known receivers are hook; --lenient leaves it out',
    ],
    [
      'a second receiver of the same name',
      toHook(URL, { more: '  - name: hook\n    stdout: {}\n' }),
      '6: receivers[1].name: must be unique: another receiver is named "hook", and the last one would win; --lenient leaves it out',
    ],
    [
      'a regular expression in a template',
      toHook(URL, { layout: `      layout:\n        text: '{{ regexFind "(?!x)" .Message }}'\n` }),
      "7: receivers[0].webhook.layout.text: must be a Go template that can be translated: regexFind needs a pattern in RE2's syntax: error parsing regexp: invalid or unsupported Perl syntax: `(?!`; --lenient leaves it out",
    ],
    [
      'a list of patterns',
      toHook(URL, { route: 'route: { match: [{ reason: [BackOff, Failed], receiver: hook }] }' }),
      '1: route.match[0].reason: must be a string, a number or true or false: current value is a list',
    ],
    [
      'an option beside the type that it belongs to',
      'route: { match: [{ receiver: hook }] }\nreceivers:\n  - file:\n    path: /tmp/x\n    name: hook\n',
      '4: receivers[0].path: is an option of a receiver type: it belongs below the type, indented further; --lenient leaves it out',
    ],
    [
      'a field that only a fork has',
      toHook(URL, { layout: '      layout:\n        at: "{{ .GetTimestampCK }}"\n' }),
      '7: receivers[0].webhook.layout.at: must be a Go template that can be translated: there is no field .GetTimestampCK in an Event; did you mean "GetTimestampMs"?; --lenient leaves it out',
    ],
    [
      'a file without receivers',
      'route: { match: [{ receiver: hook }] }\n',
      '1: receivers: is missing: there is nowhere to send to',
    ],
  ] as const) {
    test(`5 ${what} is refused, with its path and line`, async () => {
      const problems = await problemsOf(yaml);
      assert.ok(problems.includes(`config.yaml:${problem}`), problems.join('\n'));
    });
  }

  test('5 receivers below route are reported once, with the remedy, and not as unknown in each rule', async () => {
    assert.deepEqual(await problemsOf('route:\n  match: [{ receiver: x }]\n  receivers: [{ name: x, stdout: {} }]\n'), [
      'config.yaml:1: receivers: is missing: there is nowhere to send to',
      'config.yaml:3: route.receivers: has no effect here: it belongs to the top level, beside route; --lenient leaves it out',
    ]);
  });

  test('5 conditions and drops without effect on the receiver beside them are warned of', async () => {
    const route = `route:
  routes:
    - match:
        - kind: Pod
        - receiver: hook
    - drop:
        - type: Normal
`;
    const { warnings } = await load(toHook(URL, { route }));
    assert.deepEqual(warnings.map(withoutFolder), [
      'config.yaml:4: route.routes[0].match[0]: has no effect, as before: it names no receiver. The conditions of a receiver belong into the same rule',
      'config.yaml:6: route.routes[1].drop: has no effect, as before: it only stops what match and routes beside it would send',
    ]);
    const nested =
      'route: { drop: [{ type: Normal }], match: [{ kind: Pod }], routes: [{ match: [{ receiver: hook }] }] }';
    assert.deepEqual((await load(toHook(URL, { route: nested }))).warnings, []);
  });

  test('5 a variable that is not set is named beside the mistake that it makes', async () => {
    const yaml =
      'route: { match: [{ receiver: hook }] }\nreceivers:\n  - name: hook\n    webhook:\n      endpoint: "${HOOK}"\n      headers: { X: "${KEY}" }\n';
    assert.deepEqual(await problemsOf(yaml), [
      'config.yaml:5: receivers[0].webhook.endpoint: must be an https:// or http:// URL: current value is ""',
      'config.yaml:5: the variable HOOK is not set: it is treated as empty, as before',
    ]);
  });

  test('5 --lenient leaves out a template with an invalid pattern', async () => {
    const layout = `      layout: { text: "{{ .Reason }}", part: '{{ regexFind "(" .Message }}' }\n`;
    const { warnings } = await load(toHook(URL, { layout }), { lenient: true });
    assert.match(warnings.join('\n'), /^\S+:6: receivers\[0\]\.webhook\.layout\.part: .*: left out$/);
  });

  test('5 a search engine gets whole Events with dots in their labels: a warning', async () => {
    const receivers = ['deDot: true', 'layout: { a: "{{ .Reason }}" }', 'useEventID: true'].map(
      (option, n) => `  - { name: r${n}, opensearch: { hosts: ["${URL}"], index: i, ${option} } }\n`,
    );
    const route = 'route: { match: [{ receiver: r0 }, { receiver: r1 }, { receiver: r2 }] }\n';
    const { warnings } = await load(`${route}receivers:\n${receivers.join('')}`);
    assert.deepEqual(warnings.map(withoutFolder), [
      'config.yaml:5: receivers[2].opensearch: has no deDot: an Event about an object with labels such as app and app.kubernetes.io/name is refused; deDot: true replaces the dots',
    ]);
  });

  test('5 a value of the wrong type hides no other mistake', async () => {
    const route =
      'logLevel: loud\nroute: { match: [{ minCount: x, kind: "(", receiver: hook }, { receiver: hok }, { receiver: hook }] }';
    const problems = await problemsOf(toHook('ftp://x', { route, layout: '      layout: { a: "{{ .Foo }}" }\n' }));
    assert.deepEqual(
      problems.map((line) => /^config\.yaml:\d+: [^:]+/.exec(line)?.[0]),
      [
        'config.yaml:1: logLevel',
        'config.yaml:2: route.match[0].kind',
        'config.yaml:2: route.match[0].minCount',
        'config.yaml:2: route.match[1].receiver',
        'config.yaml:6: receivers[0].webhook.endpoint',
        'config.yaml:7: receivers[0].webhook.layout.a',
      ],
    );
    assert.equal((await problemsOf(`${route}\nreceivers: x\n`)).length, 3);
  });

  test('5 --lenient leaves out what is unknown, and invalid patterns never match', async () => {
    const route = `route:
  resaon: x
  routes:
    - match: [{ reason: "^(?!Foo)", receiver: hook }, { receiver: hok }]
    - match: [{ reason: Foo, receiver: hook }]
`;
    const { chains, warnings } = await load(toHook(URL, { route, more: 'logLevl: x\n' }), { lenient: true });
    assert.deepEqual(
      chains.flatMap((chain) => shape(chain)),
      ['default: maxAge, repeats, match, webhook'],
    );
    assert.equal(warnings.length, 4);
  });

  test('5 --lenient leaves out broken options of a Slack receiver, and a receiver without a channel', async () => {
    const slack = (options: string) =>
      load(
        `route: { match: [{ receiver: a }, { receiver: b }] }
receivers:
  - { name: a, slack: { token: t, ${options} } }
  - { name: b, stdout: {} }
`,
        { lenient: true },
      );
    const bad = '"{{ .nope }}"';
    const { chains } = await slack(
      `channel: c, message: m, fields: { ok: x, no: ${bad} }, threadKey: ${bad}, completionCondition: x`,
    );
    const { fields, threadKey, completionCondition } = (chains[0]?.branches[0]?.handlers.at(-1)?.options ??
      {}) as Record<string, unknown>;
    assert.deepEqual([{ ...(fields as object) }, threadKey, completionCondition], [{ ok: 'x' }, undefined, undefined]);
    const without = await slack(`channel: ${bad}`);
    assert.deepEqual(
      without.chains.flatMap((chain) => shape(chain)),
      ['default: maxAge, repeats, stdout'],
    );
    assert.equal(
      withoutFolder(without.warnings[1] ?? ''),
      'config.yaml:3: receivers[0].slack: sends nothing without a channel: left out',
    );
  });

  test('6 a mistake in the YAML is reported with its line and the remedy', async () => {
    assert.deepEqual(await problemsOf('route: {}\nlogLevel: {{info}}\n'), [
      'config.yaml:2: broken YAML in column 12: a key must be a string; a value with a template in it needs quotes around it: "{{ ... }}"',
    ]);
    assert.deepEqual(await problemsOf('route: {}\nreceivers:\n  - name: x\n    stdout：\n      deDot: true\n'), [
      'config.yaml:4: broken YAML in column 5: Implicit keys need to be on a single line; it ends with a full-width colon (：) where YAML needs a plain one',
    ]);
    const [problem = ''] = await problemsOf('route:\n  match: [\nreceivers: []\n');
    assert.match(problem, /^config\.yaml:\d: broken YAML in column \d+: /);
    const [unknown = ''] = await problemsOf('a: 1\n');
    assert.match(unknown, /^Cannot use config\.yaml: it is not a configuration of kubernetes-event-exporter/);
    const [values = ''] = await problemsOf('slack: { channel: "#ops" }\nmanagementCluster: { name: golem }\n');
    assert.match(values, /looks like the values of giantswarm\/event-exporter-app, .*: helm template .* -f FILE/);
  });

  test('6 a configuration inside a ConfigMap or the values of a chart is read, and a mistake has its line in the file', async () => {
    const config = `route: { routes: [{ match: [{ receiver: out }] }] }
receivers:
  - name: out
    stdout: { layout: { text: "{{ .Message }}", more: "\\d" } }
`;
    const indented = (spaces: number, text = config) => text.replace(/^(?=.)/gm, ' '.repeat(spaces));
    const configMap = (text?: string) => `apiVersion: v1
kind: ConfigMap
metadata: { name: exporter }
data:
  not.yaml: |
    a: b: c
  config.yaml: |
${indented(4, text)}  other: x
`;
    const values = (text?: string) => `replicas: 1
config:
  # what it does
${indented(2, text)}
image: { tag: v1 }
`;
    const subchart = (text = config) => `kubernetes-event-exporter:\n${indented(2, values(text))}`;
    const expected = (await load(config)).chains.flatMap((chain) => shape(chain));
    for (const write of [
      configMap,
      values,
      subchart,
      () => `kind: Role\n--- # next\n${configMap()}---\nkind: Deployment\n`,
    ]) {
      const { chains } = await load(write());
      assert.deepEqual(
        chains.flatMap((chain) => shape(chain)),
        expected,
      );
    }
    const broken = config.replace('- name: out', '- name: out\n    stdoot: {}');
    for (const write of [configMap, values, subchart, (text: string) => `kind: Role\n---\n${configMap(text)}`]) {
      const text = write(broken);
      const line = text.split('\n').findIndex((one) => one.includes('stdoot')) + 1;
      const [problem = ''] = await problemsOf(text);
      assert.ok(problem.startsWith(`config.yaml:${line}: receivers[0].stdoot: `), problem);
    }
  });

  test('6 a mistake in a configuration between quotes is at the line of its quotes', async () => {
    const config = 'route: {}\nreceivers:\n  - name: out\n    stdoot: {}\n';
    for (const text of [
      JSON.stringify({ kind: 'ConfigMap', data: { 'config.yaml': config } }, undefined, 2),
      `kind: ConfigMap\ndata: # quoted by kubectl\n\n  config.yaml: ${JSON.stringify(config)}\n`,
      'kind: Role\n---\nreplicas: 1\nconfig: { route: {}, receivers: [{ name: out, stdoot: {} }] }\n',
    ]) {
      const [problem = ''] = await problemsOf(text);
      assert.ok(problem.startsWith('config.yaml:4: receivers[0].stdoot: '), problem);
    }
  });

  test('6 several configurations in one file are refused, with their places', async () => {
    const [several = ''] = await problemsOf('a:\n  route: {}\n---\nb:\n  route: {}\n');
    assert.ok(several.endsWith('; it holds several, below a and b: move one to a file of its own'), several);
  });
});
