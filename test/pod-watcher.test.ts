/** OpenShift's Pod Watcher: its environment and its endpoints. The numbers are those of its acceptance list. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, test, type TestContext } from 'node:test';
import { createApp, type App } from '../src/app.ts';
import { loadHandler } from '../src/chain/load.ts';
import { adaptPodWatcher } from '../src/config/adapters/pod-watcher.ts';
import type { Config } from '../src/config/config.ts';
import { loadConfig } from '../src/config/load.ts';
import { createLogger } from '../src/log.ts';
import { startApiServer, type ApiServer, type ApiServerOptions } from '../src/testing/api-server.ts';
import { createCertificates } from '../src/testing/certificates.ts';
import { podOf, RUNNING, terminated, waiting, type PodParts } from '../src/testing/failing-pods.ts';
import { Program, Workdir } from './e2e/program.ts';
import { until } from './until.ts';

const TOKEN = 'sha256~a-token-of-openshift';

interface Entry {
  readonly id: string;
  readonly alertStatus: string;
  readonly podName: string;
  readonly podLongName: string;
  readonly restarts: readonly string[];
  readonly currentRestarts: number;
  readonly totalRestartCount: number;
  readonly Events?: readonly { readonly reason: string; readonly localizedTime: string }[];
}

interface Status {
  readonly config: Readonly<Record<string, unknown>>;
  readonly namespaces: readonly {
    readonly namespace: string;
    readonly pods: readonly Entry[];
    readonly watch?: string;
    readonly lastHeardAt?: string;
  }[];
}

/** Replaces the fixed path of the mounted token, which all tests would share; another test checks that path. */
function withTokenFile(config: Config, tokenFile: string): Config {
  const { direct } = config.cluster;
  assert.ok(direct);
  return { ...config, cluster: { ...config.cluster, direct: { ...direct, token: undefined, tokenFile } } };
}

class Watcher {
  readonly server: ApiServer;
  readonly app: App;
  readonly #log: () => string;

  private constructor(server: ApiServer, app: App, log: () => string) {
    this.server = server;
    this.app = app;
    this.#log = log;
  }

  static async start(t: TestContext, env: NodeJS.ProcessEnv = {}, cluster: ApiServerOptions = {}): Promise<Watcher> {
    const server = await startApiServer({ token: TOKEN, ...cluster });
    t.after(() => server.close());
    return Watcher.beside(t, server, env);
  }

  /** Starts another one on the same cluster. */
  static async beside(
    t: TestContext,
    server: ApiServer,
    env: NodeJS.ProcessEnv = {},
    mounted: { readonly tokenFile?: string } = {},
  ): Promise<Watcher> {
    const all = { OPENSHIFT_HOST: server.url, OPENSHIFT_TOKEN: TOKEN, ...env };
    const loaded = await loadConfig('environment', { env: all, tool: 'pod-watcher', loadHandler });
    const config = mounted.tokenFile === undefined ? loaded : withTokenFile(loaded, mounted.tokenFile);
    const stream = new PassThrough();
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const log = createLogger({ level: 'debug', format: 'json', color: false, stream });
    const inMemory = env['PODMONITOR_FILEPATH'] === undefined ? { storeFile: ':memory:' as const } : {};
    const app = createApp({ config, log, env: {}, stdout: stream, listen: '127.0.0.1:0', ...inMemory });
    t.after(() => app.stop(0));
    await app.start();
    await app.idle();
    return new Watcher(server, app, () => text);
  }

  get log(): string {
    return this.#log();
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://${this.app.listening}${path}`, init);
  }

  async get<T>(path: string): Promise<T> {
    return (await (await this.fetch(path)).json()) as T;
  }

  status(): Promise<Status> {
    return this.get('/status');
  }

  alerts(query = ''): Promise<readonly Entry[]> {
    return this.get(`/pod-restart-alerts${query}`);
  }

