/** The slower ones of rows 9 to 23: an outage, an absence, changing credentials. The net difference is sent once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { fasterClock } from '../../src/testing/living-cluster.ts';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { World } from '../e2e/world.ts';
import { assertBalanced } from './balance.ts';
import { assertComplete, createAll, scaleAll, trackingReceiver } from './stories.ts';
import { until } from '../until.ts';

const OBJECTS = 10;
const DEPLOYMENTS = '/apis/apps/v1/deployments';
const END = { objects: OBJECTS, last: 1 };
const MINUTE_MS = 60_000;

function config(world: World, kinds: string[] = ['deployment']): string {
  return `whileAway = "each"\n${kwatchmanConfig(world.slack.url, kinds)}timeout = "1h"\n`;
}

interface Kubeconfig {
  readonly users: [{ readonly user: { readonly token?: string } }];
  readonly clusters: [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data'?: string } },
  ];
}

/** The world's kubeconfig, with the files `token` and `ca.crt` beside it, which are read again. */
async function kubeconfigWithFiles(world: World): Promise<string> {
  const path = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
  const kubeconfig = JSON.parse(await readFile(path, 'utf8')) as Kubeconfig;
  const [{ user }] = kubeconfig.users;
  const [{ cluster }] = kubeconfig.clusters;
  await world.workdir.write('token', user.token ?? '');
  await world.workdir.write('ca.crt', Buffer.from(cluster['certificate-authority-data'] ?? '', 'base64').toString());
  const users = [{ name: 'embedded', user: user.token === undefined ? {} : { tokenFile: 'token' } }];
  const ca = cluster['certificate-authority-data'] === undefined ? {} : { 'certificate-authority': 'ca.crt' };
  const clusters = [{ name: 'embedded', cluster: { server: cluster.server, ...ca } }];
  await writeFile(path, JSON.stringify({ ...kubeconfig, users, clusters }));
  return path;
}

