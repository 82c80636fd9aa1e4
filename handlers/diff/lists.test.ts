import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Json } from '../../src/json.ts';
import { linesOn, named, noteOn, podTemplate } from '../../src/testing/test-diff.ts';

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

  for (const [list, item, label] of [
    ['conditions', { type: 'Ready' }, 'Ready'],
    ['hostAliases', { ip: '10.0.0.1' }, '10.0.0.1'],
    ['ownerReferences', { name: 'web', uid: 'u-1' }, 'u-1'],
    ['topologySpreadConstraints', { topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }, 'zone/DoNotSchedule'],
    ['volumeDevices', { name: 'data', devicePath: '/dev/x' }, '/dev/x'],
    ['volumeMounts', { name: 'data', mountPath: '/data' }, '/data'],
  ] as const) {
    test(`${list} by the merge key of Kubernetes`, () => {
      const of = (value: number) => named({ spec: { [list]: [{ ...item, value }] } });
      assert.deepEqual(linesOn(of(1), of(2)), [`spec.${list}[${label}].value: 1 -> 2`]);
    });
  }

  test('a port without a protocol is the TCP port that the API server makes of it', () => {
    assert.deepEqual(linesOn(ports({ containerPort: 80 }), ports({ containerPort: 80, protocol: 'TCP' })), [
      'spec.ports[80/TCP].protocol: (none) -> TCP',
    ]);
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
