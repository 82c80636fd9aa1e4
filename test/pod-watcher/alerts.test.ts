/** OpenShift's Pod Watcher: what its endpoints report. The numbers are those of its acceptance list. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { podOf, RUNNING, unready, waiting } from '../../src/testing/failing-pods.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { until } from '../until.ts';
import { event, Watcher, type Entry, type Status } from './watcher.ts';

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

  test('a pod that runs without being ready is no alert, as the Pod Watcher does not read readiness', async (t) => {
    const watcher = await Watcher.start(t);
    watcher.server.create(unready({ name: 'web-2' }));
    // Of the same workload, so it is looked at later.
    await watcher.crash();
    assert.deepEqual(await watcher.lines(), ['web-1/web Failure 2', 'web-2/web None 0']);
    assert.equal((await watcher.alerts()).length, 1);
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
