/** OpenShift's Pod Watcher: its environment. The numbers are those of its acceptance list. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { adaptPodWatcher } from '../../src/config/adapters/pod-watcher.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { TOKEN } from './watcher.ts';

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

  test('check says what the environment means, rbac what rights it needs, and neither needs a cluster', async () => {
    await using workdir = await Workdir.make();
    const env = { OPENSHIFT_TOKEN: TOKEN, OPENSHIFT_NAMESPACE: 'shop' };
    for (const [command, said] of [
      ['check', /watches +pod, in shop\n/],
      ['rbac', /^ +namespace: shop$/m],
    ] as const) {
      const args = ['--compat', 'pod-watcher', command, '--listen', ':8080'];
      await using program = new Program(args, { cwd: workdir.path, env });
      const { code, stdout, stderr } = await program.exited();
      assert.equal(code, 0, stderr);
      assert.match(stdout, said);
    }
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
