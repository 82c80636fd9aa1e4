import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ApiClient, RequestOptions } from './api.ts';
import { Discovery } from './discovery.ts';
import { FakeClock } from '../testing/fake-clock.ts';

type Documents = Record<string, unknown>;
interface Kind {
  readonly resource: string;
  readonly kind: string;
  readonly verbs?: readonly string[];
  readonly shortNames?: readonly string[];
}

/** An API client that answers from documents; a number is a status. `asked` lists the paths in order. */
function cluster(documents: Documents): { api: ApiClient; documents: Documents; asked: string[] } {
  const asked: string[] = [];
  const api: ApiClient = {
    host: 'test:6443',
    request(_method, path: string, _options?: RequestOptions) {
      asked.push(path);
      const document = documents[path] ?? 404;
      const status = typeof document === 'number' ? document : 200;
      return Promise.resolve({ status, headers: {}, body: Buffer.from(JSON.stringify(document)) });
    },
    stream: () => Promise.reject(new Error('not asked for')),
    close: () => Promise.resolve(),
  };
  return { api, documents, asked };
}

/** `group/version` -> kinds, in the order of preference. */
function aggregated(groups: Record<string, readonly Kind[]>, stale: readonly string[] = []): Documents {
  const item = (groupVersion: string, kinds: readonly Kind[]) => {
    const [version = '', group = ''] = groupVersion.split('/').toReversed();
    const resources = kinds.map(({ resource, kind, verbs = ['list', 'watch'], shortNames = [] }) => ({
      resource,
      responseKind: { group, version, kind },
      scope: 'Namespaced',
      singularResource: kind.toLowerCase(),
      verbs,
      shortNames,
    }));
    const freshness = stale.includes(groupVersion) ? 'Stale' : 'Current';
    return { metadata: { name: group }, versions: [{ version, freshness, resources }] };
  };
  const list = (core: boolean) => ({
    kind: 'APIGroupDiscoveryList',
    items: Object.entries(groups)
      .filter(([groupVersion]) => groupVersion.includes('/') !== core)
      .map(([groupVersion, kinds]) => item(groupVersion, kinds)),
  });
  return { '/api': list(true), '/apis': list(false) };
}

const DEPLOYMENT: Kind = { resource: 'deployments', kind: 'Deployment', shortNames: ['deploy'] };
const INGRESS: Kind = { resource: 'ingresses', kind: 'Ingress', shortNames: ['ing'] };
const EVENT: Kind = { resource: 'events', kind: 'Event', shortNames: ['ev'] };
const USUAL = {
  v1: [
    EVENT,
    { resource: 'pods', kind: 'Pod', shortNames: ['po'] },
    { resource: 'bindings', kind: 'Binding', verbs: ['create'] },
  ],
  'config.openshift.io/v1': [INGRESS],
  'extensions/v1beta1': [INGRESS, DEPLOYMENT],
  'apps/v1': [DEPLOYMENT],
  'networking.k8s.io/v1': [INGRESS],
  'events.k8s.io/v1': [EVENT],
};

/** `apps/v1/deployments`, or the resolution as it is. */
async function resolve(documents: Documents, name: string, apiVersion?: string): Promise<unknown> {
  return summary(await new Discovery(cluster(documents).api).resolve(name, apiVersion));
}

function summary(resolution: Awaited<ReturnType<Discovery['resolve']>>): unknown {
  if (resolution.kind !== 'found') return resolution;
  const { group, version, resource } = resolution.resource;
  return `${group}/${version}/${resource}`;
}

