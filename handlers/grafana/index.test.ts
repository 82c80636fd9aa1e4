import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../../src/change.ts';
import { codeOf } from '../../src/errors.ts';
import { changeOf } from '../../src/testing/change.ts';
import { podOf, terminated, waiting } from '../../src/testing/failing-pods.ts';
import { problemsOf, testContext } from '../../src/testing/handler.ts';
import type { CapturedRequest } from '../../src/testing/receiver.ts';
import { Rig } from '../../src/testing/test-pod-alerts.ts';
import { connectedSink } from '../../src/testing/test-sink.ts';
import grafana from './index.ts';

const deployment = changeOf({
  after: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } },
});

/** As `kubectl create` makes it by the event-exporter app's instructions: no source, no times, no uid of the involved object. */
const updating = changeOf({
  after: {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'manual', namespace: 'default', creationTimestamp: '2026-11-20T23:42:00Z' },
    involvedObject: { apiVersion: 'cluster.x-k8s.io/v1alpha3', kind: 'Cluster', namespace: 'default', name: '7b3kj' },
    reason: 'ClusterIsUpdating',
    type: 'Normal',
    message: 'Manually added event for testing.',
  },
});

async function requestOf(t: TestContext, change: Change, options: object = {}, path = ''): Promise<CapturedRequest> {
  const { server, sink } = await connectedSink(t, grafana, (url) => ({
    url: `${url}${path}`,
    token: 'TOKEN',
    ...options,
  }));
  await sink.deliver(change, testContext());
  assert.equal(server.requests.length, 1);
  return server.requests[0] ?? assert.fail();
}

