import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import diff from './index.ts';
import type { Json } from '../../src/json.ts';
import { haltOn, linesOn, named, noteOn, podTemplate, type Fields } from '../../src/testing/test-diff.ts';

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
    const marks = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 };
    const note = noteOn(named({ spec: { replicas: 1 } }), named({ spec: { replicas: 0 } }, marks));
    assert.equal(note.headline, 'terminating, replicas 1 -> 0');
    assert.equal(note.fields.length, 3);
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

  test('per kind, by any of its names', () => {
    for (const kind of ['Deployment', 'deployments', 'DEPLOY', 'deploy.apps', 'deployments.apps']) {
      assert.equal(haltOn(...scaled, { kinds: { [kind]: { ignore: ['spec.replicas'] } } }), 'no difference', kind);
    }
    assert.equal(linesOn(...scaled, { kinds: { 'deploy.extensions': { ignore: ['spec.replicas'] } } }).length, 1);
  });

  test('per kind (case-insensitive, group optional): ignore adds to the general one, only replaces it', () => {
    assert.equal(haltOn(...scaled, { kinds: { deployment: { ignore: ['spec.replicas'] } } }), 'no difference');
    assert.equal(haltOn(...scaled, { kinds: { 'Deployment.apps': { only: ['metadata'] } } }), 'no difference');
    assert.equal(linesOn(...scaled, { only: ['metadata'], kinds: { Deployment: { only: ['spec'] } } }).length, 1);
    assert.equal(linesOn(...scaled, { kinds: { StatefulSet: { ignore: ['spec.replicas'] } } }).length, 1);
    const both = { ignore: ['spec.replicas'], kinds: { Deployment: { ignore: ['spec.paused'] } } };
    assert.equal(haltOn(...scaled, both), 'no difference');
  });

  test('refuse an index into a list whose items go by a key', () => {
    const problemOf = (path: string) => diff.options.safeParse({ ignore: [path] }).error?.issues[0]?.message;
    assert.equal(
      problemOf('spec.template.spec.containers[0].image'),
      'containers[0] matches nothing, since the items of containers go by their name: write containers[web] for one, containers[*] for all',
    );
    assert.match(problemOf('status.conditions.0') ?? '', /go by their type: write conditions\[Ready\]/);
    for (const path of ['spec.args[0]', 'spec.containers[web].args[0]', 'spec.containers[*].image'])
      assert.equal(problemOf(path), undefined);
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

  test('with a pattern of `**`, reads an added value about as often at any depth', () => {
    let reads = 0;
    let nested: Json = { drop: 1 };
    for (let level = 0; level < 100; level++) {
      nested = Object.defineProperty({ inner: nested }, 'word', { enumerable: true, get: () => (reads++, 'x') });
    }
    const { fields } = noteOn(named({}), named({ spec: nested }), { ignore: ['**.drop'] });
    assert.equal(fields.length, 100);
    assert.ok(reads < 100 * 20, `${reads} reads`);
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