describe('Discovery.resolve()', () => {
  for (const name of ['deployment', 'Deployment', 'deployments', 'DEPLOY', 'deployments.apps', 'deployment.v1.apps']) {
    test(`resolves ${name} to apps/v1/deployments`, async () => {
      assert.equal(await resolve(aggregated(USUAL), name), 'apps/v1/deployments');
    });
  }

  test('prefers core, then the built-in groups', async () => {
    assert.equal(await resolve(aggregated(USUAL), 'event'), '/v1/events');
    assert.equal(await resolve(aggregated(USUAL), 'ingress'), 'networking.k8s.io/v1/ingresses');
  });

  test('narrows by apiVersion: group and version, a group, or a core version', async () => {
    assert.equal(
      await resolve(aggregated(USUAL), 'ingress', 'config.openshift.io/v1'),
      'config.openshift.io/v1/ingresses',
    );
    assert.equal(await resolve(aggregated(USUAL), 'event', 'events.k8s.io'), 'events.k8s.io/v1/events');
    assert.equal(await resolve(aggregated(USUAL), 'event', 'v1'), '/v1/events');
  });

  test('reports a name as ambiguous only if two groups that are not built in serve it', async () => {
    const cert = { resource: 'certs', kind: 'Cert' };
    const documents = aggregated({ ...USUAL, 'a.example/v1': [cert], 'b.example/v1': [cert] });
    assert.deepEqual(await resolve(documents, 'cert'), {
      kind: 'ambiguous',
      candidates: ['certs.a.example', 'certs.b.example'],
    });
    assert.equal(await resolve(documents, 'cert', 'b.example'), 'b.example/v1/certs');
  });

  test('prefers a full name to a short name', async () => {
    const documents = aggregated({
      ...USUAL,
      'a.example/v1': [{ resource: 'shortcuts', kind: 'Shortcut', shortNames: ['widget'] }],
      'b.example/v1': [{ resource: 'widgets', kind: 'Widget' }],
    });
    assert.equal(await resolve(documents, 'widget'), 'b.example/v1/widgets');
  });

  test('names the missing verbs of a kind that cannot be listed and watched', async () => {
    const podMetrics: Kind = { resource: 'pods', kind: 'PodMetrics', verbs: ['get', 'list'] };
    const documents = aggregated({ ...USUAL, 'metrics.k8s.io/v1beta1': [podMetrics] });
    assert.partialDeepStrictEqual(await resolve(documents, 'binding'), {
      kind: 'not-served',
      unwatched: 'bindings of v1 without list and watch',
    });
    const statuses: Kind = {
      resource: 'componentstatuses',
      kind: 'ComponentStatus',
      verbs: ['get', 'list'],
      shortNames: ['cs'],
    };
    assert.partialDeepStrictEqual(await resolve(aggregated({ v1: [statuses] }), 'cs'), {
      kind: 'not-served',
      unwatched: 'componentstatuses of v1 without watch',
    });
    for (const apiVersion of [undefined, 'metrics.k8s.io'])
      assert.partialDeepStrictEqual(await resolve(documents, 'podmetrics', apiVersion), {
        kind: 'not-served',
        unwatched: 'pods of metrics.k8s.io/v1beta1 without watch',
      });
  });

  test('suggests near names', async () => {
    assert.deepEqual(await resolve(aggregated(USUAL), 'deploymnet'), {
      kind: 'not-served',
      near: ['deployment', 'deployments'],
      mayBeServedLater: false,
    });
  });

  test('lists the versions and groups that serve the same name', async () => {
    const near = ['deployments of apps/v1', 'deployments of extensions/v1beta1'];
    for (const apiVersion of ['apps/v2', 'batch/v1'])
      assert.partialDeepStrictEqual(await resolve(aggregated(USUAL), 'deployment', apiVersion), { near });
  });

  test('expects a named group to serve a missing kind later, unless it is a built-in group known to lack it', async () => {
    const later = async (name: string, apiVersion?: string) => await resolve(aggregated(USUAL), name, apiVersion);
    assert.deepEqual(await later('widget', 'shop.example/v1'), {
      kind: 'not-served',
      near: [],
      mayBeServedLater: true,
    });
    assert.deepEqual(await later('widgets.shop.example'), { kind: 'not-served', near: [], mayBeServedLater: true });
    assert.deepEqual(await later('widget', 'apps/v1'), { kind: 'not-served', near: [], mayBeServedLater: false });
    assert.deepEqual(await later('widget', 'apps/v2'), { kind: 'not-served', near: [], mayBeServedLater: true });
    const reviews = await later('tokenreviews.authentication.k8s.io');
    assert.deepEqual(reviews, { kind: 'not-served', near: [], mayBeServedLater: false });
  });

  test('is unsure about a name that a failing aggregated API may serve', async () => {
    const documents = aggregated({ ...USUAL, 'metrics.k8s.io/v1beta1': [] }, ['metrics.k8s.io/v1beta1']);
    const reason = 'the API metrics.k8s.io/v1beta1 does not answer';
    assert.deepEqual(await resolve(documents, 'widget'), { kind: 'unsure', reason });
    assert.deepEqual(await resolve(documents, 'widget', 'metrics.k8s.io'), { kind: 'unsure', reason });
    assert.equal(await resolve(documents, 'deployment'), 'apps/v1/deployments');
    assert.deepEqual(await resolve(documents, 'widget', 'shop.example/v1'), {
      kind: 'not-served',
      near: [],
      mayBeServedLater: true,
    });
  });

  test('is unsure when discovery cannot be read', async () => {
    const reason = 'Cannot GET /api on test:6443: it answered 503';
    assert.deepEqual(await resolve({ '/api': 503, '/apis': 503 }, 'pod'), { kind: 'unsure', reason });
  });

  test('quotes the message of a server that refuses the request', async () => {
    const message = 'users "w" is forbidden: User "bob" cannot impersonate resource "users" in API group ""';
    const body = Buffer.from(JSON.stringify({ kind: 'Status', code: 403, message }));
    const api: ApiClient = { ...cluster({}).api, request: async () => ({ status: 403, headers: {}, body }) };
    const reason = `Cannot GET /api on test:6443: it answered 403: ${message}`;
    assert.deepEqual(await new Discovery(api).resolve('pod', undefined), { kind: 'unsure', reason });
  });

  test('finds a kind that is installed later, and asks the server once for many names', async () => {
    const clock = new FakeClock();
    const { api, documents, asked } = cluster(aggregated(USUAL));
    const discovery = new Discovery(api, { clock });
    await Promise.all(['pod', 'deployment', 'event'].map((name) => discovery.resolve(name, undefined)));
    assert.deepEqual(asked, ['/api', '/apis']);
    assert.equal((await discovery.resolve('widget', 'shop.example/v1')).kind, 'not-served');
    Object.assign(documents, aggregated({ ...USUAL, 'shop.example/v1': [{ resource: 'widgets', kind: 'Widget' }] }));
    await clock.advance(2_000);
    assert.equal(summary(await discovery.resolve('widget', 'shop.example/v1')), 'shop.example/v1/widgets');
  });
});

