import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, readFile } from 'node:fs/promises';
import { afterEach, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { isHalt, type HandlerContext, type TransformInstance } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import { withParts } from '../../src/change/lazy-change.ts';
import { systemClock, type Clock } from '../../src/clock.ts';
import { codeOf } from '../../src/errors.ts';
import { request } from '../../src/plugin/contract.ts';
import { changeOf } from '../../src/testing/change.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { problemsOf, testContext, testEnvironment } from '../../src/testing/handler.ts';
import { configured, recording, startTestChain } from '../../src/testing/test-chain.ts';
import { Workdir } from '../../test/e2e/program.ts';
import { until } from '../../test/until.ts';
import exec from './index.ts';

const changeNumber = (id: number, name = 'web', data: string = name): Change =>
  withParts(
    changeOf({
      after: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' }, data: { data } },
    }),
    { id },
  );
const change = changeNumber(7);
const running: TransformInstance[] = [];
afterEach(async () => {
  for (const handler of running.splice(0)) await handler.stop?.();
});

function handler(given: object, clock: Clock = systemClock): TransformInstance {
  assert.ok(exec.type === 'transform');
  const instance = exec.create(exec.options.parse({ cwd: '.', ...given }), testEnvironment({ clock }));
  running.push(instance);
  return instance;
}

const sh = (script: string, more: object = {}) => handler({ command: ['sh', '-c', script], ...more });
const python = (script: string) => handler({ mode: 'lines', command: ['python3', '-u', '-c', script] });

/** A child that outlives the process group, and runs `last` once the program is known to have ended. */
const outlived = (last: string) => `
import json, os, sys, time
sys.stdin.readline()
parent, (ready, is_ready) = os.getpid(), os.pipe()
if os.fork() == 0:
    os.setsid()
    os.write(is_ready, b'.')
    try:
        while True: os.kill(parent, 0)
    except ProcessLookupError: ${last}
else: os.read(ready, 1)
`;

/** A plug-in that stays: `answer` is a Python expression of `request`. */
const answering = (answer: string) =>
  python(`
import sys, json, os
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(${answer}), flush=True)
`);

async function ask(instance: TransformInstance, about = change, context: Partial<HandlerContext> = {}) {
  const verdict = await instance.handle(about, testContext({ id: 'default/exec', ...context }));
  return isHalt(verdict) ? `halted: ${verdict.reason}` : verdict;
}

describe('exec', () => {
  test('passes the request of the plug-in contract on stdin, and no further arguments', async () => {
    const verdict = await ask(
      sh('request=$(cat); printf \'{"notes": {"args": "%s", "request": %s}}\' "$*" "$request"'),
    );
    assert.ok(typeof verdict === 'object');
    const { args, request: asked } = verdict.notes.answers?.['exec'] ?? {};
    assert.equal(args, '');
    const { id, handler: name, idempotencyKey, change: told } = request.parse(asked);
    assert.deepEqual([id, name, idempotencyKey], [7, 'default/exec', testContext().idempotencyKey]);
    assert.equal(told.key, 'shop/web');
    assert.deepEqual(told.after, JSON.parse(JSON.stringify(change.after)));
  });

  test('passes PATH and the configured variables to the program, and nothing else of the environment', async () => {
    const verdict = await ask(
      sh('printf \'{"notes": {"names": "%s"}}\' "$(env | cut -d= -f1 | sort | tr \'\\n\' \' \')"', {
        env: { TEAM: 'shop' },
      }),
    );
    assert.ok(typeof verdict === 'object');
    const { names: said } = verdict.notes.answers?.['exec'] ?? {};
    assert.ok(typeof said === 'string');
    const names = said.split(' ');
    // What the shell itself sets.
    assert.deepEqual(
      names.filter((name) => !['', '_', 'PWD', 'OLDPWD', 'SHLVL'].includes(name)),
      ['PATH', 'TEAM'],
    );
  });

  test('starts the program without a shell: shell syntax is passed on literally', async () => {
    const verdict = await ask(handler({ command: ['printf', '{"notes": {"said": "%s"}}', '$(id)'] }));
    assert.ok(typeof verdict === 'object');
    assert.equal(verdict.notes.answers?.['exec']?.['said'], '$(id)');
  });

  test('resolves a program with a "/" relative to cwd', async () => {
    await using folder = await Workdir.make();
    await folder.write('page-me', '#!/bin/sh\necho \'{"verdict": "halt", "reason": "asleep"}\'\n');
    await chmod(folder.file('page-me'), 0o700);
    assert.equal(await ask(handler({ command: ['./page-me', '--quiet'], cwd: folder.path })), 'halted: asleep');
  });

  test('passes the change unmodified when the program answers nothing', async () => {
    assert.equal(await ask(sh('true')), change);
    assert.equal(await ask(sh('cat > /dev/null; echo')), change);
  });

  test('a non-zero exit code or a signal decides the outcome, whatever was written to stdout', async () => {
    const ending = (code: number) => sh(`echo '{"verdict": "pass"}'; echo "so sorry" >&2; exit ${code}`);
    assert.equal(await ask(ending(10)), 'halted: so sorry');
    await assert.rejects(ask(ending(75)), { code: 'DEFER', message: 'it asks to be run again later: so sorry' });
    await assert.rejects(ask(ending(65)), { code: 'TERMINAL', message: 'it refuses the change: so sorry' });
    await assert.rejects(ask(ending(3)), { message: 'it ended with exit code 3: so sorry' });
    await assert.rejects(ask(sh('kill -9 $$')), { message: 'it ended with signal SIGKILL' });
  });

  test('an error answer is a failed attempt; an invalid answer is terminal', async () => {
    await assert.rejects(ask(sh(`echo '{"error": "no network"}'`)), { message: 'it said: no network' });
    for (const [answer, problem] of [
      ['hello', /it answered "hello\\n", which is not JSON/],
      ['{"verdict": "maybe"}', /verdict: Invalid option/],
      ['{"verdikt": "pass"}', /Unrecognized key/],
      ['{"id": 8}', /it answered for change 8 but was asked about 7/],
    ] as const) {
      await assert.rejects(ask(sh(`echo '${answer}'`)), { code: 'TERMINAL', message: problem });
    }
  });

  test('states why a program cannot be started', async () => {
    await assert.rejects(ask(handler({ command: ['./none'] })), {
      message: 'Cannot start ./none: there is no such program',
    });
    await using folder = await Workdir.make();
    await chmod(await folder.write('page-me', '#!/usr/bin/none\n'), 0o755);
    await assert.rejects(ask(handler({ command: ['./page-me'], cwd: folder.path })), {
      message: 'Cannot start ./page-me: the program in its first line (#!) does not exist',
    });
    await assert.rejects(ask(handler({ command: ['true'], cwd: folder.file('none') })), {
      message: `Cannot start true: there is no folder ${folder.file('none')}`,
    });
    await assert.rejects(ask(handler({ command: ['/etc/passwd'] })), {
      message: 'Cannot start /etc/passwd: it is not executable',
    });
    for (const mode of ['once', 'lines']) {
      await assert.rejects(ask(handler({ mode, command: ['true'], cwd: '/etc/passwd' })), {
        message: 'Cannot start true: there is no folder /etc/passwd',
      });
    }
    await assert.rejects(ask(handler({ command: ['/etc/passwd/x'] })), {
      message: 'Cannot start /etc/passwd/x: there is no such program',
    });
    await assert.rejects(ask(handler({ command: ['true'], env: { LONG: 'x'.repeat(3_000_000) } })), {
      message: 'Cannot start true: spawn E2BIG',
    });
  });

  test('defers the attempt when too many files are open, without crashing', async () => {
    const script = `
import { closeSync, openSync } from 'node:fs';
import { runOnce } from '${import.meta.resolve('../../src/plugin/run-once.ts')}';
import { systemClock } from '${import.meta.resolve('../../src/clock.ts')}';
const spec = { command: ['true'], cwd: '/', env: {} };
const { signal } = new AbortController();
const open = [];
try { for (;;) open.push(openSync('/dev/null')); } catch {}
const failure = await runOnce(spec, '', { signal, clock: systemClock }).catch((thrown) => thrown);
open.forEach(closeSync);
console.log(failure.code, failure.message);`;
    const node = [process.execPath, '--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)('sh', ['-c', 'ulimit -n 64; exec "$0" "$@"', ...node]);
    assert.equal(stdout, 'DEFER Cannot start true: too many files are open; raise the limit\n');
  });

  test('kills a program that writes more than 1024 KiB', async () => {
    await assert.rejects(ask(sh('yes')), { message: 'it wrote more than 1024 KiB, and was stopped' });
    await assert.rejects(ask(sh('yes >&2')), { message: 'it wrote more than 1024 KiB, and was stopped' });
  });

  test('passes the change when the program exits without reading a large request', async () => {
    const huge = changeNumber(7, 'web', 'x'.repeat(1_500_000));
    assert.equal(await ask(sh('exit 0'), huge), huge);
  });

  test('kills the program and its children when the attempt is aborted', async () => {
    await using folder = await Workdir.make();
    const controller = new AbortController();
    const instance = handler({
      command: ['sh', '-c', 'trap "" TERM; sleep 300 & echo $! > child; wait; wait'],
      cwd: folder.path,
    });
    const asked = ask(instance, change, { signal: controller.signal });
    const child = Number(await firstLine(folder, 'child'));
    controller.abort(new Error('it did not finish within 1 s'));
    await assert.rejects(asked, { message: 'it did not finish within 1 s' });
    assert.equal(await isGone(child), true);
  });

  test('kills children that the program leaves behind, without waiting for their pipes', async () => {
    await using folder = await Workdir.make();
    const instance = handler({ command: ['sh', '-c', 'sleep 300 & echo $! > child'], cwd: folder.path });
    assert.equal(await ask(instance), change);
    assert.equal(await isGone(Number(await firstLine(folder, 'child'))), true);
  });

  test('goes on when it may not kill a process (EPERM)', async (t) => {
    await using folder = await Workdir.make();
    t.mock.method(process, 'kill', () => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
    });
    assert.equal(await ask(sh('true')), change);
    const controller = new AbortController();
    const script = 'echo > started; until [ -e end ]; do sleep 0.01; done';
    const asked = ask(handler({ command: ['sh', '-c', script], cwd: folder.path }), change, {
      signal: controller.signal,
    });
    await firstLine(folder, 'started');
    controller.abort(new Error('it did not finish within 1 s'));
    await folder.write('end', '');
    await assert.rejects(asked, { message: 'it did not finish within 1 s' });
  });
});

describe('exec with mode = "lines"', () => {
  test('sends all changes to one process, concurrently, and accepts answers in any order', async () => {
    const instance = python(`
import sys, json, os
held = [json.loads(sys.stdin.readline()) for _ in range(3)]
for request in reversed(held):
    print(json.dumps({"id": request["id"], "notes": {"pid": os.getpid(), "name": request["change"]["name"]}}), flush=True)
`);
    const names = ['a', 'b', 'c'];
    const verdicts = await Promise.all(names.map((name, id) => ask(instance, changeNumber(id, name))));
    const notes = verdicts.map((verdict) => (verdict as Change).notes.answers?.['exec']);
    assert.deepEqual(
      notes.map((note) => note?.['name']),
      names,
    );
    assert.equal(new Set(notes.map((note) => note?.['pid'])).size, 1);
  });

  test('halts with the reason that the program gives', async () => {
    const instance = answering('{"id": request["id"], "verdict": "halt", "reason": request["change"]["key"]}');
    assert.equal(await ask(instance), 'halted: shop/web');
  });

  test('fails the pending change when the program breaks the contract, and defers the next one', async () => {
    for (const [answer, problem] of [
      ['{"id": request["id"] + 1}', /it answered for 8, which it was not asked about/],
      ['{"verdict": "pass"}', /it answered for no change/],
      ['"hello"', /Invalid input/],
    ] as const) {
      const instance = answering(answer);
      await assert.rejects(ask(instance), { message: problem });
      await assert.rejects(ask(instance), { code: 'DEFER' });
    }
  });

  test('an invalid answer is terminal only for the change that it names', async () => {
    const instance = python(`
import sys, json
asked = [json.loads(sys.stdin.readline()) for _ in range(2)]
print(json.dumps({"id": asked[0]["id"], "verdict": "maybe"}), flush=True)
`);
    const codes = [1, 2].map((id) => ask(instance, changeNumber(id)).then(() => 'passed', codeOf));
    assert.deepEqual(await Promise.all(codes), ['TERMINAL', undefined]);
    const stray = python('import sys\nsys.stdin.readline()\nprint("DeprecationWarning: something", flush=True)');
    await assert.rejects(ask(stray), (thrown) => codeOf(thrown) === undefined);
  });

  test('fails the pending change when the program dies', async () => {
    const instance = python('import sys; sys.stdin.readline(); sys.exit(3)');
    await assert.rejects(ask(instance), { message: 'it ended with exit code 3' });
  });

  test('accepts an answer that is read after the program has exited', async () => {
    const instance = python(outlived(`print('{"id": 7, "verdict": "halt", "reason": "said at last"}')`));
    assert.equal(await ask(instance), 'halted: said at last');
  });

  test('defers changes after the program has exited, while its last answers are still read', async (t) => {
    const answer = 'print(json.dumps({"id": 7, "notes": {"pid": os.getpid()}}))';
    const instance = python(outlived(`${answer}\n    time.sleep(300)`));
    const answered = await ask(instance);
    assert.ok(typeof answered === 'object');
    t.after(() => process.kill(Number(answered.notes.answers?.['exec']?.['pid'])));
    await assert.rejects(ask(instance, changeNumber(8)), { code: 'DEFER' });
  });

  test('kills a process that hangs, and one that writes an endless line', async () => {
    const controller = new AbortController();
    const hanging = python('import sys, time\nsys.stdin.readline()\nsys.stderr.write("asked\\n")\ntime.sleep(300)');
    const asked = ask(hanging, change, { signal: controller.signal });
    controller.abort(new Error('it did not finish within 1 s'));
    await assert.rejects(asked, { message: 'it did not finish within 1 s' });
    const endless = python('import sys\nsys.stdin.readline()\nwhile True: sys.stdout.write("x" * 65536)');
    await assert.rejects(ask(endless), { message: 'it wrote a line of more than 1024 KiB, and was stopped' });
  });

  test('a program that hangs on one change only defers the others that it was asked about', async () => {
    const clock = new FakeClock();
    const command = ['python3', '-c', 'import sys; sys.stdin.readline(); sys.stdin.read()'];
    const instance = handler({ mode: 'lines', command }, clock);
    const codes = [1, 2, 3].map((id) => ask(instance, changeNumber(id)).then(() => 'passed', codeOf));
    await clock.advance(30_000);
    assert.deepEqual(await Promise.all(codes), [undefined, 'DEFER', 'DEFER']);
  });

  test('a slow program has its whole timeout for each of several pending changes', async (t) => {
    await using folder = await Workdir.make();
    const script = `
import sys, json, os, time
asked = [json.loads(sys.stdin.readline()) for _ in range(2)]
for request in asked:
    open("asked", "w").write("well\\n")
    while not os.path.exists(request["change"]["name"]): time.sleep(0.01)
    print(json.dumps({"id": request["id"]}), flush=True)
sys.stdin.readline()
`;
    const command = ['python3', '-c', script];
    const slow = configured(exec, { mode: 'lines', timeout: '10s', cwd: folder.path, command });
    const passed: Change[] = [];
    const chain = await startTestChain(t, { handlers: [slow, recording('sink', passed)], retry: { retries: 0 } });
    await chain.accept('shop/web', 'shop/api');
    await firstLine(folder, 'asked');
    for (const [n, name] of ['web', 'api'].entries()) {
      await chain.clock.advance(6_000);
      await folder.write(name, '');
      await until(`the answer about ${name}`, () => passed.length === n + 1);
    }
  });

  test('a program that cannot be killed, as one of another user, holds up no change for ever', async (t) => {
    const clock = new FakeClock();
    const command = ['python3', '-c', 'import sys; sys.stdin.readline(); sys.stdin.read()'];
    const instance = handler({ mode: 'lines', command }, clock);
    t.mock.method(process, 'kill', () => {
      throw Object.assign(new Error('not permitted'), { code: 'EPERM' });
    });
    const failed = assert.rejects(ask(instance), { message: 'it did not finish within 30 s' });
    await clock.advance(35_000);
    await failed;
    const deferred = assert.rejects(ask(instance), { code: 'DEFER', message: 'python3 has failed and does not end' });
    await clock.advance(5_000);
    await deferred;
  });

  test('stop() closes stdin and lets the program finish', async () => {
    await using folder = await Workdir.make();
    const script =
      'import sys, json, time\nfor line in sys.stdin: print(json.dumps({"id": json.loads(line)["id"]}), flush=True)\ntime.sleep(0.1)\nopen("ended", "w").write("well\\n")';
    // With a clock that stands still it has all the time it needs.
    const instance = handler({ mode: 'lines', cwd: folder.path, command: ['python3', '-c', script] }, new FakeClock());
    assert.equal(await ask(instance), change);
    await instance.stop?.();
    assert.equal(await firstLine(folder, 'ended'), 'well');
  });
});

describe("exec's options", () => {
  test('refuse a timeout of zero', () => {
    assert.match(problemsOf(exec, { command: ['true'], timeout: '0s' }).join(), /^timeout: must be at least "1ms"/);
  });

  test('refuse an empty command, a command that is not a list, and an invalid variable name', () => {
    assert.deepEqual(problemsOf(exec, { command: ['./x'] }), []);
    assert.equal(problemsOf(exec, { command: [] }).length, 1);
    assert.equal(problemsOf(exec, { command: './x' }).length, 1);
    assert.match(problemsOf(exec, { command: ['./x'], env: { 'A=B': 'c' } })[0] ?? '', /name of a variable/);
  });
});

/** The first line of a file that the program writes at some point. */
async function firstLine(folder: Workdir, name: string): Promise<string> {
  for (;;) {
    const text = await readFile(folder.file(name), 'utf8').catch(() => '');
    if (text.includes('\n')) return text.slice(0, text.indexOf('\n'));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Whether the process ends; a zombie counts as ended. */
async function isGone(pid: number): Promise<boolean> {
  for (;;) {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    if (status === undefined || status.includes(') Z ')) return true;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
