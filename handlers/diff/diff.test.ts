import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Actor, Change, Manifest } from '../../src/change.ts';
import { isHalt, type HandlerContext, type HandlerEnvironment } from '../../src/chain/handler.ts';
import type { Json } from '../../src/json.ts';
import { parseManifest } from '../../src/parse.ts';
import { deepFrozen } from '../../src/testing/change.ts';
import diff from './index.ts';
import type { DiffNote } from './note.ts';
import { formatField } from './text.ts';

type Fields = Readonly<Record<string, Json>>;

function verdictOn(
  before: Fields | undefined,
  after: Fields | undefined,
  options: object = {},
  by: readonly Actor[] = [],
) {
  assert.equal(diff.type, 'transform');
  const instance = diff.create(diff.options.parse(options), {} as HandlerEnvironment);
  const change: Change = {
    id: 1,
    action: before === undefined ? 'added' : after === undefined ? 'deleted' : 'updated',
    cluster: { id: 'c', name: 'c' },
    gvk: { group: 'apps', version: 'v1', kind: 'Deployment' },
    gvr: { group: 'apps', version: 'v1', resource: 'deployments' },
    key: 'shop/web',
    namespace: 'shop',
    name: 'web',
    uid: 'u',
    resourceVersion: '2',
    before: deepFrozen(before) as Manifest | undefined,
    after: deepFrozen(after) as Manifest | undefined,
    by,
    observedAt: 0,
    flags: {},
    notes: {},
  };
  return { change, verdict: instance.handle(Object.freeze(change), {} as HandlerContext) as Change };
}

function noteOn(before: Fields, after: Fields, options: object = {}, by: readonly Actor[] = []): DiffNote {
  const { verdict } = verdictOn(before, after, options, by);
  assert.ok(!isHalt(verdict), 'expected a difference');
  assert.ok(verdict.notes.diff);
  return verdict.notes.diff;
}

const linesOn = (...args: Parameters<typeof noteOn>) => noteOn(...args).fields.map((field) => formatField(field));

function haltOn(before: Fields, after: Fields, options: object = {}): string {
  const { verdict } = verdictOn(before, after, options);
  assert.ok(isHalt(verdict), 'expected a halt');
  return verdict.reason;
}

const named = (rest: Fields = {}, metadata: Fields = {}): Fields => ({
  metadata: { name: 'web', ...metadata },
  ...rest,
});
const podTemplate = (...containers: Json[]) => named({ spec: { template: { spec: { containers } } } });

