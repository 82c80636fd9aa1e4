import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, describe, test } from 'node:test';
import { isHalt, type TransformInstance } from '../../src/chain/handler.ts';
import { withParts } from '../../src/change/lazy-change.ts';
import { codeOf } from '../../src/errors.ts';
import { changeOf } from '../../src/testing/change.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { problemsOf, testContext, testEnvironment } from '../../src/testing/handler.ts';
import { logInto } from '../../src/testing/log-into.ts';
import { Workdir } from '../../test/e2e/program.ts';
import { until } from '../../test/until.ts';
import python from './index.ts';

const change = changeOf({
  after: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'shop' } },
});
const running: TransformInstance[] = [];
afterEach(async () => {
  for (const handler of running.splice(0)) await handler.stop?.();
});

/** The handler for a plug-in with this source. */
async function handler(
  workdir: Workdir,
  script: string,
  more: object = {},
  clock = new FakeClock(),
  log = testEnvironment().log,
) {
  await workdir.write('plugin_own.py', script);
  assert.ok(python.type === 'transform');
  const options = python.options.parse({ plugin: 'own', path: [workdir.path], cwd: workdir.path, ...more });
  const instance = python.create(options, testEnvironment({ clock, log }));
  running.push(instance);
  return instance;
}

describe('python', () => {
  test('its answer is available to later handlers', async () => {
    await using workdir = await Workdir.make();
    const instance = await handler(workdir, 'def handle_event(event):\n  return event["type"], "INFO"\n');
    const verdict = await instance.handle(change, testContext({ id: 'default/own' }));
    assert.ok(!isHalt(verdict));
    assert.deepEqual(verdict.notes.answers?.['own'], { message: 'ADDED', level: 'INFO', log: [] });
  });

  test('a cancelled coroutine fails that change only', async () => {
    await using workdir = await Workdir.make();
    const script = `
import asyncio
async def handle_event(event):
  if event["object"]["metadata"]["name"] == "web":
    raise asyncio.CancelledError("gone")
  return "fine", "INFO"
`;
    const instance = await handler(workdir, script);
    await assert.rejects(async () => instance.handle(change, testContext()), {
      message: /^it said: CancelledError: gone \(/,
    });
    const other = changeOf({ after: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'db' } } });
    assert.ok(!isHalt(await instance.handle(other, testContext())));
  });

  test('an exception that cannot be shown as text fails that change only', async () => {
    await using workdir = await Workdir.make();
    const script = `
class Refused(Exception):
  def __str__(self):
    return self.args[0]
def handle_event(event):
  if event["object"]["metadata"]["name"] == "web":
    raise Refused(403)
  return "fine", "INFO"
`;
    const instance = await handler(workdir, script);
    await assert.rejects(async () => instance.handle(change, testContext()), {
      message: /^it said: Refused: its __str__\(\) raised TypeError \(plugin_own\.py:7\)$/,
    });
    const other = changeOf({ after: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'db' } } });
    assert.ok(!isHalt(await instance.handle(other, testContext())));
  });

  test('concurrent changes each get their own answer', async () => {
    await using workdir = await Workdir.make();
    const instance = await handler(
      workdir,
      'def handle_event(event):\n  return event["object"]["metadata"]["name"], "INFO"\n',
    );
    const names = Array.from({ length: 500 }, (_, n) => `web-${n}`);
    const answers = await Promise.all(
      names.map(async (name, n) => {
        const metadata = { name, namespace: 'shop' };
        const one = changeOf({
          after: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text: 'é'.repeat(n) } },
        });
        const verdict = await instance.handle(withParts(one, { id: n + 1 }), testContext({ id: 'default/own' }));
        return isHalt(verdict) ? undefined : verdict.notes.answers?.['own']?.['message'];
      }),
    );
    assert.deepEqual(answers, names);
  });

  test('a plug-in that hangs is killed with its children at the deadline, and restarted after a delay', async () => {
    await using workdir = await Workdir.make();
    const script = `
import os, subprocess, time
def handle_event(watcher, event, config):
    if os.path.exists('seen'):
        return 'fine', 'INFO'
    child = subprocess.Popen(['sleep', '1000'])
    with open('child', 'w') as file:
        file.write(str(child.pid))
    open('seen', 'w').close()
    while True:
        time.sleep(1)
`;
    const clock = new FakeClock();
    const instance = await handler(workdir, script, {}, clock);
    const deadline = new AbortController();
    const asked = Promise.resolve(instance.handle(change, testContext({ signal: deadline.signal })));
    const failed = asked.catch((thrown: unknown) => thrown);
    const pid = await contentOf(workdir, 'child');
    await contentOf(workdir, 'seen', true);
    deadline.abort(new Error('it took too long'));
    const ask = () => Promise.resolve(instance.handle(change, testContext())).catch((thrown: unknown) => thrown);
    // A question that comes while the plug-in is being ended does not fail with it.
    assert.equal(codeOf(await ask()), 'DEFER');
    assert.match(String(await failed), /it took too long/);
    await gone(pid);
    assert.equal(codeOf(await ask()), 'DEFER');
    await clock.advance(500);
    assert.ok(!isHalt(await instance.handle(change, testContext())));
  });

  test('start() rejects a missing interpreter and a plug-in that cannot be loaded', async () => {
    await using workdir = await Workdir.make();
    const missing = await handler(workdir, '', { python: '/nonexistent/python' });
    await assert.rejects(async () => missing.start?.(), /Cannot start \/nonexistent\/python: there is no such program/);
    const empty = await handler(workdir, 'x = 1\n');
    await assert.rejects(async () => empty.start?.(), /Cannot load plugin_own: AttributeError.*looked in \//);
    const broken = await handler(workdir, 'def handle_event(:\n');
    await assert.rejects(async () => broken.start?.(), /Cannot load plugin_own: SyntaxError/);
  });

  test('start() rejects a plug-in that is not loaded within the timeout, naming it', async () => {
    await using workdir = await Workdir.make();
    const clock = new FakeClock();
    const script = "import time\nopen('loading', 'w').close()\ntime.sleep(300)\n";
    const slow = await handler(workdir, script, { timeout: '5s' }, clock);
    const started = assert.rejects(async () => slow.start?.(), /plugin_own: it did not finish within 5 s/);
    await contentOf(workdir, 'loading', true);
    await clock.advance(5_000);
    await started;
  });

  test('does not inherit the environment unless inheritEnv is set', async () => {
    await using workdir = await Workdir.make();
    process.env['WATCHCHAIN_TEST_SECRET'] = 'hunter2';
    const script =
      'import os\ndef handle_event(event):\n  return str("WATCHCHAIN_TEST_SECRET" in os.environ), "INFO"\n';
    const said = async (more: object) => {
      const instance = await handler(workdir, script, more);
      const verdict = await instance.handle(change, testContext({ id: 'default/own' }));
      return isHalt(verdict) ? undefined : verdict.notes.answers?.['own']?.['message'];
    };
    assert.deepEqual([await said({}), await said({ inheritEnv: true })], ['False', 'True']);
    delete process.env['WATCHCHAIN_TEST_SECRET'];
  });

  test('neither the plug-in nor its child processes can read the requests from stdin', async () => {
    await using workdir = await Workdir.make();
    const script = `
import subprocess, sys
def handle_event(event):
    return subprocess.check_output(['cat']).decode() + sys.stdin.read() + 'nothing', 'INFO'
`;
    const instance = await handler(workdir, script);
    const answers = await Promise.all(
      [1, 2, 3].map(async (id) => {
        const verdict = await instance.handle(withParts(change, { id }), testContext({ id: 'default/own' }));
        return isHalt(verdict) ? undefined : verdict.notes.answers?.['own']?.['message'];
      }),
    );
    assert.deepEqual(answers, ['nothing', 'nothing', 'nothing']);
  });

  test('a malformed logging call in the plug-in is not a failure', async () => {
    await using workdir = await Workdir.make();
    const script = 'import logging\ndef handle_event(event):\n  logging.info("%d", "x")\n  return "fine", "INFO"\n';
    const instance = await handler(workdir, script);
    const verdict = await instance.handle(change, testContext({ id: 'default/own' }));
    assert.ok(!isHalt(verdict));
    assert.deepEqual(verdict.notes.answers?.['own'], { message: 'fine', level: 'INFO', log: [] });
  });

  test('what the plug-in prints is logged at once', async () => {
    await using workdir = await Workdir.make();
    const said = Promise.withResolvers<unknown>();
    const log = logInto(({ line }) => said.resolve(line));
    const script = 'def handle_event(event):\n  print("hello")\n  return "fine", "DEBUG"\n';
    const instance = await handler(workdir, script, {}, new FakeClock(), log);
    await instance.handle(change, testContext());
    assert.equal(await said.promise, 'hello');
  });

  test('the name of a plug-in may begin with a digit or contain a dash', async () => {
    await using workdir = await Workdir.make();
    const script = 'def handle_event(event):\n  return __name__, "INFO"\n';
    for (const plugin of ['389ds', 'route-dns']) {
      await workdir.write(`plugin_${plugin}.py`, script);
      const instance = await handler(workdir, '', { plugin });
      const verdict = await instance.handle(change, testContext({ id: 'default/own' }));
      assert.ok(!isHalt(verdict));
      assert.equal(verdict.notes.answers?.['own']?.['message'], `plugin_${plugin}`);
    }
  });

  test('refuses the name of a plug-in that is a path', () => {
    assert.deepEqual(problemsOf(python, { plugin: '../x' }), [
      'plugin: must be the name of a Python module, without "plugin_"',
    ]);
  });
});

/** The content of a file that a plug-in writes. */
async function contentOf(workdir: Workdir, name: string, mayBeEmpty = false): Promise<string> {
  let text: string | undefined;
  await until(`the file ${name}`, async () => {
    text = await readFile(workdir.file(name), 'utf8').catch(() => undefined);
    return text !== undefined && (mayBeEmpty || text !== '');
  });
  return text ?? '';
}

/** Waits until the process has ended. */
function gone(pid: string): Promise<void> {
  return until(`the end of ${pid}`, async () =>
    / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ' Z ')),
  );
}
