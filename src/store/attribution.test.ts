import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Json } from '../json.ts';
import { attribute, knownOf, type Attribution } from './attribution.ts';

const helm = {
  manager: 'helm',
  operation: 'Update',
  apiVersion: 'apps/v1',
  time: '2026-03-01T10:00:00Z',
  fieldsType: 'FieldsV1',
  fieldsV1: {
    'f:metadata': {
      'f:annotations': { '.': {}, 'f:meta.helm.sh/release-name': {} },
      'f:finalizers': { '.': {}, 'v:"example.com/hold"': {} },
    },
    'f:spec': {
      'f:replicas': {},
      'f:template': {
        'f:spec': {
          'f:containers': {
            'k:{"name":"web"}': {
              '.': {},
              'f:image': {},
              'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
            },
          },
        },
      },
    },
  },
};
const controller = {
  manager: 'kube-controller-manager',
  operation: 'Update',
  apiVersion: 'apps/v1',
  time: '2026-03-01T10:00:05Z',
  fieldsType: 'FieldsV1',
  fieldsV1: { 'f:status': { 'f:readyReplicas': {} } },
  subresource: 'status',
};
const kubectl = {
  manager: 'kubectl-set',
  operation: 'Apply',
  apiVersion: 'apps/v1',
  time: '2026-03-02T08:00:00Z',
  fieldsType: 'FieldsV1',
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
};

