import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HandlerContext } from '../../src/chain/handler.ts';
import type { Actor, Change } from '../../src/change.ts';
import { withNote } from '../../src/change/lazy-change.ts';
import { changeOf } from '../../src/testing/change.ts';
import { problemsOf, verdictOf } from '../../src/testing/handler.ts';
import type { DiffNote } from '../diff/note.ts';
import match from './index.ts';

const verdict = async (options: object, change: Change, context: Partial<HandlerContext> = {}): Promise<string> =>
  verdictOf(match, options, change, context);

const deployment = (replicas: number, image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    namespace: 'shop',
    labels: { tier: 'web' },
    annotations: { 'example.com/owner': 'ada@shop' },
  },
  spec: {
    replicas,
    paused: false,
    template: {
      spec: {
        containers: [
          { name: 'web', image },
          { name: 'proxy', image: 'envoy:1' },
        ],
      },
    },
  },
});
const scaled = changeOf({ before: deployment(1, 'nginx:1'), after: deployment(3, 'nginx:1') });
const rolled = changeOf({ before: deployment(1, 'nginx:1'), after: deployment(1, 'nginx:2') });

const coreEvent = changeOf({
  after: {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'web.17', namespace: 'shop' },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'web-1', namespace: 'shop' },
    reason: 'BackOff',
    type: 'Warning',
    message: 'Back-off restarting failed container',
    source: { component: 'kubelet', host: 'node-1' },
    reportingComponent: '',
    count: 3,
  },
});
const newEvent = changeOf({
  after: {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'web.18', namespace: 'shop' },
    regarding: { apiVersion: 'v1', kind: 'Pod', name: 'web-1', namespace: 'shop' },
    deprecatedSource: { component: 'kubelet', host: 'node-1' },
    series: { count: 3 },
    reason: 'BackOff',
    type: 'Warning',
    note: 'Back-off restarting failed container',
    reportingController: 'kubelet',
  },
});

