/** OpenShift's Pod Watcher: what is watched. The numbers are those of its acceptance list. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { createCertificates } from '../../src/testing/certificates.ts';
import { podOf, waiting } from '../../src/testing/failing-pods.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { until } from '../until.ts';
import { TOKEN, Watcher } from './watcher.ts';

describe('what is watched', () => {
  test('2: without a namespace all are watched, a new one without a restart', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    watcher.server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'new' } });
    watcher.server.create(podOf({ name: 'late', namespace: 'new' }));
    await watcher.until(['late/web None 0'], 'new');
  });

  test('15: it recovers from closed watches, an outage and a 410, and shows the age of the data', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    const { namespaces } = await watcher.status();
    assert.equal(namespaces[0]?.watch, 'watching');
    assert.ok(Date.parse(namespaces[0]?.lastHeardAt ?? '') > 0);
    const outage = watcher.server.fault({ path: '/api/v1/pods', effect: 'reset' });
    watcher.server.fault({ watch: true, times: 1, effect: 'end' });
    await until('/healthz shows it', async () => (await watcher.fetch('/healthz')).status !== 200);
    assert.match(await (await watcher.fetch('/')).text(), /v1\/pods is degraded/);
    watcher.server.create(podOf({ name: 'web-2' }));
    watcher.server.compact();
    outage.remove();
    await watcher.until(['web-1/web Failure 2', 'web-2/web None 0']);
    assert.equal(await (await watcher.fetch('/healthz')).text(), 'ok\n');
  });

  test('2: each named namespace has its own watch, and pods elsewhere are not requested', async (t) => {
    const watcher = await Watcher.start(t, { OPENSHIFT_NAMESPACE: 'shop, team-a' });
    const paths = new Set(watcher.server.requests.map(({ path }) => path).filter((path) => path.endsWith('/pods')));
    assert.deepEqual(paths, new Set(['/api/v1/namespaces/shop/pods', '/api/v1/namespaces/team-a/pods']));
    watcher.server.create(podOf({ name: 'in-a', namespace: 'team-a' }));
    await watcher.until(['in-a/web None 0'], 'team-a');
  });

  test('15: a rotated token is read again from its file, and the watch goes on', async (t) => {
    await using workdir = await Workdir.make();
    const tokenFile = await workdir.write('token', TOKEN);
    const server = await startApiServer({ token: TOKEN });
    t.after(() => server.close());
    const watcher = await Watcher.beside(t, server, {}, { tokenFile });
    await watcher.crash();
    await workdir.write('token', 'sha256~the-next-token');
    server.rotateToken('sha256~the-next-token');
    server.create(podOf({ name: 'web-2' }));
    server.fault({ watch: true, times: 1, effect: 'end' });
    server.create(podOf({ name: 'web-3' }));
    await watcher.until(['web-1/web Failure 2', 'web-2/web None 0', 'web-3/web None 0']);
    assert.ok(!watcher.log.includes('the-next-token'));
  });

  test('18: the certificate of the cluster is verified, also by a custom CA, or not at all if so configured', async (t) => {
    using certificates = createCertificates();
    certificates.authority('ca');
    certificates.certificate('server', 'ca', 'localhost');
    const tls = { cert: certificates.pem('server.crt'), key: certificates.pem('server.key') };
    const server = await startApiServer({ token: TOKEN, tls });
    t.after(() => server.close());
    const host = `localhost:${new URL(server.url).port}`;
    const start = (env: NodeJS.ProcessEnv) => Watcher.beside(t, server, { OPENSHIFT_HOST: host, ...env });
    await using refused = new Program(['--compat', 'pod-watcher', '--listen', 'off'], {
      env: { OPENSHIFT_HOST: host, OPENSHIFT_TOKEN: TOKEN },
    });
    await refused.until('the certificate is refused', ({ stderr }) =>
      /Cannot connect.*(certificate|verif)/.test(stderr),
    );
    assert.equal(server.requests.length, 0, 'no token was sent');
    const checked = await start({ OPENSHIFT_CA: certificates.path('ca.crt') });
    assert.doesNotMatch(checked.log, /is not checked/);
    const unchecked = await start({ OPENSHIFT_INSECURE: 'true' });
    assert.match(unchecked.log, /is not checked \(insecure\): anyone on the network path can read everything/);
  });

  test('18: pods and Events of namespaces that are not watched are not shown', async (t) => {
    const watcher = await Watcher.start(t, { OPENSHIFT_NAMESPACE: 'shop' });
    await watcher.crash();
    watcher.server.create(podOf({ name: 'secret', namespace: 'other' }));
    for (const path of ['/pods/other', '/pods/other/secret', '/events/other', '/events/other/secret'])
      assert.equal((await watcher.fetch(path)).status, 404, path);
    assert.equal((await watcher.fetch('/pods/..%2f..%2fsecrets')).status, 400);
    const list = await watcher.get<{ kind: string; items: { metadata: { name: string } }[] }>('/pods/shop');
    assert.deepEqual([list.kind, list.items.map(({ metadata }) => metadata.name)], ['PodList', ['web-1']]);
    assert.equal((await watcher.get<object[]>('/pods/shop/web-1')).length, 1);
    assert.deepEqual(await watcher.get('/pods/shop/none'), []);
  });

  test('20: images of the platform itself are left out, by whole parts of their names', async (t) => {
    const watcher = await Watcher.start(t);
    const failing = (name: string, image: string) =>
      podOf({
        name,
        app: name,
        containers: [waiting('ImagePullBackOff')],
        spec: { containers: [{ name: 'web', image }] },
      });
    watcher.server.create(failing('infra', 'registry.example/openshift3/ose-pod:v3.11'));
    watcher.server.create(failing('prose', 'registry.example/prose-app:1'));
    await until('an alert', async () => (await watcher.alerts('?peek=1')).length > 0);
    await watcher.app.idle();
    assert.deepEqual(
      (await watcher.alerts('?peek=1')).map(({ podLongName }) => podLongName),
      ['prose'],
    );
  });
});