const NOW = Date.parse('2026-03-02T08:00:30Z');

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe('attribute()', () => {
  test('names every entry of a new object, newest first, with its leaf paths', () => {
    const { by } = attribute(bytes([helm, controller]), { now: NOW });
    assert.deepEqual(by, [
      {
        manager: 'kube-controller-manager',
        operation: 'Update',
        subresource: 'status',
        time: '2026-03-01T10:00:05Z',
        paths: ['status.readyReplicas'],
      },
      {
        manager: 'helm',
        operation: 'Update',
        time: '2026-03-01T10:00:00Z',
        paths: [
          'metadata.annotations',
          'metadata.annotations["meta.helm.sh/release-name"]',
          'metadata.finalizers',
          'metadata.finalizers[="example.com/hold"]',
          'spec.replicas',
          'spec.template.spec.containers[name="web"]',
          'spec.template.spec.containers[name="web"].image',
          'spec.template.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"]',
          'spec.template.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].containerPort',
        ],
      },
    ]);
  });

  test('leaves out entries that were known before, in whatever order they come', () => {
    const known = knownOf(bytes([helm, controller]));
    const { by } = attribute(bytes([controller, kubectl, helm]), { known, now: NOW });
    assert.deepEqual(
      by.map((actor) => [actor.manager, actor.operation, actor.paths]),
      [['kubectl-set', 'Apply', ['spec.replicas']]],
    );
  });

  test('names an entry again when only its time has changed', () => {
    const known = knownOf(bytes([helm, kubectl]));
    const { by } = attribute(bytes([helm, { ...kubectl, time: '2026-03-02T08:00:01Z' }]), { known, now: NOW });
    assert.deepEqual(
      by.map((actor) => actor.manager),
      ['kubectl-set'],
    );
  });

  test('leaves out a manager that lost a field to somebody whom the API server does not record', () => {
    const known = knownOf(bytes([helm, controller]));
    const less = { ...helm, fieldsV1: { 'f:spec': { 'f:replicas': {} } } };
    assert.deepEqual(attribute(bytes([less, controller]), { known, now: NOW }).by, []);
  });

  test('leaves out a loser that was the newest writer before, except within its second', () => {
    const known = knownOf(bytes([helm, kubectl]));
    const less = { ...kubectl, fieldsV1: {} };
    const managersAfter = (ms: number) =>
      attribute(bytes([helm, less]), { known, now: Date.parse(kubectl.time) + ms }).by.map(({ manager }) => manager);
    assert.deepEqual(managersAfter(900), ['kubectl-set']);
    assert.deepEqual(managersAfter(60_000), []);
  });

  test('leaves out a loser of that second if somebody else wrote later, who took its field', () => {
    const taker = { ...kubectl, manager: 'argocd', time: '2026-03-02T08:00:02Z' };
    const known = knownOf(bytes([helm, kubectl]));
    const { by } = attribute(bytes([helm, { ...kubectl, fieldsV1: {} }, taker]), { known, now: NOW - 28_000 });
    assert.deepEqual(
      by.map(({ manager }) => manager),
      ['argocd'],
    );
  });

  describe('of an update that no entry shows names the owners of the values that differ', () => {
    const scaler = {
      manager: 'kubectl',
      operation: 'Update',
      subresource: 'scale',
      fieldsV1: { 'f:spec': { 'f:replicas': {} } },
    };
    const { 'f:replicas': _, ...others } = helm.fieldsV1['f:spec'];
    const template = { ...helm, fieldsV1: { ...helm.fieldsV1, 'f:spec': others } };
    const entries = [template, scaler, { ...controller, time: helm.time }];
    const then = Date.parse(helm.time) + 900;
    const web = (replicas: number | undefined, image: string, readyReplicas: number, args: string[] = []) => ({
      metadata: { annotations: { 'meta.helm.sh/release-name': 'web' } },
      spec: {
        replicas,
        template: {
          spec: {
            containers: [
              { name: 'sidecar', image: 'sidecar:1' },
              { name: 'web', image, args, ports: [{ containerPort: 80, protocol: 'TCP' }] },
            ],
          },
        },
      },
      status: { readyReplicas },
    });
    type Web = ReturnType<typeof web>;
    const managersOf = (before: Web, after: Web, { except = ['status'], known = entries, now = then } = {}) => {
      const versions = () => JSON.parse(JSON.stringify([before, after])) as [Json, Json];
      const { by } = attribute(bytes(entries), { known: knownOf(bytes(known)), now, except, versions });
      return by.map(({ manager }) => manager);
    };

    test('as of the second scaling in a row, or of a second write within a second', () => {
      assert.deepEqual(managersOf(web(1, 'web:1', 1), web(2, 'web:1', 1)), ['kubectl']);
      assert.deepEqual(managersOf(web(1, 'web:1', 1), web(1, 'web:2', 1)), ['helm']);
      assert.deepEqual(managersOf(web(1, 'web:1', 1), web(2, 'web:2', 1)), ['helm', 'kubectl']);
    });

    test('but of the others only those whose time is now, as that would have changed', () => {
      assert.deepEqual(managersOf(web(1, 'web:1', 1), web(2, 'web:2', 1), { now: then + 60_000 }), ['kubectl']);
    });

    test('but not those of ignored fields, or of fields that nobody owns, that appear or that are gone', () => {
      const before = web(1, 'web:1', 1);
      assert.deepEqual(managersOf(before, web(1, 'web:1', 2)), []);
      assert.deepEqual(managersOf(before, web(1, 'web:1', 2), { except: [] }), ['kube-controller-manager']);
      assert.deepEqual(managersOf(before, web(1, 'web:1', 1, ['-v'])), []);
      assert.deepEqual(managersOf(before, web(undefined, 'web:1', 1)), []);
      assert.deepEqual(managersOf(web(undefined, 'web:1', 1), before), []);
    });

    test('and nobody else if an entry does show it', () => {
      assert.deepEqual(managersOf(web(1, 'web:1', 1), web(2, 'web:2', 1), { known: [template] }), ['kubectl']);
    });
  });

  test('names an altered entry if its time or that of the baseline is unknown', () => {
    const timeless = { manager: 'old', operation: 'Update', fieldsV1: {} };
    const less = { ...helm, fieldsV1: {} };
    const onlyHashes = knownOf(bytes([helm, controller])).subarray(0, 16);
    const managers = ({ by }: Attribution) => by.map(({ manager }) => manager);
    assert.deepEqual(managers(attribute(bytes([helm, timeless]), { known: knownOf(bytes([helm])), now: NOW })), [
      'old',
    ]);
    assert.deepEqual(managers(attribute(bytes([less, controller]), { known: onlyHashes, now: NOW })), ['helm']);
  });

  test('leaves out a manager that wrote only ignored fields, including the map around them', () => {
    const annotations = { '.': {}, 'f:deployment.kubernetes.io/revision': {} };
    const noisy = {
      ...controller,
      fieldsV1: { ...controller.fieldsV1, 'f:metadata': { 'f:annotations': annotations } },
    };
    const except = ['metadata.annotations["deployment.kubernetes.io/revision"]', 'status'];
    const statusOfSpec = { ...kubectl, fieldsV1: { 'f:statuses': {} } };
    const { by } = attribute(bytes([helm, noisy, statusOfSpec]), { now: NOW, except });
    assert.deepEqual(
      by.map((actor) => actor.manager),
      ['kubectl-set', 'helm'],
    );
  });

  test('returns what tells the same entries later', () => {
    const fields = bytes([helm, controller, kubectl]);
    const { known } = attribute(fields, { now: NOW });
    assert.deepEqual(known, knownOf(fields));
    assert.deepEqual(attribute(fields, { known, now: NOW }).by, []);
  });

  test('is not misled by braces, quotes and backslashes inside strings', () => {
    const odd = { manager: 'a"}{[\\', operation: 'Update', fieldsV1: { 'f:data': { 'f:a}"\\{': {} } } };
    const { by } = attribute(bytes([odd, helm]), { known: knownOf(bytes([helm])), now: NOW });
    assert.deepEqual(by, [{ manager: 'a"}{[\\', operation: 'Update', paths: ['data["a}\\"\\\\{"]'] }]);
  });

  test('returns no actors for input that is not a list of entries', () => {
    for (const text of ['null', '[]', '', '[{"manager":', '"managedFields"', '[{bad}]', '{']) {
      assert.deepEqual(attribute(new TextEncoder().encode(text), { now: NOW }).by, [], text);
    }
  });

  test('treats __proto__ as a field name like any other', () => {
    const entry =
      '[{"manager":"m","operation":"Update","fieldsV1":{"f:data":{"f:__proto__":{}},"__proto__":{"f:polluted":{}}}}]';
    const { by } = attribute(new TextEncoder().encode(entry), { now: NOW });
    assert.ok(by[0]?.paths.includes('data.__proto__'));
    assert.equal(Object.hasOwn(Object.prototype, 'f:polluted'), false);
  });

  test('masks the values of sets outside metadata, which may be redacted', () => {
    const fieldsV1 = { 'f:spec': { 'f:tokens': { 'v:"hunter2"': {} } } };
    const { by } = attribute(bytes([{ manager: 'm', operation: 'Apply', fieldsV1 }]), { now: NOW });
    assert.deepEqual(by[0]?.paths, ['spec.tokens[=*]']);
  });

  test('truncates a path at 200 levels of nesting', () => {
    const fieldsV1 = `${'{"f:a":'.repeat(10_000)}{}${'}'.repeat(10_000)}`;
    const entry = Buffer.from(`[{"manager":"m","operation":"Update","fieldsV1":${fieldsV1}}]`);
    const { by } = attribute(entry, { now: NOW });
    assert.match(by[0]?.paths.join() ?? '', /^a(?:\.a){199}$/);
  });

  test('limits the total length of paths when each repeats a long key', () => {
    const below = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f:a${i}`, {}]));
    const fieldsV1 = { 'f:spec': { [`f:${'x'.repeat(100_000)}`]: below } };
    const { by } = attribute(bytes([{ manager: 'm', operation: 'Update', fieldsV1 }]), { now: NOW });
    assert.ok(by.length === 1 && JSON.stringify(by).length < 500_000);
  });

  test('returns at most 1,000 paths', () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`f:key${i}`, {}]));
    const { by } = attribute(bytes([{ manager: 'm', operation: 'Update', fieldsV1: { 'f:data': many } }]), {
      now: NOW,
    });
    assert.equal(by[0]?.paths.length, 1000);
  });
});