describe('match', () => {
  test('passes a change that matches all tests, and with drop halts it', async () => {
    const all = {
      kind: '^deployment$',
      apiVersion: '^apps/v1$',
      namespace: ['^team-', '^shop$'],
      objectName: 'web',
      labels: { tier: '^web$' },
      annotations: { 'example.com/owner': '@shop' },
      action: ['added', 'updated'],
      changed: 'spec.replicas',
      field: { 'spec.replicas': '^3$', 'spec.template.spec.containers[web].image': '^nginx' },
    };
    assert.equal(await verdict(all, scaled), 'pass');
    assert.match(
      await verdict({ ...all, drop: true }, scaled),
      /^dropped: action updated is added or updated, kind "Deployment" matches \^deployment\$, /,
    );
  });

  const failing: readonly [title: string, options: object, reason: string][] = [
    ['kind', { kind: '^Pod$' }, 'kind "Deployment" does not match ^Pod$'],
    ['namespace', { namespace: ['^a', '^b'] }, 'namespace "shop" does not match ^a or ^b'],
    ['action', { action: 'deleted' }, 'action updated is not deleted'],
    ['label', { labels: { tier: 'db' } }, 'labels[tier] "web" does not match db'],
    ['an absent label', { labels: { team: '.' } }, 'labels[team] is absent, so it does not match .'],
    ['changed', { changed: ['spec.paused', 'status'] }, 'no change of spec.paused or status'],
    ['a field', { field: { 'spec.paused': 'true' } }, 'spec.paused "false" does not match true'],
    ['an absent field', { field: { 'spec.nothing.here': '' } }, 'spec.nothing.here is absent, so it does not match '],
    [
      'every item of a list',
      { field: { 'spec.template.spec.containers[*].image': 'redis' } },
      'spec.template.spec.containers[*].image "nginx:1" and "envoy:1" does not match redis',
    ],
    ['an Event test on another kind', { reason: '.' }, 'reason is absent, so it does not match .'],
    [
      'a property of the prototype',
      { field: { 'spec.constructor.name': '.' } },
      'spec.constructor.name is absent, so it does not match .',
    ],
  ];
  for (const [title, options, reason] of failing) {
    test(`halts when ${title} does not match, naming the value and the test; with drop, passes`, async () => {
      assert.equal(await verdict(options, scaled), reason);
      assert.equal(await verdict({ ...options, drop: true }, scaled), 'pass');
    });
  }

  test('changed finds a field by wildcard, by parent path and by list item', async () => {
    for (const changed of [
      'spec.template.spec.containers[*].image',
      'spec.template',
      'spec.**.image',
      '**.containers[web]',
    ]) {
      assert.equal(await verdict({ changed }, rolled), 'pass', changed);
      assert.match(await verdict({ changed }, scaled), /^no change of/, changed);
    }
  });

  test('a created or deleted object has no changed fields', async () => {
    assert.equal(await verdict({ changed: 'spec' }, changeOf({ after: deployment(1, 'a') })), 'no change of spec');
    assert.equal(await verdict({ changed: 'spec' }, changeOf({ before: deployment(1, 'a') })), 'no change of spec');
  });

  test('a deleted object is tested by its last known manifest', async () => {
    const deleted = changeOf({ before: deployment(1, 'nginx:1') });
    assert.equal(await verdict({ labels: { tier: '^web$' }, field: { 'spec.replicas': '1' } }, deleted), 'pass');
  });

  test('patterns are unanchored, case-sensitive and RE2: (?i) works', async () => {
    assert.equal(await verdict({ objectName: 'e' }, scaled), 'pass');
    assert.equal(await verdict({ objectName: '(?i)WEB' }, scaled), 'pass');
    assert.equal(await verdict({ objectName: 'WEB' }, scaled), 'objectName "web" does not match WEB');
  });

  test('tests the involved object, reason, source and count of an Event, in both API groups', async () => {
    const options = {
      involvedKind: '^pod$',
      involvedName: '^web-',
      involvedNamespace: '^shop$',
      involvedApiVersion: '^v1$',
      reason: '^BackOff$',
      type: '^Warning$',
      component: '^kubelet$',
      host: '^node-1$',
      minCount: 3,
      message: 'restarting',
    };
    assert.equal(await verdict(options, coreEvent), 'pass');
    assert.equal(await verdict(options, newEvent), 'pass');
    assert.equal(await verdict({ reason: '^Pulled$' }, newEvent), 'reason "BackOff" does not match ^Pulled$');
    assert.equal(await verdict({ minCount: 4 }, coreEvent), 'count 3 is less than 4');
    assert.equal(await verdict({ minCount: 1 }, scaled), 'count 0 is less than 1');
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web' }, type: 'Opaque' };
    assert.equal(await verdict({ type: '.' }, changeOf({ after: secret })), 'type is absent, so it does not match .');
    assert.equal(await verdict({ involvedKind: '(?-i)pod' }, coreEvent), 'involvedKind "Pod" does not match (?-i)pod');
  });

  test('tests labels, annotations and owner of the involved object of an Event, after all other tests', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web-1', uid: undefined };
    let asked = 0;
    const involved = {
      ...pod,
      labels: { tier: 'web' },
      annotations: {},
      ownerReferences: [],
      deleted: false,
      known: true,
    };
    const context = {
      involved: () => Promise.resolve((asked++, involved)),
      topOwner: () => Promise.resolve((asked++, { ...pod, kind: 'Deployment', name: 'web' })),
    };
    const options = { reason: '^BackOff$', labels: { tier: '^web$' }, ownerKind: '^deployment$', ownerName: '^web$' };
    assert.equal(await verdict(options, coreEvent, context), 'pass');
    assert.equal(asked, 3);
    assert.equal(await verdict({ labels: { tier: 'db' } }, coreEvent, context), 'labels[tier] "web" does not match db');
    assert.equal(
      await verdict({ annotations: { team: '.' } }, coreEvent, context),
      'annotations[team] is absent, so it does not match .',
    );
    asked = 0;
    assert.equal(
      await verdict({ ...options, reason: '^Pulled$' }, coreEvent, context),
      'reason "BackOff" does not match ^Pulled$',
    );
    assert.equal(asked, 0);
  });

  test('tests labels of the namespace, of any change', async () => {
    const labels = { team: 'shop' };
    const shop = { apiVersion: 'v1', kind: 'Namespace', namespace: undefined, name: 'shop', uid: undefined, labels };
    const facts = { annotations: {}, ownerReferences: [], deleted: false, known: true };
    const context = { namespaceOf: () => Promise.resolve({ ...shop, ...facts }) };
    for (const change of [scaled, coreEvent]) {
      assert.equal(await verdict({ namespaceLabels: { team: '^shop$' } }, change, context), 'pass');
      const why = 'namespaceLabels[team] "shop" does not match db';
      assert.equal(await verdict({ namespaceLabels: { team: 'db' } }, change, context), why);
    }
    const nowhere = { namespaceOf: () => Promise.resolve(undefined) };
    const why = 'namespaceLabels[team] is absent, so it does not match .';
    assert.equal(await verdict({ namespaceLabels: { team: '.' } }, scaled, nowhere), why);
  });

  test('an absent value matches nothing; with absentIsEmpty it is tested as an empty string', async () => {
    for (const tests of [{ host: '^$' }, { field: { 'source.host': '^(|node-1)$' } }]) {
      assert.match(await verdict(tests, scaled), /is absent, so it does not match/);
      assert.equal(await verdict({ ...tests, absentIsEmpty: true }, scaled), 'pass');
    }
    assert.match(await verdict({ labels: { no: '^$' }, absentIsEmpty: true }, scaled), /labels\[no\] is absent/);
    assert.match(problemsOf(match, { absentIsEmpty: true }).join(), /^must have at least one test/);
  });

  test('by: who made the change; after diff, who made the differences that are left', async () => {
    const actor = (manager: string, path: string): Actor => ({ manager, operation: 'Update', paths: [path] });
    const by = [actor('kubectl-edit', 'spec.replicas'), actor('argocd-controller', 'spec.paused')];
    const edited: Change = { ...scaled, by };
    const diffed = withNote(edited, 'diff', { by: ['argocd-controller'] } as unknown as DiffNote);
    assert.equal(await verdict({ by: ['^Mozilla$', '^kubectl'] }, edited), 'pass');
    assert.equal(await verdict({ by: '^kubectl' }, diffed), 'by "argocd-controller" does not match ^kubectl');
    assert.equal(
      await verdict({ by: '^argocd-', drop: true }, diffed),
      'dropped: by "argocd-controller" matches ^argocd-',
    );
    assert.equal(await verdict({ by: '^kubectl' }, scaled), 'by is absent, so it does not match ^kubectl');
    assert.equal(await verdict({ by: '^$', absentIsEmpty: true }, scaled), 'pass');
  });

  test('notes: what earlier handlers found out, read no further than the paths lead', async () => {
    const note = { level: 'Failure', restarts: 3, owner: { name: 'web' } };
    Object.defineProperty(note, 'log', { enumerable: true, get: () => assert.fail('nothing asks for the log') });
    const alert = { ...scaled, notes: { alert: note } } as unknown as Change;
    assert.equal(await verdict({ notes: { 'alert.level': '^Failure$', 'alert.restarts': '^3$' } }, alert), 'pass');
    assert.equal(
      await verdict({ notes: { 'alert.owner.name': '^api$' } }, alert),
      'notes.alert.owner.name "web" does not match ^api$',
    );
    assert.equal(
      await verdict({ notes: { 'alert.level': '^Failure$' } }, scaled),
      'notes.alert.level is absent, so it does not match ^Failure$',
    );
    assert.equal(
      await verdict({ notes: { 'alert.level': 'Fail' }, drop: true }, alert),
      'dropped: notes.alert.level "Failure" matches Fail',
    );
    assert.match(problemsOf(match, { notes: { 'alert.[': 'x' } }).join(), /^notes\.alert\.\[: /);
  });

  test('notes: what JSON does not have counts as in a branch, which reads notes from the store', async () => {
    const note = { at: new Date(0), by: () => 'me' };
    const stored = JSON.parse(JSON.stringify(note)) as unknown;
    for (const mine of [note, stored]) {
      const change = { ...scaled, notes: { mine } } as unknown as Change;
      assert.equal(await verdict({ notes: { 'mine.at': '^1970-' } }, change), 'pass');
      assert.match(await verdict({ notes: { 'mine.by': 'me' } }, change), /^notes\.mine\.by is absent/);
    }
  });

  test('a list or an object is tested as JSON', async () => {
    const selector = { app: 'web' };
    const service = changeOf({
      after: { kind: 'Service', metadata: { name: 'web' }, spec: { selector, ips: ['::1'] } },
    });
    assert.equal(
      await verdict({ field: { 'spec.selector': '^{"app":"web"}$', 'spec.ips': '^\\["::1"]$' } }, service),
      'pass',
    );
    assert.equal(
      await verdict({ field: { 'spec.selector': '^web$' } }, service),
      'spec.selector "{"app":"web"}" does not match ^web$',
    );
  });

  test('a value in a reason is shortened and printable', async () => {
    const change = changeOf({
      after: { kind: 'ConfigMap', metadata: { name: 'c', annotations: { note: `\u001b[31m\n${'x'.repeat(500)}` } } },
    });
    const reason = await verdict({ annotations: { note: '^y' } }, change);
    assert.match(reason, /^annotations\[note\] "\\u001b\[31m\\nx{54}…" does not match \^y$/);
    const smiling = changeOf({
      after: { kind: 'ConfigMap', metadata: { name: 'c', annotations: { note: `${'x'.repeat(59)}😀` } } },
    });
    assert.match(await verdict({ annotations: { note: '^y' } }, smiling), /"x{59}…" does not match/);
  });

  test('looks at the first 64 KiB of a value only', async () => {
    const data = { text: `${'x'.repeat(64 * 1024)}needle` };
    const change = changeOf({ after: { kind: 'ConfigMap', metadata: { name: 'c' }, data } });
    assert.match(await verdict({ field: { 'data.text': 'needle' } }, change), /does not match needle$/);
  });

  test('tolerates manifests that violate their schema', async () => {
    const odd = JSON.parse(
      '{"kind":"X","metadata":{"name":"x","labels":["a"],"annotations":null},"spec":{"__proto__":{"type":"evil"},"type":null}}',
    ) as object;
    const change = changeOf({ after: odd });
    assert.match(await verdict({ labels: { 0: 'a' } }, change), /is absent/);
    assert.match(await verdict({ annotations: { a: 'a' } }, change), /is absent/);
    assert.equal(await verdict({ field: { 'spec.__proto__.type': '^evil$' } }, change), 'pass');
    assert.match(await verdict({ field: { 'spec.type': '.' } }, change), /is absent/);
  });

  test('refuses at the start: no test at all, a bad pattern, a bad path, an unknown action', () => {
    assert.match(problemsOf(match, { drop: true }).join(), /^must have at least one test: kind, apiVersion, /);
    assert.match(problemsOf(match, { objectName: '(web' }).join(), /^objectName: .*missing closing \)/);
    assert.match(problemsOf(match, { labels: { tier: ['ok', 'a(?=b)'] } }).join(), /^labels\.tier\.1: .*RE2/);
    assert.match(problemsOf(match, { changed: 'spec..replicas' }).join(), /^changed: Cannot read field path/);
    assert.match(problemsOf(match, { field: { 'a[': 'x' } }).join(), /Cannot read field path/);
    assert.match(
      problemsOf(match, { field: { 'spec.containers[0].image': 'x' } }).join(),
      /write containers\[web\] for one/,
    );
    assert.match(problemsOf(match, { action: 'Add' }).join(), /^action: /);
  });
});
