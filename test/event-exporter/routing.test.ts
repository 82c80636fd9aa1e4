/** kubernetes-event-exporter's acceptance list, 7 to 12: which Event goes where. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { World } from '../e2e/world.ts';
import { until } from '../until.ts';
import { load, podEvent, pod, run, toHook, withoutFolder, type EventParts } from './exporter.ts';

interface Case {
  readonly title: string;
  /** A route of kubernetes-event-exporter, in YAML's flow style. */
  readonly route: string;
  readonly event?: EventParts;
  /** Labels and annotations of the involved object. */
  readonly object?: { readonly labels?: object; readonly annotations?: object };
  /** The receivers that get the Event, repeated for each time. */
  readonly sentTo: readonly string[];
}

/** A route with one rule that names the receiver `a`. */
const rule = (fields: string) => `{ match: [{ ${fields === '' ? '' : `${fields}, `}receiver: a }] }`;
const kubeSystem = { namespace: 'kube-system' };
const matches = (title: string, fields: string, event: EventParts = {}, object: Case['object'] = {}): Case => ({
  title,
  route: rule(fields),
  event,
  object,
  sentTo: ['a'],
});
const differs = (...given: Parameters<typeof matches>): Case => ({ ...matches(...given), sentTo: [] });
const prod = {
  labels: { env: 'prod', version: 'alpha-123' },
  annotations: { name: 'source', service: 'event-exporter' },
};

/** One run for all cases: each Event goes through all routes, but only its own case checks its message. */
async function sent(cases: readonly Case[]): Promise<readonly (readonly string[])[]> {
  await using world = await World.start();
  const routes = cases.map(
    ({ route }, n) =>
      `    - { match: [{ message: "^case-${n} " }], routes: [${route.replace(/receiver: (\w+)/g, `receiver: ${n}-$1`)}] }`,
  );
  routes.push('    - { match: [{ message: "^the last one$", receiver: last }] }');
  const names = [...new Set(routes.join().match(/(?<=receiver: )[\w-]+/g))];
  const receivers = names.map(
    (name) => `  - { name: ${name}, webhook: { endpoint: "${world.slack.url}/${name}", layout: {} } }`,
  );
  await using running = await run(
    world,
    `route:\n  routes:\n${routes.join('\n')}\nreceivers:\n${receivers.join('\n')}\n`,
    {
      reading: { lenient: true },
    },
  );
  for (const [n, { event = {}, object }] of cases.entries()) {
    if (object !== undefined) world.server.create(pod(`case-${n}`, object));
    const { message = 'nothing', ...parts } = event;
    const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: `case-${n}` };
    world.server.create(
      podEvent({ involvedObject, ...parts, name: `case-${n}`, message: `case-${n} ${String(message)}` }),
    );
  }
  // Accepted last: by then everything that the others cause is under way.
  world.server.create(podEvent({ name: 'last', message: 'the last one' }));
  await until('the last Event', () => world.slack.requests.some(({ path }) => path === '/last'));
  await running.app.idle();
  return cases.map((_, n) =>
    world.slack.requests
      .map(({ path }) => path.slice(1))
      .flatMap((path) => (path.startsWith(`${n}-`) ? [path.slice(path.indexOf('-') + 1)] : [])),
  );
}

function cases(all: readonly Case[]): void {
  const results = sent(all);
  for (const [n, { title, sentTo }] of all.entries())
    test(title, async () => assert.deepEqual((await results)[n]?.toSorted(), sentTo));
}