  acknowledge(ids: readonly string[]): Promise<Response> {
    const headers = { 'content-type': 'application/json', 'x-watchchain': 'test' };
    return this.fetch('/api/alerts/ack', { method: 'POST', headers, body: JSON.stringify({ ids }) });
  }

  /** What `/status` reports for the pods of a namespace: `web-x/web Failure 3`. */
  async lines(namespace = 'shop'): Promise<readonly string[]> {
    const { namespaces } = await this.status();
    const { pods = [] } = namespaces.find((one) => one.namespace === namespace) ?? {};
    return pods.map((pod) => `${pod.podLongName}/${pod.podName} ${pod.alertStatus} ${pod.currentRestarts}`);
  }

  /** Waits until the lines are as expected. */
  async until(expected: readonly string[], namespace = 'shop'): Promise<void> {
    const wish = JSON.stringify(expected);
    await until(wish, async () => JSON.stringify(await this.lines(namespace)) === wish);
  }

  async crash(parts: PodParts = {}): Promise<void> {
    const { name = 'web-1' } = parts;
    this.server.create(podOf({ name, containers: [RUNNING], ...parts }));
    await this.until(
      [...(await this.lines()).filter((line) => !line.startsWith(name)), `${name}/web None 0`].toSorted(),
    );
    const failing = waiting('CrashLoopBackOff', { restartCount: 2, lastState: terminated(1, 'Error') });
    this.server.update(podOf({ name, containers: [failing], ...parts }));
    await this.until(
      [...(await this.lines()).filter((line) => !line.startsWith(name)), `${name}/web Failure 2`].toSorted(),
    );
  }

  recover(name = 'web-1', restartCount = 2): void {
    this.server.update(podOf({ name, containers: [{ ...RUNNING, restartCount }] }));
  }
}

const event = (pod: { readonly name: string; readonly uid: string }, more: object) => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: `${pod.name}.${JSON.stringify(more).length}`, namespace: 'shop' },
  involvedObject: { kind: 'Pod', namespace: 'shop', ...pod },
  type: 'Warning',
  message: 'Back-off restarting',
  ...more,
});