describe('diff', () => {
  test('an image and a replica change yield a headline, a line per field, the manager and a patch', () => {
    const deployment = (image: string, replicas: number): Fields =>
      named({ spec: { replicas, template: { spec: { containers: [{ name: 'web', image }] } } }, status: { replicas } });
    const by: Actor[] = [
      { manager: 'kube-controller-manager', operation: 'Update', subresource: 'status', paths: ['status.replicas'] },
      { manager: 'kubectl-set', operation: 'Update', paths: ['spec.template.spec.containers[name="web"].image'] },
    ];
    const note = noteOn(deployment('nginx:1.7.9', 1), deployment('nginx:1.9.1', 3), {}, by);
    assert.equal(note.headline, 'image web nginx:1.7.9 -> nginx:1.9.1, replicas 1 -> 3');
    assert.deepEqual(
      note.fields.map((field) => formatField(field)),
      ['spec.template.spec.containers[web].image: nginx:1.7.9 -> nginx:1.9.1', 'spec.replicas: 1 -> 3'],
    );
    assert.equal(note.unified, '');
    assert.deepEqual(note.by, ['kubectl-set']);
    assert.deepEqual(note.patch, [
      { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'nginx:1.9.1' },
      { op: 'replace', path: '/spec/replicas', value: 3 },
    ]);
  });

  test('a headline names the list and the index of an item without a name', () => {
    const rule = (from: Json, port: number) => named({ spec: { ingress: [{ from, ports: [{ port }] }, {}] } });
    assert.equal(
      noteOn(rule([{ podSelector: {} }], 80), rule([{ ipBlock: { cidr: '0.0.0.0/0' } }], 80)).headline,
      'from[0].ipBlock.cidr (none) -> 0.0.0.0/0, from[0].podSelector {} -> (none)',
    );
    const metric = (averageUtilization: number) => named({ spec: { metrics: [{ target: { averageUtilization } }] } });
    assert.equal(noteOn(metric(80), metric(60)).headline, 'metrics[0].target.averageUtilization 80 -> 60');
    const role = (...verbs: string[]) => named({ rules: [{ verbs }] });
    assert.equal(noteOn(role('get', 'list'), role('list', 'get')).headline, 'rules[0].verbs reordered');
  });

  test('a headline begins with valueFrom when an env variable moves from value to valueFrom', () => {
    const env = (entry: Fields) => podTemplate({ name: 'web', env: [{ name: 'A', ...entry }] });
    assert.equal(
      noteOn(env({ value: '1' }), env({ valueFrom: { secretKeyRef: { name: 's' } } })).headline,
      'env A valueFrom (none) -> {secretKeyRef: {name: s}}, env A 1 -> (none)',
    );
  });

  test('a headline names the containers when the same variable changes in two of them', () => {
    const both = (value: string) =>
      podTemplate(...['web', 'worker'].map((name) => ({ name, env: [{ name: 'LEVEL', value }] })));
    assert.equal(
      noteOn(both('info'), both('debug')).headline,
      'containers[web].env[LEVEL].value info -> debug, containers[worker].env[LEVEL].value info -> debug',
    );
  });

  test('a headline keeps the tag of an image with a long registry name', () => {
    const web = (tag: string) =>
      podTemplate({ name: 'web', image: `123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/frontend/web:${tag}` });
    assert.equal(
      noteOn(web('1.4.2'), web('1.5.0')).headline,
      'image web …shop/frontend/web:1.4.2 -> …shop/frontend/web:1.5.0',
    );
  });

  test('a headline lists schema changes of a CRD before changed descriptions', () => {
    const crd = (words: string, type: string) => {
      const described = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, { description: words }]));
      const properties = { ...described, size: { description: words, type } };
      return named({ spec: { versions: [{ name: 'v1', schema: { openAPIV3Schema: { properties } } }] } });
    };
    assert.match(
      noteOn(crd('old', 'string'), crd('new', 'integer')).headline,
      /^v1 size\.type string -> integer, .*, \+3 more$/,
    );
  });

  test('a headline names a field of a schema by its own path', () => {
    const crd = (schema: Json) =>
      named({ spec: { versions: [{ name: 'v1', schema: { openAPIV3Schema: { properties: { spec: schema } } } }] } });
    const headline = (before: Json, after: Json) => noteOn(crd(before), crd(after)).headline;
    const size = (type: string): Json => ({ properties: { size: { type } }, required: ['size'] });
    assert.equal(headline(size('string'), size('integer')), 'v1 spec.size.type string -> integer');
    assert.equal(headline({ required: ['a'] }, { required: ['a', 'b'] }), 'v1 spec.required[1] (none) -> b');
    const nested = (type: string): Json => ({ properties: { properties: { type } } });
    assert.equal(headline(nested('string'), nested('object')), 'v1 spec.properties.type string -> object');
    assert.equal(headline({}, { properties: {} }), 'v1 spec.properties (none) -> {}');
  });

  test('a headline shows where two long words differ', () => {
    const spec = (key: string, value: string) => named({ spec: { [key]: value } });
    const headline = (key: string, before: string, after: string) =>
      noteOn(spec(key, before), spec(key, after)).headline;
    const tag = (version: string, digit: string) => `${version}@sha256:${digit.repeat(64)}`;
    assert.equal(
      headline('tag', tag('1.4.2', 'a'), tag('1.5.0', 'b')),
      `tag 1.4.2@sha256:${'a'.repeat(26)}… -> 1.5.0@sha256:${'b'.repeat(26)}…`,
    );
    const url = (revision: number) =>
      `https://charts.example.com/api/dashboards/22604/revisions/${revision}/download?format=json`;
    assert.equal(
      headline('url', url(2), url(3)),
      'url …04/revisions/2/download?format=json -> …04/revisions/3/download?format=json',
    );
    const prose = (end: string) => `Whatever this field is good for has to be told at some length, up to its ${end}`;
    assert.equal(headline('about', prose('end'), prose('finish')), 'about changed');
    assert.equal(headline('checksum', 'a'.repeat(64), 'b'.repeat(64)), 'checksum changed');
    assert.equal(headline('json', `{${'x'.repeat(500)}}`, `{${'y'.repeat(500)}}`), 'json changed');
  });

  test('a headline lists the labels and checksums of a pod template last, but not the labels of an alert', () => {
    const template = (version: string, port: number) => {
      const metadata = { annotations: { 'checksum/config': `c0ffee${version}` }, labels: { version } };
      return named({
        spec: { template: { metadata, spec: { containers: [{ name: 'web', args: [`--port=${port}`] }] } } },
      });
    };
    assert.equal(
      noteOn(template('1', 80), template('2', 81)).headline,
      'args[0] --port=80 -> --port=81, template.metadata.labels.version 1 -> 2, template.metadata.annotations["checksum/config"] changed',
    );
    const alert = (severity: string, summary: string) =>
      named({ spec: { groups: [{ name: 'web', rules: [{ annotations: { summary }, labels: { severity } }] }] } });
    assert.match(noteOn(alert('info', 'a'), alert('critical', 'b')).headline, /^rules\[0\]\.labels\.severity info/);
  });

  test("a headline begins with the image of an operator's resource, or in the values of a chart", () => {
    const operated = (version: string) => named({ spec: { extra: version, image: `db:${version}`, version } });
    assert.equal(noteOn(operated('1'), operated('2')).headline, 'image db:1 -> db:2, extra 1 -> 2, version 1 -> 2');
    const schema = (some: Json) => named({ spec: { extra: some, image: some } });
    assert.equal(noteOn(schema({ a: 1 }), schema({ a: 2 })).headline, 'extra.a 1 -> 2, image.a 1 -> 2');
    assert.equal(noteOn(schema({}), schema([])).headline, 'extra {} -> [], image {} -> []');
    const released = (version: string, tag: string) =>
      named({ spec: { chart: { spec: { version } }, values: { image: { tag, pullPolicy: tag } } } });
    assert.equal(
      noteOn(released('7.0', 'a'), released('7.1', 'b')).headline,
      'values.image.tag a -> b, chart.spec.version 7.0 -> 7.1, values.image.pullPolicy a -> b',
    );
  });

  test("a headline lists a condition's status before its reason, and times last", () => {
    const condition = (status: string, time: string, reason: string) =>
      named({ status: { conditions: [{ lastTransitionTime: time, reason, status, type: 'Ready' }] } });
    const [before, after] = [
      condition('True', '2026-11-20T08:00:00Z', 'Issued'),
      condition('False', '2026-11-23T08:00:00Z', 'Expired'),
    ];
    assert.equal(
      noteOn(before, after, { status: true }).headline,
      'Ready status True -> False, Ready reason Issued -> Expired, ' +
        'Ready lastTransitionTime 2026-11-20T08:00:00Z -> 2026-11-23T08:00:00Z',
    );
  });

  test('a headline names an alert rule by its alert, and by its index if another rule has the same alert', () => {
    const groups = (...rules: Json[]) => named({ spec: { groups: [{ name: 'web', rules }] } });
    const [down, up] = [
      { alert: 'Down', expr: 'up == 0' },
      { record: 'job:up:sum', expr: 'sum(up)' },
    ];
    const slow = (severity: string, wait: string) => ({ alert: 'Slow', for: wait, labels: { severity } });
    const headline = (before: Fields, after: Fields) => noteOn(before, after).headline;
    assert.equal(
      headline(groups(down, slow('info', '5m')), groups(slow('info', '9m'), down)),
      'Slow for 5m -> 9m, web rules reordered',
    );
    assert.equal(headline(groups(up), groups({ ...up, expr: 'max(up)' })), 'job:up:sum expr sum(up) -> max(up)');
    assert.equal(
      headline(groups(slow('info', '5m'), slow('critical', '5m')), groups(slow('info', '5m'), slow('critical', '9m'))),
      'rules[1].for 5m -> 9m',
    );
  });

  test('a headline does not repeat the label of an item that was added or removed', () => {
    const headline = (path: string, before: readonly Json[], after: readonly Json[]) =>
      noteOn(named({ spec: { [path]: [...before] } }), named({ spec: { [path]: [...after] } })).headline;
    const [a, b] = [{ name: 'a' }, { name: 'b' }];
    assert.equal(headline('env', [a], [a, { name: 'LEVEL', value: 'debug' }]), 'env LEVEL (none) -> debug');
    assert.equal(headline('env', [a, { name: 'LEVEL', value: '' }], [a]), 'env LEVEL "" -> (none)');
    assert.equal(
      headline('env', [a], [a, { name: 'B', valueFrom: { c: 'd' } }]),
      'env B (none) -> {valueFrom: {c: d}}',
    );
    assert.equal(headline('dependsOn', [a, b], [a]), 'dependsOn[b] removed');
    assert.equal(
      headline('dependsOn', [a], [a, { ...b, namespace: 'shop' }]),
      'dependsOn[b] (none) -> {namespace: shop}',
    );
    assert.equal(headline('verbs', ['get'], ['get', 'list']), 'verbs[list] added');
    assert.equal(headline('args', ['-a'], ['-a', '-b']), 'args[1] (none) -> -b');
  });

  test('a headline keeps both ends of a long path', () => {
    const values = (before: string) =>
      named({
        spec: { values: { a: { long: { path: Object.fromEntries([[`to-${'x'.repeat(60)}-limit`, before]]) } } } },
      });
    assert.match(noteOn(values('1'), values('2')).headline, /^values\.a\.long\.path.*…x+-limit"?\]? 1 -> 2$/);
  });

  test('a single-line file is shown as a value, with its trailing newline', () => {
    const version = (text: string) => named({ data: { VERSION: text } });
    const note = noteOn(version('1.4.2\n'), version('1.5.0\n'));
    assert.deepEqual([note.headline, note.unified], [String.raw`data.VERSION "1.4.2\n" -> "1.5.0\n"`, '']);
    assert.equal(noteOn(version('1.4.2'), version('1.4.2\n')).headline, String.raw`data.VERSION 1.4.2 -> "1.4.2\n"`);
    assert.deepEqual(linesOn(version('1.4.2\n'), version('1\n2\n')), [
      String.raw`data.VERSION: "1.4.2\n" -> (2 lines)`,
    ]);
  });

  test('a reordered long list is shown from its first difference on', () => {
    const hosts = Array.from({ length: 60 }, (_, n) => `host-${n}.example.com`);
    const swapped = [...hosts.slice(0, 58), ...hosts.slice(58).toReversed()];
    const spec = (hosts: readonly string[]) => named({ spec: { hosts } });
    assert.deepEqual(linesOn(spec(hosts), spec(swapped)), [
      'spec.hosts: reordered […, host-58.example.com, host-59.example.com] -> […, host-59.example.com, host-58.example.com]',
    ]);
    const env = (names: readonly string[]) => podTemplate({ name: 'web', env: names.map((name) => ({ name })) });
    assert.match(String(linesOn(env(hosts), env(swapped))), /reordered \[…, host-58\S+ host-59\S+ -> \[…, host-59/);
  });

  test('invisible characters that differ are shown as escapes', () => {
    const data = (space: string, mark: string) => named({ data: { a: `x${space}y`, file: `${mark}# head\nend\n` } });
    const note = noteOn(data(' ', ''), data('\u00a0', '\ufeff'));
    assert.equal(note.headline, String.raw`data.a x y -> x\u00a0y, data.file changed`);
    assert.match(note.unified, /^-# head\n\+\\ufeff# head$/m);
    const args = (...args: string[]) => podTemplate({ name: 'web', args });
    assert.match(String(linesOn(args('a'), args('a', '\u200bb'))), /\(none\) -> \\u200bb$/);
  });

  test('values that look the same are escaped where they differ, and only there', () => {
    const line = (before: string, after: string) =>
      linesOn(named({ data: { t: before } }), named({ data: { t: after } }))[0];
    const [joined, letters] = ['caf\u00e9 für alle', 'cafe\u0301 für alle'];
    assert.equal(line(joined, letters), String.raw`data.t: caf\u00e9 für alle -> cafe\u0301 für alle`);
    assert.equal(line('a\u200db', 'ab'), String.raw`data.t: a\u200db -> ab`);
    assert.equal(line('a\u2002b', 'a b'), String.raw`data.t: a\u2002b -> a b`);
    assert.equal(line('a\u{e0100}', 'a\u{e0101}'), String.raw`data.t: a\udb40\udd00 -> a\udb40\udd01`);
    assert.equal(line('👨‍👩‍👧 x', '👨‍👩‍👧 y'), 'data.t: 👨‍👩‍👧 x -> 👨‍👩‍👧 y');
    assert.match(
      String(line(`${'x'.repeat(300)}caf\u00e9`, `${'x'.repeat(300)}cafe\u0301`)),
      /xcaf\\u00e9 -> …x+cafe\\u0301$/,
    );
  });

  test('passes added and deleted objects unchanged', () => {
    const added = verdictOn(undefined, named());
    assert.equal(added.verdict, added.change);
    const deleted = verdictOn(named(), undefined);
    assert.equal(deleted.verdict, deleted.change);
  });

  test('names only managers outside the status subresource when nobody owns the field any more', () => {
    const by: Actor[] = [
      { manager: 'kubelet', operation: 'Update', subresource: 'status', paths: ['status.phase'] },
      { manager: 'helm', operation: 'Apply', paths: ['spec.other'] },
    ];
    assert.deepEqual(noteOn(named({ spec: { paused: true } }), named({ spec: {} }), {}, by).by, ['helm']);
  });

  test('names the owner of a changed field, not the creator of its list item; an atomic block has one owner', () => {
    const item = 'spec.template.spec.containers[name="web"]';
    const by: Actor[] = [
      { manager: 'kubectl-set', operation: 'Update', paths: [`${item}.image`] },
      { manager: 'kubectl-create', operation: 'Update', paths: [item, `${item}.name`, 'spec.selector'] },
    ];
    const web = (image: string) => podTemplate({ name: 'web', image });
    assert.deepEqual(noteOn(web('nginx:1.7.9'), web('nginx:1.9.1'), {}, by).by, ['kubectl-set']);
    const selector = (app: string) => named({ spec: { selector: { matchLabels: { app } } } });
    assert.deepEqual(noteOn(selector('a'), selector('b'), {}, by).by, ['kubectl-create']);
  });

  test('finds the owner of a keyed port, of a set value and of a block added as a whole', () => {
    const owner = (path: string): Actor[] => [
      { manager: 'other', operation: 'Update', paths: ['spec.unrelated'] },
      { manager: 'me', operation: 'Update', paths: [path] },
    ];
    const port = (containerPort: number, name: string) =>
      podTemplate({ name: 'web', ports: [{ containerPort, protocol: 'TCP', name }] });
    const portPath = 'spec.template.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].name';
    assert.deepEqual(noteOn(port(80, 'a'), port(80, 'b'), {}, owner(portPath)).by, ['me']);
    const finalizers = (...some: string[]) => named({}, { finalizers: some });
    assert.deepEqual(noteOn(finalizers(), finalizers('x.io/y'), {}, owner('metadata.finalizers[="x.io/y"]')).by, [
      'me',
    ]);
    assert.deepEqual(noteOn(named({ spec: {} }), named({ spec: { a: { b: [1] } } }), {}, owner('spec.a.b')).by, ['me']);
  });
});

test('diff reports a change of an object with unreadable managedFields', () => {
  const by: Actor[] = [{ manager: 'odd', operation: 'Update', paths: ['spec.a[].x', 'spec[]'] }];
  const item = (x: number) => named({ spec: { a: [{ x }] } });
  assert.deepEqual(noteOn(item(1), item(2), {}, by).by, ['odd']);
});

describe('diff by default', () => {
  const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
  const cases: readonly (readonly [what: string, before: Fields, after: Fields, option?: string])[] = [
    ['managedFields', named({}, { managedFields: [] }), named({}, { managedFields: [{ manager: 'x' }] })],
    ['resourceVersion', named({}, { resourceVersion: '1' }), named({}, { resourceVersion: '2' }), 'resourceVersion'],
    ['generation', named({}, { generation: 1 }), named({}, { generation: 2 }), 'generation'],
    ['status', named({ status: { a: 1 } }), named({ status: { a: 2 } }), 'status'],
    ['last-applied', named({}, { annotations: { [lastApplied]: '1' } }), named(), 'lastApplied'],
    ['the revision', named(), named({}, { annotations: { 'deployment.kubernetes.io/revision': '2' } }), 'revisions'],
    [
      'the template generation',
      named(),
      named({}, { annotations: { 'deprecated.daemonset.template.generation': '2' } }),
      'revisions',
    ],
    ['empty labels', named({}, { labels: {} }), named(), 'emptyMetadata'],
    ['empty annotations', named(), named({}, { annotations: {} }), 'emptyMetadata'],
    ['empty finalizers', named(), named({}, { finalizers: [] }), 'emptyMetadata'],
    ['empty owners', named({}, { ownerReferences: [] }), named(), 'emptyMetadata'],
    ['null', named({ spec: { a: null } }), named({ spec: {} }), 'nulls'],
    ['null in a list of maps', podTemplate({ name: 'web', a: null }), podTemplate({ name: 'web' }), 'nulls'],
    ['key order', named({ spec: { a: 1, b: [{ c: 1, d: 2 }] } }), named({ spec: { b: [{ d: 2, c: 1 }], a: 1 } })],
  ];
  for (const [what, before, after, option] of cases) {
    test(`ignores ${what}${option === undefined ? '' : `, unless ${option} is set`}`, () => {
      assert.equal(haltOn(before, after), 'no difference');
      if (option !== undefined) assert.equal(linesOn(before, after, { [option]: true }).length, 1);
    });
  }

  test('ignores nothing else: an empty selector differs from none', () => {
    const policy = (ingress: Fields) => named({ spec: { ingress: [{ from: [ingress] }] } });
    assert.deepEqual(linesOn(policy({ podSelector: {} }), policy({ podSelector: {}, namespaceSelector: {} })), [
      'spec.ingress[0].from[0].namespaceSelector: (none) -> {}',
    ]);
    assert.deepEqual(linesOn(named({ spec: { cpu: '1000m' } }), named({ spec: { cpu: '1' } })), [
      'spec.cpu: 1000m -> 1',
    ]);
    assert.deepEqual(linesOn(named({ spec: { port: 80 } }), named({ spec: { port: '80' } })), [
      'spec.port: 80 -> "80"',
    ]);
  });

  test('shows a new deletionTimestamp as "terminating", first in the headline', () => {
    const after = named({ spec: { replicas: 0 } }, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    assert.equal(noteOn(named({ spec: { replicas: 1 } }), after).headline, 'terminating, replicas 1 -> 0');
  });

  test('excludes what it ignores, by default or by a path without wildcards, from the fields it reads', () => {
    assert.ok(diff.type === 'transform');
    const except = (options: object) => diff.reads?.(diff.options.parse(options)).except ?? [];
    assert.ok(
      except({}).includes('status') && except({}).includes('metadata.annotations["deployment.kubernetes.io/revision"]'),
    );
    assert.ok(!except({ status: true }).includes('status'));
    assert.ok(!except({ kinds: { Pod: { only: ['status.phase'] } } }).includes('status'));
    assert.ok(except({ ignore: ['spec.replicas', 'spec.*.x'] }).includes('spec.replicas'));
    assert.ok(!except({ ignore: ['spec.*.x'] }).includes('spec.*.x'));
    assert.ok(!except({ kinds: { Deployment: { ignore: ['spec.replicas'] } } }).includes('spec.replicas'));
  });
});

describe('diff ignore and only', () => {
  const scaled = [
    named({ spec: { replicas: 1, paused: false } }),
    named({ spec: { replicas: 2, paused: false } }),
  ] as const;
  const annotated = named({}, { annotations: { 'example.com/a': '1', 'example.com/b': '1' } });

  test('take paths, items and wildcards', () => {
    assert.equal(haltOn(...scaled, { ignore: ['spec.replicas'] }), 'no difference');
    assert.equal(haltOn(...scaled, { ignore: ['spec.repl*'] }), 'no difference');
    assert.equal(haltOn(...scaled, { ignore: ['**.replicas'] }), 'no difference');
    assert.equal(haltOn(...scaled, { only: ['metadata', 'spec.paused'] }), 'no difference');
    assert.equal(haltOn(named(), annotated, { ignore: ['metadata.annotations["example.com/*"]'] }), 'no difference');
    assert.deepEqual(linesOn(...scaled, { only: ['spec'] }), ['spec.replicas: 1 -> 2']);
    const images = [
      podTemplate({ name: 'a', image: '1' }, { name: 'b', image: '1' }),
      podTemplate({ name: 'a', image: '2' }, { name: 'b', image: '2' }),
    ] as const;
    const rest = ['spec.template.spec.containers[b].image: 1 -> 2'];
    assert.deepEqual(linesOn(...images, { ignore: ['spec.template.spec.containers[a].image'] }), rest);
    assert.deepEqual(linesOn(...images, { only: ['spec.**.containers[b]'] }), rest);
    assert.equal(haltOn(...images, { ignore: ['spec.template.spec.containers[*].image'] }), 'no difference');
  });

  test('apply within a block that was added as a whole', () => {
    const lines = ['metadata.annotations["example.com/b"]: (none) -> 1'];
    assert.deepEqual(linesOn(named(), annotated, { ignore: ['metadata.annotations["example.com/a"]'] }), lines);
    assert.deepEqual(linesOn(named(), annotated, { only: ['metadata.annotations["example.com/b"]'] }), lines);
    assert.equal(haltOn(named(), named({ spec: { a: { b: 1 } } }), { ignore: ['spec.a.b'] }), 'no difference');
  });

  test('a path in only shows a field that is ignored by default', () => {
    assert.deepEqual(
      linesOn(named({ status: { phase: 'A' } }), named({ status: { phase: 'B' } }), { only: ['status.phase'] }),
      ['status.phase: A -> B'],
    );
  });

  test('per kind (case-insensitive, group optional): ignore adds to the general one, only replaces it', () => {
    assert.equal(haltOn(...scaled, { kinds: { deployment: { ignore: ['spec.replicas'] } } }), 'no difference');
    assert.equal(haltOn(...scaled, { kinds: { 'Deployment.apps': { only: ['metadata'] } } }), 'no difference');
    assert.equal(linesOn(...scaled, { only: ['metadata'], kinds: { Deployment: { only: ['spec'] } } }).length, 1);
    assert.equal(linesOn(...scaled, { kinds: { StatefulSet: { ignore: ['spec.replicas'] } } }).length, 1);
    const both = { ignore: ['spec.replicas'], kinds: { Deployment: { ignore: ['spec.paused'] } } };
    assert.equal(haltOn(...scaled, both), 'no difference');
  });

  test('refuse an invalid path, naming the character', () => {
    const jsonPaths = ["metadata.annotations['a']", "spec.c[name='web'].image", '{.spec.replicas}', '$.spec.replicas'];
    for (const path of ['', '/spec/replicas', 'spec..a', 'spec[', 'a b', 'spec.', ...jsonPaths]) {
      const result = diff.options.safeParse({ ignore: [path] });
      assert.match(result.error?.issues[0]?.message ?? '', /^Cannot read field path .* at character \d/, path);
    }
  });

  test('a pattern that may match anywhere: blocks that it does not match are still one field', () => {
    const options = { ignore: ['**.labels.version', '**.env[SECRET]'] };
    const added = (before: Fields, after: Fields) => linesOn(named({ spec: before }), named({ spec: after }), options);
    const taint = { effect: 'NoSchedule', key: 'gpu', values: [] };
    assert.deepEqual(added({}, { tolerations: [taint] }), [
      'spec.tolerations: (none) -> [{effect: NoSchedule, key: gpu, values: []}]',
    ]);
    assert.deepEqual(added({ a: { b: { c: { d: [1] } } } }, {}), ['spec.a: {b: {c: {d: [1]}}} -> (none)']);
    const labels = { app: 'web', version: '1' };
    assert.deepEqual(added({}, { pod: { labels, spec: { args: ['-a'], more: { x: [] } } } }), [
      'spec.pod.labels.app: (none) -> web',
      'spec.pod.spec: (none) -> {args: ["-a"], more: {x: []}}',
    ]);
    const env = [
      { name: 'A', value: '1' },
      { name: 'SECRET', value: 'x' },
    ];
    assert.deepEqual(added({}, { web: [{ name: 'web', env }] }), [
      'spec.web[web].name: (none) -> web',
      'spec.web[web].env[A]: (none) -> {name: A, value: "1"}',
    ]);
  });

  test('the annotation watchchain/ignore opts an object out from the next change on', () => {
    const web = (replicas: number, value?: string) =>
      named(
        { spec: { replicas, paused: replicas > 1 } },
        value === undefined ? {} : { annotations: { 'watchchain/ignore': value } },
      );
    assert.match(haltOn(web(1, 'true'), web(2, 'true')), /opted out by its annotation watchchain\/ignore/);
    assert.equal(linesOn(web(1), web(2, 'true')).length, 3, 'setting the annotation is reported');
    assert.equal(linesOn(web(1, 'true'), web(2)).length, 3, 'removing the annotation is reported');
    assert.deepEqual(linesOn(web(1, 'spec.replicas, ]['), web(2, 'spec.replicas, ][')), ['spec.paused: false -> true']);
    assert.equal(haltOn(web(1, 'spec.replicas, spec.paused'), web(2, 'spec.replicas, spec.paused')), 'no difference');
    assert.equal(linesOn(web(1, 'true'), web(2, 'true'), { optOutAnnotation: '' }).length, 2);
  });
});

describe('diff matches list items', () => {
  const ports = (...some: Json[]) => named({ spec: { ports: some } });

  test('by merge key, so that a new first item is one line', () => {
    const web = {
      name: 'web',
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '1' },
      ],
    };
    const changed = {
      name: 'web',
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
    };
    const note = noteOn(podTemplate(web), podTemplate({ name: 'first', image: 'x' }, changed));
    assert.deepEqual(
      note.fields.map(({ path, op }) => `${op} ${path}`),
      ['add spec.template.spec.containers[first]', 'replace spec.template.spec.containers[web].env[B].value'],
    );
    assert.equal(note.headline, 'container first added, env B 1 -> 2');
    assert.deepEqual(
      note.patch.map(({ op, path }) => `${op} ${path}`),
      ['add /spec/template/spec/containers/0', 'replace /spec/template/spec/containers/1/env/1/value'],
    );
  });

  test('by two keys: ports of a Service, by port and protocol', () => {
    const dns = (targetPort: number): Json[] => [
      { name: 'a', port: 53, protocol: 'UDP' },
      { name: 'b', port: 53, protocol: 'TCP', targetPort },
    ];
    assert.deepEqual(linesOn(ports(...dns(1)), ports(...dns(2))), ['spec.ports[53/TCP].targetPort: 1 -> 2']);
  });

  test('by index where names repeat, and by content where items have no name', () => {
    const twice = (value: number) =>
      named({
        spec: {
          some: [
            { name: 'x', value: 1 },
            { name: 'x', value },
          ],
        },
      });
    assert.deepEqual(linesOn(twice(1), twice(2)), ['spec.some[1].value: 1 -> 2']);
    const args = (...some: string[]) => named({ spec: { args: some } });
    assert.deepEqual(linesOn(args('a', 'b', 'c'), args('x', 'a', 'b', 'c')), ['spec.args[0]: (none) -> x']);
    assert.deepEqual(linesOn(args('a', 'b'), args('b', 'c')), [
      'spec.args[0]: a -> (none)',
      'spec.args[1]: (none) -> c',
    ]);
    assert.deepEqual(linesOn(args('a', '--v=1', 'c'), args('a', '--v=2', 'c')), ['spec.args[1]: --v=1 -> --v=2']);
  });

  test('by name in a list of objects that is named like a set', () => {
    const composition = (...names: string[]) =>
      named({ spec: { resources: names.map((name) => ({ name, n: names.length })) } });
    assert.deepEqual(linesOn(composition('a', 'b'), composition('c', 'b', 'a')), [
      'spec.resources[c]: (none) -> {name: c, n: 3}',
      'spec.resources[b].n: 2 -> 3',
      'spec.resources[a].n: 2 -> 3',
      'spec.resources: reordered [a, b] -> [b, a]',
    ]);
  });

  test('a set by its values', () => {
    const finalizers = (...some: string[]) => named({}, { finalizers: some });
    assert.deepEqual(linesOn(finalizers('a', 'b'), finalizers('b', 'c')), [
      'metadata.finalizers[c]: (none) -> c',
      'metadata.finalizers[a]: a -> (none)',
    ]);
  });

  test('a reordered list is one line, with or without keys', () => {
    const a = { name: 'a', image: '1' };
    const b = { name: 'b', image: '1' };
    assert.deepEqual(linesOn(podTemplate(a, b), podTemplate(b, a)), [
      'spec.template.spec.containers: reordered [a, b] -> [b, a]',
    ]);
    assert.equal(noteOn(podTemplate(a, b), podTemplate(b, a)).headline, 'containers reordered');
    assert.deepEqual(linesOn(named({ spec: { args: ['x', 'y', 'z'] } }), named({ spec: { args: ['z', 'x', 'y'] } })), [
      'spec.args: reordered [x, y, z] -> [z, x, y]',
    ]);
    const rules = (...verbs: string[]) => named({ rules: verbs.map((verb) => ({ verbs: [verb] })) });
    assert.deepEqual(linesOn(rules('get', 'list', 'watch'), rules('watch', 'get', 'list')), [
      'rules: reordered [0, 1, 2] -> [2, 0, 1]',
    ]);
  });
});

describe('diff handles', () => {
  const parsed = (text: string) => parseManifest(Buffer.from(text)) as Fields;

  test('integers beyond 2^53: they are compared and printed exactly', () => {
    const id = (digits: string) => parsed(`{"metadata":{"name":"x"},"spec":{"id":${digits},"ids":[${digits}]}}`);
    const [first, second] = ['12345678901234567890', '12345678901234567891'];
    assert.equal(haltOn(id(first), id(first)), 'no difference');
    const note = noteOn(id(first), id(second));
    assert.equal(formatField(note.fields[0] as DiffNote['fields'][0]), `spec.id: ${first} -> ${second}`);
    assert.ok(JSON.stringify(note.patch).includes(`{"op":"replace","path":"/spec/id","value":${second}}`));
    assert.equal(
      formatField(noteOn(id('5'), id(second)).fields[0] as DiffNote['fields'][0]),
      `spec.id: 5 -> ${second}`,
    );
  });

  test('keys such as __proto__ and constructor: they are data', () => {
    const before = parsed('{"metadata":{"name":"x"},"spec":{"a":1}}');
    const after = parsed(
      '{"metadata":{"name":"x"},"spec":{"a":1,"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"b":2}},"toString":1}}',
    );
    const note = noteOn(before, after);
    assert.deepEqual(
      note.fields.map(({ path }) => path),
      ['spec.__proto__.polluted', 'spec.constructor', 'spec.toString'],
    );
    assert.ok(note.patch.length >= 3 && note.unified === '' && note.headline !== '');
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    assert.equal(haltOn(after, after), 'no difference');
  });

  test('a field whose type changed', () => {
    assert.deepEqual(linesOn(named({ spec: { a: 'text' } }), named({ spec: { a: { b: 1 } } })), [
      'spec.a: text -> {b: 1}',
    ]);
    assert.deepEqual(linesOn(named({ spec: { a: [1] } }), named({ spec: { a: { b: 1 } } })), ['spec.a: [1] -> {b: 1}']);
    assert.deepEqual(linesOn(named({ spec: 'x' }), named({ spec: ['x'] }), { only: ['spec'] }), ['spec: x -> [x]']);
    const tag = (value: Json) => named({ spec: { values: { tag: value } } });
    assert.deepEqual(linesOn(tag('1.10'), tag(1.1)), ['spec.values.tag: "1.10" -> 1.1']);
    assert.deepEqual(linesOn(tag(true), tag('false')), ['spec.values.tag: true -> "false"']);
    assert.deepEqual(linesOn(tag(8080), tag('http')), ['spec.values.tag: 8080 -> http']);
  });

  test('nesting of 20,000 levels', () => {
    const nested = (leaf: number) => {
      let value: Json = leaf;
      for (let level = 0; level < 20_000; level++) value = level % 2 === 0 ? [value] : { a: value };
      return value;
    };
    // Not through the test's handler, which freezes the change recursively.
    const instance = diff.type === 'transform' && diff.create(diff.options.parse({}), {} as HandlerEnvironment);
    assert.ok(instance);
    const { change } = verdictOn(named(), named());
    const before = named({ spec: nested(1) }) as unknown as Manifest;
    const differ = instance.handle(
      { ...change, before, after: named({ spec: nested(2) }) as unknown as Manifest },
      {} as HandlerContext,
    ) as Change;
    const same = instance.handle(
      { ...change, before, after: named({ spec: nested(1) }) as unknown as Manifest },
      {} as HandlerContext,
    );
    assert.ok(isHalt(same));
    const note = differ.notes.diff;
    assert.equal(note?.fields.length, 1);
    assert.ok(note.headline.length < 300 && note.unified !== undefined && note.patch.length === 1);
  });

  test('a difference far down in a long text is found, and its line numbers are right', () => {
    const text = (...end: string[]): string =>
      [...Array.from({ length: 30_000 }, (_, n) => `line ${n + 1}`), ...end, 'last'].join('\n');
    const unified = (before: string, after: string) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } })).unified;
    const context = ' line 29998\n line 29999\n line 30000\n';
    assert.ok(unified(text('a'), text('b')).endsWith(`@@ -29998,5 +29998,5 @@\n${context}-a\n+b\n last\n`));
    assert.ok(unified(text(), text('b')).endsWith(`@@ -29998,4 +29998,5 @@\n${context}+b\n last\n`));
    const block = (word: string) => text(...Array.from({ length: 500 }, (_, n) => `${word} ${n}`));
    assert.match(unified(block('a'), block('b')), /\n@@ -30001,500 \+30001,500 @@\n-a 0\n/);
  });

  test('JSON on one line is compared field by field, as far as it differs in more than blanks', () => {
    const panels = (...titles: string[]): string =>
      JSON.stringify({ panels: titles.map((title) => ({ title, expr: 'sum(x{job="a,b"}) by (job)', links: [] })) });
    const many = Array.from({ length: 20 }, (_, n) => `p${n}`);
    const note = (before: string, after: string) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } }));
    const edited = note(panels(...many, 'old', 'z'), `${panels(...many, 'new', 'z')}\n`);
    assert.equal(edited.headline, 'data.t changed');
    assert.deepEqual(
      edited.fields.map((field) => formatField(field)),
      ['data.t: (JSON on one line), changed'],
    );
    assert.match(
      edited.unified,
      /\n {7}"links":\[\]\n {5}\},\n {5}\{\n-      "title":"old",\n\+      "title":"new",\n {7}"expr":"sum\(x\{job=\\"a,b\\"\}\) by \(job\)",\n/,
    );
    assert.match(edited.unified, /\n… they differ in the final newline\n$/);
    assert.match(note(panels(...many), panels(...many, 'added')).unified, /\n\+ {6}"title":"added",\n/);
    const spaced = note(panels(...many), panels(...many).replace('{', '{ ')).unified;
    assert.match(spaced, /\n-\{"panels".*\n\+\{ "panels"/);
    const broken = (end: string): string => `{]]"${'x'.repeat(500)}"${end}}`;
    assert.match(note(broken('a'), broken('b')).unified, /\n-\]?"?.*a\n\+.*b\n/);
  });

  test('differences that no line shows, such as a final newline: a note mentions them, next to other differences too', () => {
    const unified = (before: Json, after: Json) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } })).unified;
    assert.match(unified('a=1\nb=2\n', 'a=1\nb=2'), /^\+\+\+ data\.t\n… they differ in the final newline\n$/m);
    assert.match(unified('a=1\nb=2\n', 'a=0\nb=2'), /\n-a=1\n\+a=0\n b=2\n… they differ in the final newline\n$/);
    assert.match(unified('a=1\nb=2\n', ''), /\n-a=1\n-b=2\n\+\n$/);
    assert.match(unified('a: 1\nb: 1\n', { a: 1, b: 1 }), /\n… they differ beyond what is shown\n$/);
    const long = (ends: string) => `${ends}\n${'x\n'.repeat(20_000)}${ends}\n`;
    assert.match(unified(long('a'), long('b')), /\n-a\n\+b\n(?: x\n){3}… beyond 20,000 lines nothing is compared\n$/);
  });

  test('a line pushed beyond the limit of 20,000 lines on one side: it is neither added nor removed', () => {
    const text = (...others: readonly string[]) =>
      [...others, ...Array.from({ length: 21_000 }, (_, n) => `line ${n}`)].join('\n');
    const unified = (before: string, after: string) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } })).unified;
    const rest = ' line 0\n line 1\n line 2\n… beyond 20,000 lines nothing is compared\n';
    assert.ok(unified(text(), text('new')).endsWith(`\n@@ -1,3 +1,4 @@\n+new\n${rest}`));
    assert.ok(unified(text('old'), text()).endsWith(`\n@@ -1,4 +1,3 @@\n-old\n${rest}`));
    const short = text().split('\n').slice(0, 19_998).join('\n');
    const grown = unified(`old\n${short}`, `now\n${short}\nnew\nnewer`);
    assert.match(grown, /\n line 19997\n\+new\n… beyond/);
  });

  test('an overlong line: it is shown from its first difference on, next to another difference too', () => {
    const text = (first: string, mark: string) => `${first}\n${'x\n'.repeat(20)}${'y'.repeat(1_200)}${mark}`;
    const { unified } = noteOn(named({ data: { t: text('a', 'A') } }), named({ data: { t: text('b', 'B') } }));
    assert.match(unified, /\n-a\n\+b\n(?: x\n){3}@@ [^@]+ @@\n(?: x\n){3}-…y+A… \(1201 characters\)\n\+…y+B… \(1201 /);
  });

  test('an overlong line of base64: only some characters from its first difference on are shown', () => {
    const bundle = (end: string) => named({ spec: { caBundle: `${'QUJD'.repeat(400)}${end.repeat(400)}` } });
    const { unified } = noteOn(bundle('REVG'), bundle('R0hJ'));
    const line = (start: string) => `…\\w{39}${start}\\w{37}… \\(3200 characters\\)\n`;
    assert.match(unified, new RegExp(`\n-${line('REVG')}\\+${line('R0hJ')}$`));
  });

  test('a long text that differs in most lines: only lines that differ are shown', () => {
    const text = (word: string) =>
      Array.from({ length: 1_000 }, (_, n) => (n < 300 || n === 999 ? `same ${n}` : `${word} ${n}`)).join('\n');
    const { unified } = noteOn(named({ data: { t: text('old') } }), named({ data: { t: text('new') } }));
    assert.match(unified, /\n@@ -301,699 \+301,699 @@\n-old 300\n/);
    assert.match(unified, /\n… 499 more lines\n\+new 300\n/);
    assert.doesNotMatch(unified, /same/);
  });

  test('lines that differ only in trailing blanks or tabs: the difference is escaped', () => {
    const unified = (before: string, after: string) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } })).unified;
    assert.match(unified('a: 1\nb: 2\n', 'a: 1 \nb: 2\n'), /\n-a: 1\n\+a: 1\\u0020\n b: 2\n/);
    assert.match(unified('a:\n\tb\n', 'a:\n        b\n'), /\n-\\tb\n\+ {8}b\n/);
    assert.match(unified('a:\n\tb \n', 'a:\n\tc \n'), /\n-\tb \n\+\tc \n/);
  });

  test('cuts at any length without splitting a character', () => {
    for (const room of Array.from({ length: 12 }, (_, n) => n)) {
      const [short, long] = ['x'.repeat(room), 'x'.repeat(990 + room)];
      const { unified } = noteOn(
        named({ data: { t: 'a\nb' } }),
        named({ data: { t: `a\n${long}${'😀'.repeat(30)}` } }),
      );
      const same = `${'😀'.repeat(300)}${short}`;
      const { fields } = noteOn(named({ data: { t: `${same}y` } }), named({ data: { t: `${same}z` } }));
      assert.ok(
        [unified, ...fields.map((field) => formatField(field))].every((text) => text.isWellFormed()),
        short,
      );
    }
  });

  test('a thousand annotations and a huge text without a huge message', () => {
    const annotations = (value: string) =>
      Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`example.com/a${n}`, value]));
    const text = (step: number) => Array.from({ length: 40_000 }, (_, n) => `line ${(n * step) % 7919}`).join('\n');
    const note = noteOn(
      named({ data: { t: text(3) } }, { annotations: annotations('1') }),
      named({ data: { t: text(7) } }, { annotations: annotations('2') }),
    );
    assert.equal(note.fields.length, 1001);
    assert.match(note.headline, /^data\.t changed, annotations\["example\.com\/a0"\] 1 -> 2, .*, \+998 more$/);
    assert.match(note.unified, /\n… \d+ more lines\n/);
    assert.ok(note.unified.length < 100_000);
  });
});