describe('7 rules and routes', () => {
  cases([
    matches('a rule without fields', ''),
    matches('namespace', 'namespace: kube-system', kubeSystem),
    differs('another namespace', 'namespace: kube-system'),
    matches('kube-* is a regular expression: kube-system', 'namespace: "kube-*"', kubeSystem),
    matches('kube-* is a regular expression: kube-public', 'namespace: "kube-*"', { namespace: 'kube-public' }),
    differs('kube-* is a regular expression: default', 'namespace: "kube-*"'),
    matches('a part of a label', 'labels: { version: alpha }', {}, prod),
    matches('a label', 'labels: { env: prod }', {}, prod),
    differs('another value of a label', 'labels: { env: lab }', {}, prod),
    matches('two labels', 'labels: { env: prod, version: alpha }', {}, prod),
    differs('two labels, one with another value', 'labels: { env: prod, version: beta }', {}, prod),
    differs('two labels, one of them missing', 'labels: { env: prod, age: old }', {}, prod),
    matches('an annotation', 'annotations: { name: "sou*" }', {}, prod),
    differs('another value of an annotation', 'annotations: { name: "test*" }', {}, prod),
    matches('two annotations', 'annotations: { name: "sou.*", service: "event*" }', {}, prod),
    differs('two annotations, one of them missing', 'annotations: { name: "sou*", owner: "." }', {}, prod),
    differs(
      'all fields must match: the type does not',
      'namespace: default, type: Normal, labels: { env: prod }',
      {},
      prod,
    ),
    matches(
      'all fields match',
      'namespace: default, kind: Pod, labels: { env: prod }, annotations: { service: "event*" }',
      {},
      prod,
    ),
    differs(
      'all fields must match: an annotation does not',
      'kind: Pod, labels: { env: prod }, annotations: { name: "test*" }',
      {},
      prod,
    ),
    matches(
      'all fields match as regular expressions',
      'namespace: "defa*", kind: "Po*", labels: { version: "alpha|beta" }',
      {},
      prod,
    ),
    differs(
      'alternatives of which none matches',
      'kind: "Deployment|ReplicaSet", labels: { version: "alpha|beta" }',
      {},
      prod,
    ),
    matches('a part of the message', 'message: "pulled.*nginx.*"', {
      message: 'Successfully pulled image "nginx:latest"',
    }),
    differs('fewer occurrences than minCount', 'message: pulled, minCount: 30', { message: 'pulled', count: 5 }),
    matches('as many occurrences as minCount', 'minCount: 5', { count: 5 }),
    differs('no count is one occurrence', 'minCount: 2', { count: undefined }),
    { title: 'a route without rules sends nothing', route: '{}', sentTo: [] },
    {
      title: 'a drop',
      route: '{ drop: [{ namespace: kube-system }], match: [{ receiver: a }] }',
      event: kubeSystem,
      sentTo: [],
    },
    { title: 'a drop of everything', route: '{ drop: [{}], match: [{ receiver: a }] }', sentTo: [] },
    {
      title: 'any of several drops',
      route: '{ drop: [{ type: x }, { kind: Pod }], match: [{ receiver: a }] }',
      sentTo: [],
    },
    {
      title: 'two rules that match',
      route: '{ match: [{ namespace: kube-system, receiver: a }, { receiver: b }] }',
      event: kubeSystem,
      sentTo: ['a', 'b'],
    },
    {
      title: 'a route inside',
      route: '{ match: [{ namespace: kube-system }], routes: [{ match: [{ receiver: a }] }] }',
      event: kubeSystem,
      sentTo: ['a'],
    },
    {
      title: 'two routes inside each other',
      route:
        '{ match: [{ namespace: "kube-*" }], routes: [{ match: [{ receiver: a }], routes: [{ match: [{ receiver: b }] }] }] }',
      event: kubeSystem,
      sentTo: ['a', 'b'],
    },
    {
      title: 'a drop of an inner route does not affect the outer one',
      route: '{ match: [{ receiver: a }], routes: [{ drop: [{ namespace: kube-system }], match: [{ receiver: b }] }] }',
      event: kubeSystem,
      sentTo: ['a'],
    },
    {
      title: 'a rule beside a drop that does not match',
      route: '{ drop: [{ type: Normal }], match: [{ reason: FailedCreatePodContainer, receiver: a }] }',
      event: { reason: 'FailedCreate' },
      sentTo: [],
    },
  ]);
});

describe('8 regular expressions', () => {
  const pattern = (text: string) => `reason: '${text}'`;
  const reason = { reason: 'ClusterIsUpdating' };
  cases([
    matches('found anywhere', pattern('IsUp'), reason),
    differs('case-sensitive', pattern('clusteris'), reason),
    matches('(?i)', pattern('(?i)^clusteris'), reason),
    differs('anchored at the end', pattern('Cluster$'), reason),
    matches('anchored at the end with a group', pattern('(Foo$|Updating$)'), reason),
    matches('.*', pattern('.*'), reason),
    matches('.* of an absent value', 'component: ".*"', { source: {} }),
    matches('^$ of an absent value', 'host: "^$"', { source: { component: 'kubelet' } }),
    differs('^$ of a present value', 'host: "^$"'),
    differs('^$ of an absent label', 'labels: { app: "^$" }', {}, {}),
    differs('the kind in another case', 'kind: pod'),
    matches('a dot is any character', 'apiVersion: "cluster.x-k8s.io/v1"', {
      involvedObject: { apiVersion: 'cluster.x-k8s.io/v1alpha3', kind: 'Cluster', namespace: 'default', name: 'c' },
    }),
    differs('lookaround never matches', pattern('^(?!Foo)'), reason),
    matches('a{,2} is literal', pattern('a{,2}'), { reason: 'xa{,2}' }),
    differs('a pattern that backtracks without end elsewhere', pattern('^(A+)+$'), { reason: `${'A'.repeat(60)}!` }),
  ]);
});