describe('the environment', () => {
  const base = { OPENSHIFT_TOKEN: TOKEN };
  const read = (env: NodeJS.ProcessEnv, folders: { sa?: string; secret?: string } = {}) =>
    adaptPodWatcher({
      env,
      lenient: false,
      repeats: 'first',
      unset: 'empty',
      serviceAccountDir: folders.sa ?? '/nonexistent',
      secretTokenFile: folders.secret ?? '/nonexistent/token',
    }).value as {
      cluster: { server: string; token?: string; tokenFile?: string; caFile?: string; insecure?: boolean };
      state: { path: string };
      log: { level: string };
      web: { podWatcher: Record<string, unknown> };
      resource: { namespaces?: string[] }[];
      handler: { restarts: number; window: string; mute: { image: string }[] }[];
    };

  test('OPENSHIFT_NAMEPACE, as misspelt in its README, is read as OPENSHIFT_NAMESPACE, with a warning', () => {
    const given = {
      env: { ...base, OPENSHIFT_NAMEPACE: 'test,jenkins' },
      lenient: false,
      repeats: 'first',
      unset: 'empty',
    } as const;
    const { value, warnings } = adaptPodWatcher(given);
    assert.deepEqual(value['resource'], [{ kind: 'pod', namespaces: ['test', 'jenkins'] }]);
    assert.match(warnings[0]?.message ?? '', /NAMEPACE is read as OPENSHIFT_NAMESPACE/);
  });

  test('1: defaults are those of pod-watcher', () => {
    const { cluster, state, log, web, resource, handler } = read(base);
    assert.equal(cluster.server, 'https://192.168.99.101:8443');
    assert.equal(state.path, '/var/tmp/watchchain');
    assert.equal(log.level, 'info');
    assert.deepEqual(web.podWatcher, { resetOnRead: true, includeEvents: true, pageRefreshSeconds: 60 });
    assert.deepEqual(resource, [{ kind: 'pod' }], 'all namespaces');
    assert.deepEqual([handler[0]?.restarts, handler[0]?.window], [5, '240m']);
  });

  test('1: without a host the API server of the pod is used, also with an IPv6 address', () => {
    const inPod = (host: string, port?: string) =>
      read({ ...base, KUBERNETES_SERVICE_HOST: host, ...(port && { KUBERNETES_SERVICE_PORT: port }) }).cluster.server;
    assert.equal(inPod('10.96.0.1', '443'), 'https://10.96.0.1:443');
    assert.equal(inPod('fd00:10:96::1', '6443'), 'https://[fd00:10:96::1]:6443');
    assert.equal(inPod('fd00:10:96::1'), 'https://[fd00:10:96::1]');
  });

  test('1: every variable is read, the misspelt PM_PAGEREFERSH_SECONDS too; lists may contain blanks', () => {
    const { cluster, state, log, web, resource, handler } = read({
      ...base,
      OPENSHIFT_HOST: 'api.example:6443',
      OPENSHIFT_NAMESPACE: ' shop , team-a,',
      PODMONITOR_FILEPATH: '/data/',
      RESTART_THRESHOLD: '3',
      RESTART_TIMEFRAME: '15',
      PODMONITOR_INCLUDE_EVENTS: 'no',
      PODMONITOR_LOGLEVEL: 'WARN',
      PM_PAGEREFERSH_SECONDS: '30',
      OPENSHIFT_CA: '/ca.pem',
      OPENSHIFT_INSECURE: 'True',
    });
    assert.deepEqual([cluster.server, cluster.caFile, cluster.insecure], ['https://api.example:6443', '/ca.pem', true]);
    assert.deepEqual([state.path, log.level], ['/data/watchchain', 'warning']);
    assert.equal(web.podWatcher['includeEvents'], false);
    assert.equal(web.podWatcher['pageRefreshSeconds'], 30);
    assert.deepEqual(resource[0]?.namespaces, ['shop', 'team-a']);
    assert.deepEqual([handler[0]?.restarts, handler[0]?.window], [3, '15m']);
  });

  test('1: the token: OPENSHIFT_TOKEN, then the mounted secret, then the service account', async () => {
    await using workdir = await Workdir.make();
    const secret = await workdir.write('secret-token', 'a\n');
    await mkdir(workdir.file('sa'));
    await writeFile(workdir.file('sa/token'), 'b');
    await writeFile(workdir.file('sa/ca.crt'), 'ca');
    const sa = workdir.file('sa');
    assert.deepEqual(read(base, { sa, secret }).cluster.token, '${OPENSHIFT_TOKEN}');
    assert.equal(read({}, { sa, secret }).cluster.tokenFile, secret);
    assert.equal(read({}, { sa }).cluster.tokenFile, join(sa, 'token'));
    assert.equal(read({}, { sa }).cluster.caFile, join(sa, 'ca.crt'));
    assert.throws(() => read({}), /OPENSHIFT_TOKEN: is not set, and there is no /);
  });

  test('1: an invalid number or level is refused at the start, with its name and what is allowed', async () => {
    await using program = new Program(['--compat', 'pod-watcher'], {
      env: { ...base, RESTART_THRESHOLD: 'abc', RESTART_TIMEFRAME: '0', PODMONITOR_LOGLEVEL: 'loud' },
    });
    const { code, stderr } = await program.exited();
    assert.equal(code, 1);
    assert.match(stderr, /RESTART_THRESHOLD: must be a whole number of at least 1: current value is "abc"/);
    assert.match(stderr, /RESTART_TIMEFRAME: must be a whole number of at least 1: current value is "0"/);
    assert.match(stderr, /PODMONITOR_LOGLEVEL: must be one of INFO, WARN, DEBUG, ERROR: current value is "loud"/);
  });
});

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