test('Discovery does not ask a slow cluster again for each kind', async () => {
  const clock = new FakeClock();
  const { api, asked } = cluster(aggregated(USUAL));
  const slow: ApiClient = { ...api, request: (...args) => clock.sleep(20_000).then(() => api.request(...args)) };
  const discovery = new Discovery(slow, { clock });
  const names = ['widget', 'gadget', 'gizmo'];
  const all = (async () => {
    for (const name of names) await discovery.resolve(name, 'shop.example/v1');
  })();
  for (let n = 0; n < 8; n++) await clock.advance(20_000);
  await all;
  assert.deepEqual(asked, ['/api', '/apis']);
});

describe('Discovery.resolve() on a server without aggregated discovery', () => {
  const resources = (...kinds: readonly Kind[]) => ({
    resources: kinds.flatMap(({ resource, kind, verbs = ['list', 'watch'], shortNames }) => [
      { name: resource, kind, namespaced: true, singularName: '', verbs, shortNames },
      { name: `${resource}/status`, kind, namespaced: true, singularName: '', verbs: ['get'] },
    ]),
  });
  const group = (name: string, preferred: string, ...versions: readonly string[]) => ({
    name,
    versions: versions.map((version) => ({ version })),
    preferredVersion: { version: preferred },
  });
  const old: Documents = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': {
      kind: 'APIGroupList',
      groups: [group('apps', 'v1', 'v1beta1', 'v1'), group('networking.k8s.io', 'v1', 'v1')],
    },
    '/api/v1': resources(EVENT),
    '/apis/apps/v1': resources(DEPLOYMENT),
    '/apis/apps/v1beta1': resources(DEPLOYMENT),
    '/apis/networking.k8s.io/v1': resources(INGRESS),
  };

  test('reads each group and uses its preferred version', async () => {
    assert.equal(await resolve(old, 'deploy'), 'apps/v1/deployments');
    assert.equal(await resolve(old, 'events'), '/v1/events');
  });

  test('is unsure while the preferred group of a bare name cannot be read', async () => {
    const documents: Documents = {
      ...old,
      '/apis': {
        kind: 'APIGroupList',
        groups: [group('networking.k8s.io', 'v1', 'v1'), group('config.openshift.io', 'v1', 'v1')],
      },
      '/apis/networking.k8s.io/v1': 503,
      '/apis/config.openshift.io/v1': resources(INGRESS),
    };
    assert.deepEqual(await resolve(documents, 'ingress'), {
      kind: 'unsure',
      reason: 'Cannot GET /apis/networking.k8s.io/v1 on test:6443: it answered 503',
    });
  });
});