/** A certificate for 127.0.0.1 that is its own CA. */
function selfSigned(): { key: string; cert: string } {
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', '-', '-out', '-'];
  const pem = execFileSync('openssl', [...args, ...subject], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  const part = (name: RegExp) => name.exec(pem)?.[0] ?? assert.fail(`openssl gave no ${name}`);
  return {
    key: part(/-----BEGIN PRIVATE KEY[^]*END PRIVATE KEY-----/),
    cert: part(/-----BEGIN CERT[^]*END CERT\w+-----/),
  };
}

describe('an API server that', { concurrency: 6 }, () => {
  test('9 answers 500 to a list, 20 times: backoff, not ready, nothing inferred; then every change once', async () => {
    const tracker = trackingReceiver(END);
    await using world = await World.start(tracker.respond);
    createAll(world, OBJECTS);
    await using running = await world.run({ config: config(world), clock: fasterClock(100) });
    const before = world.server.requests.length;
    const fails = world.server.fault({ path: DEPLOYMENTS, watch: false, effect: 'status', status: 500 });
    world.server.fault({ path: DEPLOYMENTS, watch: true, times: 1, effect: 'errorEvent', status: 410 });
    await world.server.waitUntil(() => fails.hits >= 20, '20 lists');
    const at = world.server.requests.slice(before).map((request) => request.at);
    assert.ok((at.at(-1) ?? 0) - (at[0] ?? 0) >= 50_000 / 100, 'more than 50 s for 20 lists');
    assert.equal(running.app.health().ready, false);
    assert.match(running.app.health().degraded[0]?.problem ?? '', /500 Internal/);
    scaleAll(world, OBJECTS, 1);
    assert.equal((await running.app.store.history({ limit: 1 })).length, 0);
    fails.remove();
    await tracker.done();
    await running.app.idle();
    assert.equal(running.app.health().ready, true);
    assert.equal(assertComplete(world.slack.requests, END).repeated, 0);
    await assertBalanced(running.app.store);
  });

  test('14 sends nothing but bookmarks for 10 min: the cursor moves, the watch stays, nothing is sent', async () => {
    const tracker = trackingReceiver(END);
    await using world = await World.start(tracker.respond, { bookmarkEveryMs: 500 });
    createAll(world, OBJECTS);
    const clock = fasterClock(100);
    await using running = await world.run({ config: config(world), clock });
    const asked = () => world.server.requests.filter(({ path }) => path === DEPLOYMENTS).length;
    const [askedBefore, from] = [asked(), clock.monotonic()];
    const bookmarks = async () =>
      (await running.app.metrics.watchEvents.get()).values.find(({ labels }) => labels.type === 'BOOKMARK')?.value ?? 0;
    world.server.create({ kind: 'ConfigMap', metadata: { name: 'elsewhere', namespace: 'default' } });
    await until('12 bookmarks', async () => (await bookmarks()) >= 12);
    assert.equal((await running.app.store.scopes())[0]?.cursor, String(world.server.resourceVersion));
    const most = Math.ceil((clock.monotonic() - from) / (5 * MINUTE_MS));
    assert.ok(asked() - askedBefore <= most, 'the watch ends after 5 to 10 min by itself, and for nothing else');
    assert.equal(world.slack.requests.length, 0);
    scaleAll(world, OBJECTS, 1);
    await tracker.done();
    await running.app.idle();
    await assertBalanced(running.app.store);
  });

  test('21 accepts only a new token from now on: the file is read again, nothing is listed or delivered twice', async () => {
    const tracker = trackingReceiver(END);
    await using world = await World.start(tracker.respond, { token: 'first' });
    createAll(world, OBJECTS);
    const kubeconfig = await kubeconfigWithFiles(world);
    await using running = await world.run({ config: config(world), kubeconfig });
    const lists = () => world.server.requests.filter(({ query }) => query.has('limit')).length;
    const listsBefore = lists();
    await world.workdir.write('token', 'second');
    world.server.rotateToken('second');
    world.server.fault({ path: DEPLOYMENTS, watch: true, times: 1, effect: 'end' });
    scaleAll(world, OBJECTS, 1);
    await tracker.done();
    await running.app.idle();
    assert.equal(lists(), listsBefore);
    assert.equal(assertComplete(world.slack.requests, END).repeated, 0);
    await assertBalanced(running.app.store);
  });

  test('22 forbids one kind: it is degraded alone and named in readiness, and recovers alone', async () => {
    const tracker = trackingReceiver(END);
    await using world = await World.start(tracker.respond);
    world.server.allow(({ resource }) => resource !== 'services');
    createAll(world, OBJECTS);
    const clock = fasterClock(20);
    await using running = await world.run({
      config: config(world, ['deployment', 'service']),
      clock,
      listen: '127.0.0.1:0',
    });
    scaleAll(world, OBJECTS, 1);
    await tracker.done();
    const readyz = await fetch(`http://${running.app.listening}/readyz`);
    assert.equal(readyz.status, 200);
    assert.match(await readyz.text(), /degraded: v1\/services: .*403 Forbidden/);
    world.server.allow(() => true);
    await until('recovery', () => running.app.health().degraded.length === 0);
    await running.app.idle();
    await assertBalanced(running.app.store);
  });

  test('23 has a new certificate of a new CA: the CA file is read again, nothing is listed or delivered twice', async () => {
    const tracker = trackingReceiver(END);
    await using world = await World.start(tracker.respond, { tls: selfSigned() });
    createAll(world, OBJECTS);
    const kubeconfig = await kubeconfigWithFiles(world);
    await using running = await world.run({ config: config(world), kubeconfig });
    const lists = () => world.server.requests.filter(({ query }) => query.has('limit')).length;
    const listsBefore = lists();
    const renewed = selfSigned();
    await world.server.restart(async () => {
      world.server.rotateCertificate(renewed);
      await world.workdir.write('ca.crt', renewed.cert);
      scaleAll(world, OBJECTS, 1);
    });
    await tracker.done();
    await running.app.idle();
    assert.equal(lists(), listsBefore);
    assert.equal(assertComplete(world.slack.requests, END).repeated, 0);
    await assertBalanced(running.app.store);
  });

  test('74 now belongs to another cluster: no changes are sent, and the program ends for a new baseline', async () => {
    const tracker = trackingReceiver(END);
    await using world = await World.start(tracker.respond, { kubeSystemUid: 'one' });
    createAll(world, OBJECTS);
    await using running = await world.run({ config: config(world) });
    await world.server.close();
    await using other = await startApiServer({ kubeSystemUid: 'two', port: Number(new URL(world.server.url).port) });
    other.create(deployment('another'));
    other.fault({ effect: 'errorEvent', status: 410, watch: true, times: 1 });
    await assert.rejects(running.app.failed, /^Error: Another cluster now answers at \S+: .* is two, it was one/);
    await running.app.idle();
    assert.deepEqual(world.slack.requests, []);
  });

  test('69 was restored from a backup, at an older version than we have seen: the differences are reported', async () => {
    const end = { objects: OBJECTS, last: 0 };
    const tracker = trackingReceiver(end);
    const sameCluster = { kubeSystemUid: 'restored', bookmarkEveryMs: 100 };
    await using world = await World.start(tracker.respond, sameCluster);
    createAll(world, OBJECTS);
    const clock = fasterClock(100);
    await using running = await world.run({ config: config(world), clock });
    scaleAll(world, OBJECTS, 1);
    await until('every change', () => world.slack.requests.length === OBJECTS);
    const bookmarks = async () =>
      (await running.app.metrics.watchEvents.get()).values.some(({ labels }) => labels.type === 'BOOKMARK');
    await until('a bookmark', bookmarks);
    await world.server.close();
    // The backup is from before the objects were scaled.
    await using restored = await startApiServer({ ...sameCluster, port: Number(new URL(world.server.url).port) });
    createAll({ server: restored }, OBJECTS);
    assert.ok(restored.resourceVersion < world.server.resourceVersion);
    await restored.waitForWatches(1, DEPLOYMENTS);
    const openedAt = clock.monotonic();
    await until('two minutes', () => clock.monotonic() - openedAt > 120_000);
    restored.fault({ path: DEPLOYMENTS, watch: true, times: 1, effect: 'end' });
    await tracker.done();
    await running.app.idle();
    assert.equal(assertComplete(world.slack.requests, end).repeated, 0);
    await assertBalanced(running.app.store);
  });
});