describe('/status', () => {
  test('3: has the field names of pod-watcher, as JSON, and reading it changes nothing', async (t) => {
    const watcher = await Watcher.start(t, { OPENSHIFT_NAMESPACE: 'shop' });
    await watcher.crash();
    const answer = await watcher.fetch('/status');
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
    const { config, namespaces } = (await answer.json()) as Status;
    assert.deepEqual(config, {
      host: watcher.server.url,
      namespace: 'shop',
      pageRefreshSeconds: 60,
      timeframe: 240,
      threshold: 5,
    });
    const [entry] = namespaces[0]?.pods ?? [];
    const theirs = [
      'alertStatus',
      'podName',
      'restarts',
      'totalRestartCount',
      'startTime',
      'lastUpdateTime',
      'state',
      'namespace',
      'podLongName',
      'currentRestarts',
      'restartsLocal',
    ];
    assert.deepEqual(Object.keys(entry ?? {}).slice(0, theirs.length), theirs);
    await watcher.until(['web-1/web Failure 2']);
    await watcher.until(['web-1/web Failure 2']);
  });

  test('19: machine times are RFC 3339 in UTC, the others in the configured time zone', async (t) => {
    const watcher = await Watcher.start(t, { PODMONITOR_TIMEZONE: 'America/New_York' });
    await watcher.crash({ status: { startTime: '2026-01-01T03:00:00Z' } });
    const [entry] = await watcher.get<readonly (Entry & Record<string, string>)[]>('/pod-restart-alerts?peek=1');
    assert.equal(entry?.['startTime'], '12/31/2025-22:00:00');
    assert.equal(entry?.['startedAt'], '2026-01-01T03:00:00Z');
    const [restart = ''] = entry?.restarts ?? [];
    assert.match(restart, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok(Math.abs(Date.parse(restart) - Date.now()) < 3_600_000);
  });
});

describe('/pod-restart-alerts', () => {
  test('9: the first call has the alerts, the second none; /status says Sent, and the total is kept', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    const [alert, ...others] = await watcher.alerts();
    assert.deepEqual(
      [alert?.alertStatus, alert?.podName, alert?.currentRestarts, others.length],
      ['Failure', 'web', 2, 0],
    );
    assert.deepEqual(await watcher.alerts(), []);
    await watcher.until(['web-1/web Sent 0']);
    const [entry] = (await watcher.status()).namespaces[0]?.pods ?? [];
    assert.deepEqual([entry?.restarts, entry?.totalRestartCount], [[], 2]);
  });

  test('10: ?peek, HEAD and an answer that did not arrive consume no alert; acknowledging by POST does', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    assert.equal((await watcher.alerts('?peek=1')).length, 1);
    assert.equal((await watcher.fetch('/pod-restart-alerts', { method: 'HEAD' })).status, 200);
    const [host, port] = (watcher.app.listening ?? '').split(':');
    const gone = connect(Number(port), host);
    await once(gone, 'connect');
    gone.write('GET /pod-restart-alerts HTTP/1.1\r\nHost: localhost\r\n\r\n');
    gone.resetAndDestroy();
    await once(gone, 'close');
    const [alert] = await watcher.alerts('?peek=1');
    assert.equal(alert?.alertStatus, 'Failure', 'it can be fetched again');
    const answer = await watcher.acknowledge([alert.id, 'no-such/alert']);
    assert.deepEqual(await answer.json(), { ids: [alert.id] });
    assert.deepEqual(await watcher.alerts(), []);
  });

  test('11: of 100 concurrent readers exactly one gets each alert', async (t) => {
    const watcher = await Watcher.start(t);
    const names = Array.from({ length: 5 }, (_, n) => `web-${n}`);
    for (const name of names) await watcher.crash({ name, app: name });
    const answers = await Promise.all(Array.from({ length: 100 }, () => watcher.alerts()));
    const told = answers.flat().map(({ podLongName }) => podLongName);
    assert.deepEqual(told.toSorted(), names);
  });

  test('11: a warning that becomes a failure while it is being read is an alert again', async (t) => {
    const watcher = await Watcher.start(t, { RESTART_THRESHOLD: '2' });
    const restarted = { ...RUNNING, restartCount: 2 };
    watcher.server.create(podOf({ name: 'web-1', containers: [RUNNING] }));
    await watcher.until(['web-1/web None 0']);
    watcher.server.update(podOf({ name: 'web-1', containers: [restarted] }));
    await watcher.until(['web-1/web Warning 2']);
    const slow = watcher.server.fault({ path: '/api/v1/namespaces/shop/events', effect: 'hang' });
    const reading = watcher.alerts();
    await until('its Events are asked for', async () =>
      watcher.server.requests.some(({ path }) => path.endsWith('/events')),
    );
    watcher.server.update(podOf({ name: 'web-1', containers: [waiting('CrashLoopBackOff', { restartCount: 2 })] }));
    await until('it fails', async () => (await watcher.lines())[0]?.includes('Failure') === true);
    slow.remove();
    const statuses = async (read: Promise<readonly Entry[]>) => (await read).map(({ alertStatus }) => alertStatus);
    assert.deepEqual(await statuses(reading), ['Warning']);
    assert.deepEqual(await statuses(watcher.alerts()), ['Failure']);
    assert.deepEqual(await statuses(watcher.alerts()), []);
  });

  test('12: an alert that was read is None after recovery, and failing again is an alert again', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    await watcher.alerts();
    watcher.recover();
    await watcher.until(['web-1/web None 0']);
    watcher.server.update(podOf({ name: 'web-1', containers: [waiting('CrashLoopBackOff', { restartCount: 3 })] }));
    await watcher.until(['web-1/web Failure 1']);
    assert.equal((await watcher.alerts()).length, 1);
  });

  test('13: Events are those of exactly this pod, also with an eventTime only; turned off, the key is missing', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    const { uid = '' } = watcher.server.get('Pod', 'web-1', 'shop')?.metadata ?? {};
    watcher.server.create(event({ name: 'web-1', uid }, { reason: 'BackOff', lastTimestamp: '2026-11-20T10:01:00Z' }));
    watcher.server.create(event({ name: 'web-1', uid }, { reason: 'New', eventTime: '2026-11-20T10:02:00.000000Z' }));
    watcher.server.create(event({ name: 'web-1', uid: 'its-predecessor' }, { reason: 'Old' }));
    watcher.server.create(event({ name: 'web-11', uid: 'another' }, { reason: 'Another' }));
    const [alert] = await watcher.alerts('?peek=1');
    assert.deepEqual(
      alert?.Events?.map(({ reason, localizedTime }) => [reason, localizedTime !== '']),
      [
        ['BackOff', true],
        ['New', true],
      ],
    );
    const other = await Watcher.beside(t, watcher.server, { PODMONITOR_INCLUDE_EVENTS: 'false' });
    await until('an alert', async () => (await other.alerts('?peek=1')).length > 0);
    assert.equal('Events' in ((await other.alerts())[0] ?? {}), false);
  });

  test('13: secrets in Events are redacted', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    const { uid = '' } = watcher.server.get('Pod', 'web-1', 'shop')?.metadata ?? {};
    const message = 'Failed to pull https://robot:hunter2@registry.example/web, password=hunter2';
    const applied = event({ name: 'web-1', uid }, { reason: 'Failed', message });
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"password":"hunter2"}' };
    watcher.server.create({ ...applied, metadata: { ...applied.metadata, annotations } });
    for (const path of ['/events/shop', '/events/shop/web-1', '/pod-restart-alerts?peek=1']) {
      const text = await (await watcher.fetch(path)).text();
      assert.match(text, /Failed to pull https:.*registry\.example\/web/, path);
      assert.doesNotMatch(text, /hunter2/, path);
    }
  });

  test('13: Events of a static pod are found by its config hash', async (t) => {
    const watcher = await Watcher.start(t);
    const metadata = { annotations: { 'kubernetes.io/config.hash': 'c0ffee' } };
    const etcd = { name: 'web-1', metadata: { name: 'web-1', namespace: 'shop', ...metadata } };
    await watcher.crash(etcd);
    watcher.server.create(event({ name: 'web-1', uid: 'c0ffee' }, { reason: 'BackOff' }));
    const reasons = (events: readonly { readonly reason?: unknown }[] = []) => events.map(({ reason }) => reason);
    assert.deepEqual(reasons(await watcher.get('/events/shop/web-1')), ['BackOff']);
    assert.deepEqual(reasons((await watcher.alerts())[0]?.Events), ['BackOff']);
  });

  test('13: forbidden Events do not hold up the alert', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    watcher.server.allow(({ resource }) => resource !== 'events');
    assert.deepEqual(
      (await watcher.alerts()).map(({ Events }) => Events),
      [[]],
    );
    assert.equal((await watcher.fetch('/events/shop/web-1')).status, 502);
  });

  test('without --compat, reading an alert does not consume it', async (t) => {
    const server = await startApiServer();
    t.after(() => server.close());
    await using workdir = await Workdir.make();
    const file = await workdir.write('config.toml', '[[resource]]\nkind = "pod"\n[[handler]]\nname = "podAlerts"\n');
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    await using program = new Program(
      ['run', '-c', file, '-k', kubeconfig, '--listen', '127.0.0.1:0', '--state', workdir.file('state')],
      { cwd: workdir.path },
    );
    await program.ready();
    server.create(podOf({ name: 'web-1' }));
    server.update(podOf({ name: 'web-1', containers: [waiting('CrashLoopBackOff')] }));
    const alerts = async () => (await (await fetch(`${program.url()}/pod-restart-alerts`)).json()) as Entry[];
    await until('an alert', async () => (await alerts()).length > 0);
    assert.equal((await alerts()).length, 1);
  });
});