describe('grafana', () => {
  test('posts an annotation with the time at which the change was observed', async (t) => {
    const { method, path, headers, body } = await requestOf(t, deployment);
    assert.equal(`${method} ${path}`, 'POST /api/annotations');
    assert.equal(headers.authorization, 'Bearer TOKEN');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers.accept, 'application/json');
    assert.equal(
      body,
      '{"time":1795218123000,"tags":["watchchain","Deployment","shop","web","added"],"text":"deployment shop/web added"}',
    );
  });

  test('a 200 with an HTML page, such as a login, fails the delivery; a 200 with a truncated body does not', async (t) => {
    const options = (url: string) => ({ url, token: 'TOKEN' });
    const page = { body: '<!DOCTYPE html><html><title>Sign in</title></html>' };
    const login = await connectedSink(t, grafana, options, () => page);
    await assert.rejects(async () => login.sink.deliver(deployment, testContext()), {
      message: /^127\.0\.0\.1:\d+ answered 200 with an HTML page, such as a login/,
    });
    const broken = { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"id"' };
    const { sink } = await connectedSink(t, grafana, options, () => broken);
    await sink.deliver(deployment, testContext());
  });

  test("keeps the path and the query string of Grafana's URL", async (t) => {
    const { path } = await requestOf(t, deployment, {}, '/grafana?orgId=2');
    assert.equal(path, '/grafana/api/annotations?orgId=2');
  });

  test('control and bidirectional characters from the cluster are escaped, newlines are kept', async (t) => {
    const evil = 'a\u202eb\u001b[31m\nc';
    const event = changeOf({
      after: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'e', namespace: 'shop' },
        message: evil,
        reason: evil,
      },
    });
    const options = { text: '{{ event.message }}', tags: ['{{ event.reason }}'] };
    const { body } = await requestOf(t, event, options);
    const { text, tags } = JSON.parse(body) as { readonly text: string; readonly tags: readonly string[] };
    assert.deepEqual(
      [text, ...tags],
      Array.from({ length: 2 }, () => String.raw`a\u202eb\u001b[31m` + '\nc'),
    );
  });

  test('an alert has the tags of its workload, which a dashboard knows, and says whether it is over', async (t) => {
    const rig = new Rig();
    await rig.apply(podOf({ containers: [waiting('CrashLoopBackOff', { lastState: terminated(1, 'Error') })] }));
    await rig.apply(podOf());
    await rig.advance(90_000);
    const tags = await Promise.all(
      rig.passed.map(async (alert) => (JSON.parse((await requestOf(t, alert, {})).body) as { tags: unknown }).tags),
    );
    assert.deepEqual(
      tags,
      ['firing', 'resolved'].map((status) => ['watchchain', 'Deployment', 'shop', 'web', status]),
    );
  });

  test('a tag is cut to the length that Grafana stores, visibly, key and value each by itself', async (t) => {
    const name = `${'n'.repeat(98)}😀${'n'.repeat(100)}`;
    const long = changeOf({ after: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' } } });
    for (const format of ['annotation', 'graphite']) {
      const tags = ['{{ change.name }}', 'name:{{ change.name }}', 'a:b:c', `${'k'.repeat(100)}:${'v'.repeat(100)}`];
      const { body } = await requestOf(t, long, { format, tags });
      const cut = `${'n'.repeat(98)}…`;
      assert.deepEqual((JSON.parse(body) as { readonly tags: unknown }).tags, [cut, `name:${cut}`, ...tags.slice(2)]);
    }
  });

  test('sends every field, with the types that the templates yield', async (t) => {
    const options = {
      text: '{{ event.message | truncate: 15 }}',
      time: '{{ event.firstTimestamp | timestamp }}',
      timeEnd: '2026-11-21T00:00:00Z',
      tags: ['a', '{{ event.component }}', '{{ event.reason }}'],
      dashboardUID: 'd-{{ event.involvedObject.name }}',
      panelId: '{{ "7" | plus: 0 }}',
    };
    const { path, body } = await requestOf(t, updating, options, '/grafana/');
    assert.equal(path, '/grafana/api/annotations');
    assert.equal(
      body,
      '{"dashboardUID":"d-7b3kj","panelId":7,"time":1795218120000,"timeEnd":1795219200000,"tags":["a","ClusterIsUpdating"],"text":"Manually add..."}',
    );
  });

  test('text fields are sent as strings and panelId as a number, whatever the templates yield', async (t) => {
    const scaled = changeOf({
      after: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'shop', annotations: { panel: '7' } },
        spec: { replicas: 3, selector: { app: 'web' } },
      },
    });
    const { body } = await requestOf(t, scaled, {
      text: '{{ change.after.spec.selector }}',
      tags: ['{{ change.after.spec.replicas }}', '{{ change.after.spec.paused }}'],
      dashboardUID: '{{ change.id }}',
      panelId: '{{ change.after.metadata.annotations.panel }}',
    });
    assert.deepEqual(JSON.parse(body), {
      dashboardUID: '1',
      panelId: 7,
      time: 1_795_218_123_000,
      tags: ['3'],
      text: '{"app":"web"}',
    });
    const graphite = await requestOf(t, scaled, { format: 'graphite', what: '{{ change.id }}', tags: [] });
    assert.equal(graphite.body, '{"tags":[],"what":"1","when":1795218123}');
  });

  test('a field is omitted when its template yields nothing', async (t) => {
    const options = {
      text: 'x',
      tags: [],
      time: '{{ event.firstTimestamp }}',
      timeEnd: '{{ event.lastTimestamp }}',
      dashboardUID: '{{ change.object.metadata.annotations.dashboard }}',
      panelId: '{{ change.object.metadata.annotations.panel }}',
    };
    assert.equal((await requestOf(t, deployment, options)).body, '{"tags":[],"text":"x"}');
  });

  test("the Graphite format is byte for byte that of event-exporter's recipe", async (t) => {
    const options = {
      format: 'graphite',
      what: '{{ event.involvedObject.kind }} - {{ event.reason }}',
      data: '{{ event.message }} for {{ event.involvedObject.kind }} {{ event.involvedObject.namespace }}/{{ event.involvedObject.name }} on INSTALL reported by {{ event.component }}',
      tags: [
        'event',
        'TEAM',
        '{{ event.reason }}',
        '{{ event.type }}',
        '{{ event.involvedObject.kind }}',
        '{{ event.involvedObject.name }}',
        'INSTALL',
        'CUSTOMER',
        'aws',
        'stable',
        '{{ event.component | default: "" }}',
      ],
      when: '',
    };
    const { path, body } = await requestOf(t, updating, options);
    assert.equal(path, '/api/annotations/graphite');
    assert.equal(
      body,
      '{"data":"Manually added event for testing. for Cluster default/7b3kj on INSTALL reported by ","tags":["event","TEAM","ClusterIsUpdating","Normal","Cluster","7b3kj","INSTALL","CUSTOMER","aws","stable",""],"what":"Cluster - ClusterIsUpdating"}',
    );
  });

  test('the Graphite format has its time in seconds', async (t) => {
    const { body } = await requestOf(t, updating, { format: 'graphite', tags: [] });
    const what = 'Normal ClusterIsUpdating cluster default/7b3kj: Manually added event for testing.';
    assert.equal(body, JSON.stringify({ tags: [], what, when: 1_795_218_120 }));
  });

  test('a time that cannot be parsed is terminal, names the field, and sends nothing', async (t) => {
    const { server, sink } = await connectedSink(t, grafana, (url) => ({
      url,
      token: 'T',
      time: '{{ event.reason }}',
    }));
    await assert.rejects(sink.deliver(updating, testContext()), (thrown: Error) => {
      assert.equal(codeOf(thrown), 'TERMINAL');
      return thrown.message.startsWith('The template of time did not yield a time');
    });
    assert.equal(server.requests.length, 0);
  });

  test('a panelId that is not a number is refused, naming the field', async (t) => {
    const options = { dashboardUID: 'd', panelId: '{{ change.name }}' };
    const { sink } = await connectedSink(t, grafana, (url) => ({ url, token: 'T', ...options }));
    await assert.rejects(sink.deliver(deployment, testContext()), {
      message: 'The template of panelId did not yield a number',
    });
  });

  test('an error does not reveal a token that the answer echoes', async (t) => {
    const { sink } = await connectedSink(
      t,
      grafana,
      (url) => ({ url, token: 's3cr3t-token' }),
      ({ headers }) => ({ status: 401, body: `no: ${headers.authorization}` }),
    );
    await assert.rejects(sink.deliver(deployment, testContext()), /answered 401: no: \*\*\*$/);
  });

  test('a 403 for the dashboard of one change does not hold up other changes', async (t) => {
    const { server, sink } = await connectedSink(
      t,
      grafana,
      (url) => ({ url, token: 'T', dashboardUID: '{{ change.name }}' }),
      ({ body }) => (body.includes('"closed"') ? { status: 403, body: 'Access denied to this dashboard' } : {}),
    );
    const named = (name: string) => changeOf({ after: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } } });
    for (let n = 1; n <= 6; n++) await assert.rejects(sink.deliver(named('closed'), testContext()), /answered 403/);
    await sink.deliver(named('web'), testContext());
    assert.equal(server.requests.length, 7);
  });

  test('a trailing newline is trimmed from the token', async (t) => {
    const { headers } = await requestOf(t, deployment, { token: 'TOKEN\n' });
    assert.equal(headers.authorization, 'Bearer TOKEN');
  });

  for (const [given, problem] of [
    [{ url: 'https://g.example', token: 'T\nT' }, /^token: must be a token/],
    [{ url: 'https://g.example', token: 'T–T' }, /^token: must be a token/],
    [{ url: 'https://g.example', token: ' ' }, /^token: must be a token/],
    [{ token: 'T' }, /^url: /],
    [{ url: 'https://g.example' }, /^token: /],
    [{ url: 'https://g.example/api/annotations', token: 'T' }, /^url: must be Grafana's own URL, without/],
    [{ url: 'https://g.example', token: 'T', what: 'x' }, /^what: applies to format = "graphite" only/],
    [
      { url: 'https://g.example', token: 'T', format: 'graphite', text: 'x' },
      /^text: applies to format = "annotation" only/,
    ],
    [{ url: 'https://g.example', token: 'T', panelId: 2 }, /^dashboardUID: is missing: panelId requires it/],
    [{ url: 'https://g.example', token: 'T', tags: ['{{ chagne }}'] }, /^tags\.0: must be a Liquid template/],
  ] as const) {
    test(`refuses: ${String(problem)}`, () => {
      const problems = problemsOf(grafana, given);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', problem);
    });
  }
});
