import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Actor } from '../../src/change.ts';
import type { Json } from '../../src/json.ts';
import { formatField } from './text.ts';
import { linesOn, named, noteOn, podTemplate, verdictOn, type Fields } from '../../src/testing/test-diff.ts';

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

  test('a headline says of a redacted value that it changed; the line of the field has both, to compare with earlier ones', () => {
    const masked = (digit: string): string => `redacted:hmac-${digit.repeat(12)}`;
    const secret = (data: Fields) => named({ data });
    const note = noteOn(secret({ a: masked('0'), b: masked('1') }), secret({ a: masked('2'), c: masked('3') }));
    assert.equal(note.headline, 'data.a changed, data.c added, data.b removed');
    assert.equal(formatField(note.fields[0] ?? assert.fail()), `data.a: ${masked('0')} -> ${masked('2')}`);
    const env = (value: string) => podTemplate({ name: 'web', env: [{ name: 'PASSWORD', value }] });
    assert.equal(noteOn(env(masked('0')), env(masked('1'))).headline, 'env PASSWORD changed');
    assert.equal(noteOn(secret({ a: masked('0') }), secret({ a: 'x' })).headline, `data.a ${masked('0')} -> x`);
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

  test('a headline lists an image in a status, a label or an annotation after what it follows from', () => {
    const pod = (image: string, nodeName: string): Fields => ({
      metadata: { labels: { image }, annotations: { image } },
      spec: { nodeName },
      status: { containerStatuses: [{ name: 'web', image }], phase: nodeName },
    });
    assert.deepEqual(
      noteOn(pod('a', 'x'), pod('b', 'y'), { status: true }).fields.map(({ path }) => path),
      [
        'spec.nodeName',
        'metadata.labels.image',
        'metadata.annotations.image',
        'status.phase',
        'status.containerStatuses[web].image',
      ],
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
