/** The Event Controller's acceptance list, A5: its plug-ins, run unmodified. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { Workdir } from '../e2e/program.ts';
import { command, load, route, start, startCluster } from './controller.ts';

const errorsIn = (lines: readonly string[]) => lines.filter((line) => line.startsWith('[ERROR]'));

describe('event controller: plug-ins', () => {
  test('8: simple writes its line, at the level of its section (case-insensitive)', async (t) => {
    const { server, env } = await startCluster(t);
    const controller = await start(t, { env, ini: '[global]\n[plugin_simple]\nmessage_log_level = Warning\n' });
    server.create(route('nodejs-ex'));
    assert.equal(await controller.line(/nodejs-ex/), '[WARNING] Kind: Route; Name: nodejs-ex; Event Type:ADDED');
    server.update({ ...route('nodejs-ex'), spec: { host: 'other.example' } });
    await controller.line(/Name: nodejs-ex; Event Type:MODIFIED/);
    server.delete('Route', 'nodejs-ex', 'demo');
    await controller.line(/Name: nodejs-ex; Event Type:DELETED/);
  });

  test('9: LOG_LEVEL filters case-insensitively; an unknown level is reported once, and is INFO', async (t) => {
    const { server, env } = await startCluster(t);
    const quiet = await start(t, { env: { ...env, LOG_LEVEL: 'error' } });
    const odd = await start(t, { env: { ...env, LOG_LEVEL: 'loud', WATCHER_PLUGIN: 'bad' } });
    server.create(route('odd-level'));
    await odd.line(/\[INFO\] an odd level/);
    server.update({ ...route('odd-level'), spec: { host: 'other.example' } });
    server.create(route('last'));
    await odd.line(/\[INFO\] fine: last/);
    await quiet.app.idle();
    assert.deepEqual(quiet.lines(), []);
    const told = odd.lines().filter((line) => line.startsWith('[WARNING]') && /level/.test(line));
    assert.match(told[0] ?? '', /unknown level.*loud.*INFO/);
    assert.match(told[1] ?? '', /uses an unknown level: logging at INFO.*named=FOO/);
    assert.equal(told.length, 2);
  });

  for (const [level, shown] of [
    ['NOTSET', ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']],
    ['Debug', ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']],
    ['INFO', ['INFO', 'WARNING', 'ERROR', 'CRITICAL']],
    ['warn', ['WARNING', 'ERROR', 'CRITICAL']],
    ['WARNING', ['WARNING', 'ERROR', 'CRITICAL']],
    ['error', ['ERROR', 'CRITICAL']],
    ['critical', ['CRITICAL']],
    ['FATAL', ['CRITICAL']],
  ] as const) {
    test(`9: LOG_LEVEL=${level} shows ${shown.join(', ')}`, async (t) => {
      const { server, env } = await startCluster(t);
      const controller = await start(t, { env: { ...env, LOG_LEVEL: level, WATCHER_PLUGIN: 'bad' } });
      server.create(route('throws'));
      server.create(route('all-levels'));
      await controller.line(/^\[CRITICAL\] said at FATAL$/);
      await controller.app.idle();
      const said = controller.lines().filter((line) => / said at /.test(line));
      const names = said.map((line) => line.slice(1, line.indexOf(']')));
      assert.deepEqual([...new Set(names)], shown);
      const isErrorShown = shown.some((name) => name === 'ERROR');
      const failed = controller.lines().filter((line) => /no such zone/.test(line));
      assert.equal(failed.length, isErrorShown ? 1 : 0);
    });
  }

  test('9, 8: an unknown level in the section of simple is reported once, and is INFO', async (t) => {
    const { server, env } = await startCluster(t);
    const controller = await start(t, { env, ini: '[global]\n[plugin_simple]\nmessage_log_level = FOO\n' });
    server.create(route('web'));
    await controller.line(/^\[INFO\] Kind: Route; Name: web; Event Type:ADDED$/);
    assert.equal(controller.lines().filter((line) => /Unknown level/.test(line)).length, 1);
  });

  test('10: plug-ins of one, two and three parameters and a coroutine run side by side, each with its section', async (t) => {
    const { server, env } = await startCluster(t);
    const ini = '[global]\nwatcher_plugin = first, second, third, later\n[plugin_second]\ngreeting = Hello 100%\n';
    const controller = await start(t, { env, ini });
    server.create(route('web'));
    assert.equal(await controller.line(/first saw/), '[INFO] first saw Route web');
    assert.equal(await controller.line(/second says/), '[WARNING] second says Hello 100% to web');
    assert.equal(await controller.line(/third in/), '[INFO] third in demo at http, token True, 0 settings');
    assert.equal(await controller.line(/ROUTE/), '[INFO] [ROUTE ADDED]');
    assert.equal(await controller.line(/later saw/), '[INFO] later saw web');
    assert.doesNotMatch(controller.lines().join('\n'), /a detail/);
  });

  test('10: a missing plug-in fails the start with 1, naming where it was looked for', async (t) => {
    const { env } = await startCluster(t);
    await using workdir = await Workdir.make();
    const state = workdir.file('state');
    const { code, stderr } = await command({ ...env, WATCHER_PLUGIN: 'absent' }, '--listen', 'off', '--state', state);
    assert.equal(code, 1);
    assert.match(stderr, /Cannot load plugin_absent: ModuleNotFoundError.*looked in .*src/);
  });

  test('10: naming a plug-in allows it to run without --enable-exec', async () => {
    const config = await load({
      env: { K8S_RESOURCE: 'routes', K8S_NAMESPACE: 'a', K8S_TOKEN: 'b', WATCHER_PLUGIN: 'x' },
    });
    assert.equal(config.mayRunPrograms, true);
    assert.equal(config.chains[0]?.handlers[0]?.definition.runsPrograms, true);
  });

  for (const [name, problem] of [
    ['throws', /ValueError: no such zone \(plugin_bad\.py:\d+\)/],
    ['returns-nothing', /returned None, wanted \(message, level\)/],
    ['exits', /SystemExit: 3/],
    ['dies', /it ended with exit code 7/],
  ] as const) {
    test(`11: a plug-in that ${name} makes one ERROR line with its name and the object's, and the next event is handled`, async (t) => {
      const { server, env } = await startCluster(t);
      const controller = await start(t, { env: { ...env, WATCHER_PLUGIN: 'bad' } });
      server.create(route(name));
      const line = await controller.line(/^\[ERROR\]/);
      assert.match(line, problem);
      assert.match(line, new RegExp(`key=demo/${name} handler=default/bad`));
      server.create(route('next'));
      assert.equal(await controller.line(/fine/), '[INFO] fine: next');
      assert.equal(errorsIn(controller.lines()).length, 1);
    });
  }

  test('11: a plug-in that hangs is killed after 30 s with one ERROR line, and the next event is handled', async (t) => {
    const { server, env } = await startCluster(t);
    const clock = new FakeClock();
    const controller = await start(t, { env: { ...env, WATCHER_PLUGIN: 'bad' }, clock });
    server.create(route('loops'));
    await controller.line(/round and round/);
    server.create(route('next'));
    await clock.advance(29_000);
    assert.deepEqual(errorsIn(controller.lines()), []);
    await clock.advance(1_000);
    const error = await controller.line(/^\[ERROR\]/);
    assert.match(error, /key=demo\/loops handler=default\/bad error="it did not finish within 30 s"/);
    await controller.line(/has failed and has not been restarted yet/);
    // The store answers in order: after this the chain knows when to try again.
    assert.equal((await controller.app.store.deadLetters({ limit: 10 })).length, 1);
    await clock.advance(1_000);
    assert.equal(await controller.line(/fine/), '[INFO] fine: next');
    assert.equal(errorsIn(controller.lines()).length, 1);
  });

  test('11: what a plug-in prints, even 10 MB on one line, is not an answer, and is cut in the log', async (t) => {
    const { server, env } = await startCluster(t);
    const controller = await start(t, { env: { ...env, WATCHER_PLUGIN: 'bad' } });
    server.create(route('prints'));
    await controller.line(/\[INFO\] fine: prints/);
    assert.ok(controller.lines().every((line) => line.length < 2_000));
    assert.deepEqual(errorsIn(controller.lines()), []);
  });

  test('17: the log does not contain the token or a password, even at DEBUG', async (t) => {
    const { server, env } = await startCluster(t);
    const ini = '[global]\nlog_level = debug\nwatcher_plugin = third\n[plugin_third]\npassword = hunter2\n';
    const controller = await start(t, { env, ini });
    server.create(route('web'));
    assert.equal(await controller.line(/third in/), '[INFO] third in demo at http, token True, 1 settings');
    await controller.line(/^\[DEBUG\] a detail/);
    assert.doesNotMatch(controller.lines().join('\n'), /s3cr3t|hunter2/);
  });

  test('20: when all namespaces are watched, a plug-in gets that of the object', async (t) => {
    const { server, env } = await startCluster(t);
    const controller = await start(t, { env: { ...env, K8S_NAMESPACED: 'False', WATCHER_PLUGIN: 'third' } });
    server.create(route('web', 'shop'));
    await controller.line(/third in shop/);
    server.create(route('web', 'kube-public'));
    await controller.line(/third in kube-public/);
  });
});