describe('9 shell patterns', () => {
  cases([
    differs('*', 'namespace: "*"'),
    differs('*test*', 'namespace: "*test*"', { namespace: 'default' }),
    {
      title: 'a drop of * drops nothing',
      route: '{ drop: [{ namespace: "*" }], match: [{ receiver: a }] }',
      sentTo: ['a'],
    },
  ]);

  test('are accepted, with a warning', async () => {
    const route = 'route: { routes: [{ match: [{ receiver: hook }] }, { drop: [{ namespace: "*" }] }] }';
    const { warnings } = await load(toHook('http://r.example', { route }));
    assert.deepEqual(warnings.map(withoutFolder), [
      'config.yaml:1: route.routes[1].drop[0].namespace: "*" is not a regular expression, so it never matches, as before; ".*" matches everything',
    ]);
  });
});

test('a receiver that no rule names is left out, with a warning', async () => {
  const more = '  - name: spare\n    file: { path: /tmp/x }\n';
  const { warnings } = await load(toHook('http://r.example', { more }));
  assert.deepEqual(warnings.map(withoutFolder), [
    'config.yaml:6: receivers[1]: no rule names "spare": it receives nothing and is left out',
  ]);
});

test('10 a receiver may have the name that a second use of another would get', async () => {
  const route = 'route: { match: [{ receiver: hook }, { receiver: hook }, { receiver: hook 2 }] }';
  const more = '  - name: hook 2\n    stdout: {}\n';
  const { chains } = await load(toHook('http://r.example', { route, more }));
  assert.deepEqual(
    chains[0]?.branches.map(({ name, handlers }) => [name, handlers.at(-1)?.definition.name]),
    [
      ['default/hook', 'webhook'],
      ['default/hook 3', 'webhook'],
      ['default/hook 2', 'stdout'],
    ],
  );
});

describe('10 to 12 rules', () => {
  cases([
    {
      title: '10 each rule sends on its own: one that does not match holds back no other',
      route: '{ match: [{ type: x, receiver: a }, { receiver: b }] }',
      sentTo: ['b'],
    },
    {
      title: '10 a receiver that two rules name is sent to twice',
      route: '{ match: [{ type: Warning, receiver: a }, { receiver: a }] }',
      sentTo: ['a', 'a'],
    },
    {
      title: '10 routes inside only when all rules match',
      route: '{ match: [{ receiver: a }, { type: x }], routes: [{ match: [{ receiver: b }] }] }',
      sentTo: ['a'],
    },
    {
      title: '10 routes inside when all rules match',
      route: '{ match: [{ receiver: a }, { type: Warning }], routes: [{ match: [{ receiver: b }] }] }',
      sentTo: ['a', 'b'],
    },
    {
      title: '11 the namespace is that of the Event',
      route: rule('namespace: "^default$"'),
      event: { involvedObject: { apiVersion: 'v1', kind: 'Node', namespace: 'elsewhere', name: 'n1' } },
      sentTo: ['a'],
    },
    matches('11 labels are those of the involved object', 'labels: { app: web }', {}, { labels: { app: 'web' } }),
    differs('11 labels are not those of the Event', 'labels: { app: web }', {}, { labels: { app: 'db' } }),
    differs('12 component is source.component', 'component: kubelet', { source: {}, reportingComponent: 'kubelet' }),
  ]);

  test('12 our own match tests the name of the involved object, and the component in either field', async () => {
    await using world = await World.start();
    const config = `[[resource]]\nkind = "event"\n[[handler]]\nname = "match"\ninvolvedName = "^web$"\ncomponent = "^kubelet$"\n[[handler]]\nname = "webhook"\nurl = "${world.slack.url}"\nlayout = { name = "{{ event.metadata.name }}" }\n`;
    await using running = await world.run({ config });
    const reportedBy = { source: {}, reportingComponent: 'kubelet' };
    world.server.create(podEvent({ name: 'one', ...reportedBy }));
    world.server.create(podEvent({ name: 'two', involvedObject: { kind: 'Pod', name: 'db', namespace: 'default' } }));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.deepEqual(
      world.slack.requests.map(({ body }) => body),
      ['{"name":"one"}'],
    );
  });
});