describe('secrets and access', () => {
  test('17: /config hides secrets, and no log line holds the token', async (t) => {
    const watcher = await Watcher.start(t, { PODMONITOR_WEB_TOKEN: '' });
    await watcher.crash();
    const config = await (await watcher.fetch('/config')).text();
    assert.match(config, /"name":"podAlerts"/);
    assert.ok(!config.includes(TOKEN));
    assert.ok(!watcher.log.includes(TOKEN));
  });

  test('18: with a token for the page, every request without it is refused', async (t) => {
    const watcher = await Watcher.start(t, { PODMONITOR_WEB_TOKEN: 'a-token-of-the-page' });
    for (const path of ['/', '/status', '/pods/shop', '/events/shop', '/config', '/pod-restart-alerts'])
      assert.equal((await watcher.fetch(path)).status, 401, path);
    const headers = { authorization: 'Bearer a-token-of-the-page' };
    assert.equal((await watcher.fetch('/status', { headers })).status, 200);
  });
});

describe('the page', () => {
  test('16: has the columns of pod-watcher, red rows and Events, and loads nothing from other hosts', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    const page = await (await watcher.fetch('/')).text();
    const pods = /<section id="pods".*?<\/section>/s.exec(page)?.[0] ?? '';
    for (const column of ['Pod', 'Alert', 'State', 'Restarts', 'Total', 'Last update'])
      assert.match(pods, new RegExp(`<th scope="col"[^>]*>${column}</th>`), column);
    assert.match(pods, /<tr class="alarm">/);
    assert.match(pods, /data-events="shop\/web-1"/);
    assert.doesNotMatch(page, /(src|href)="(https?:)?\/\//);
  });
});
