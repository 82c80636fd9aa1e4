import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import type { SinkInstance } from '../../src/chain/handler.ts';
import type { Logger } from '../../src/log.ts';
import { changeOf } from '../../src/testing/change.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { problemsOf, testContext, testEnvironment } from '../../src/testing/handler.ts';
import { logInto } from '../../src/testing/log-into.ts';
import { Workdir } from '../../test/e2e/program.ts';
import file from './index.ts';

const MB = 1024 * 1024;

async function sinkOn(options: object, clock = new FakeClock(), log?: Logger): Promise<SinkInstance> {
  assert.equal(file.type, 'sink');
  const environment = testEnvironment({ clock, ...(log === undefined ? {} : { log }) });
  const sink = file.create(file.options.parse(options), environment);
  await sink.start?.();
  return sink;
}

const layout = '{{ change.name }}';
const named = (name: string) => changeOf({ after: { kind: 'Pod', metadata: { name } } });
const write = (sink: SinkInstance, ...names: string[]) =>
  Promise.all(names.map((name) => sink.deliver(named(name), testContext())));

/** The lines of a file, which must be whole. */
async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8');
  if (text === '') return [];
  assert.ok(text.endsWith('\n'), 'the last line is whole');
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as string);
}

describe('file', () => {
  test('appends a line per change, in order, across a restart', async () => {
    await using folder = await Workdir.make();
    const path = folder.file('changes.jsonl');
    const first = await sinkOn({ path, layout });
    await write(first, 'a', 'b', 'c');
    await first.stop?.();
    const second = await sinkOn({ path, layout });
    await write(second, 'd');
    await second.stop?.();
    assert.deepEqual(await linesOf(path), ['a', 'b', 'c', 'd']);
    assert.equal((await stat(path)).mode & 0o777, 0o640);
  });

  test('a partial line left by a crash does not corrupt the next one', async () => {
    await using folder = await Workdir.make();
    const path = folder.file('changes.jsonl');
    await writeFile(path, '"a"\n"hal');
    const sink = await sinkOn({ path, layout });
    await write(sink, 'b');
    await write(sink, 'c');
    assert.equal(await readFile(path, 'utf8'), '"a"\n"hal\n"b"\n"c"\n');
    await rename(path, folder.file('aside'));
    await writeFile(path, '"ha');
    await write(sink, 'd');
    await sink.stop?.();
    assert.equal(await readFile(path, 'utf8'), '"ha\n"d"\n');
  });

  test('without a layout a line is the whole change', async () => {
    await using folder = await Workdir.make();
    const sink = await sinkOn({ path: folder.file('x'), fsync: true });
    await write(sink, 'web');
    await sink.stop?.();
    const { key, after: manifest } = JSON.parse(await readFile(folder.file('x'), 'utf8')) as Record<string, unknown>;
    assert.deepEqual([key, manifest], ['web', { kind: 'Pod', metadata: { name: 'web' } }]);
  });

  test('rotates the file before it exceeds maxSize, and keeps maxBackups backups', async () => {
    await using folder = await Workdir.make();
    const path = folder.file('changes.jsonl');
    const clock = new FakeClock();
    // `"01"` and a newline are 5 bytes: 3 lines fit into 16.
    const sink = await sinkOn({ path, layout, maxSize: 16 / MB, maxBackups: 2 }, clock);
    for (let n = 10; n < 22; n++) {
      await write(sink, String(n));
      await clock.advance(1000);
    }
    await sink.stop?.();
    const names = (await readdir(folder.path)).toSorted();
    assert.equal(names.length, 3);
    assert.match(names[0] ?? '', /^changes-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.jsonl$/);
    assert.deepEqual(await Promise.all(names.map((name) => linesOf(join(folder.path, name)))), [
      ['13', '14', '15'],
      ['16', '17', '18'],
      ['19', '20', '21'],
    ]);
  });

  test('keeps one file open, however many times it has rotated', { skip: process.platform !== 'linux' }, async () => {
    await using folder = await Workdir.make();
    const path = folder.file('changes.jsonl');
    const sink = await sinkOn({ path, layout, maxSize: 10 / MB });
    await write(sink, 'aaaaaa', 'bbbbbb', 'cccccc');
    const opened = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
    assert.deepEqual(
      (await Promise.all(opened)).filter((target) => target.startsWith(dirname(path))),
      [path],
    );
    await sink.stop?.();
  });

  test('concurrent lines are rotated too, and a line longer than maxSize gets its own file', async () => {
    await using folder = await Workdir.make();
    const sink = await sinkOn({ path: folder.file('x'), layout, maxSize: 16 / MB, maxBackups: 0 });
    const long = 'x'.repeat(100);
    await write(sink, '10', '11', '12', '13', long, '14');
    await sink.stop?.();
    const files = await Promise.all((await readdir(folder.path)).map((name) => linesOf(folder.file(name))));
    assert.deepEqual(files.flat().toSorted(), ['10', '11', '12', '13', '14', long]);
    assert.ok(files.every((lines) => lines.length <= 3));
    assert.ok(files.some((lines) => lines.length === 1 && lines[0] === long));
  });

  test('keeps writing when rotation fails, logs it, and tries again later', async () => {
    await using folder = await Workdir.make();
    const clock = new FakeClock();
    const said: string[] = [];
    const log = logInto(({ message }) => said.push(message));
    // The time makes the name longer than a file name may be.
    const path = folder.file(`${'x'.repeat(240)}.jsonl`);
    const size = 20 / MB;
    const sink = await sinkOn({ path, layout, maxSize: size }, clock, log);
    const names = Array.from({ length: 12 }, (_, n) => `pod-${n}`);
    for (const name of names) await write(sink, name);
    assert.deepEqual(await linesOf(path), names);
    assert.deepEqual(said, [
      'Cannot rotate a full file, so it keeps growing: allow renaming in its folder, or set maxSize = 0',
    ]);
    await clock.advance(60_000);
    await write(sink, 'later');
    await sink.stop?.();
    assert.equal(said.length, 2);
  });

  test('two sinks that rotate the same file lose no line', async () => {
    await using folder = await Workdir.make();
    const clock = new FakeClock();
    const limits = { path: folder.file('x'), layout, maxSize: 4 / MB, maxBackups: 0 };
    const sinks = [await sinkOn(limits, clock), await sinkOn(limits, clock)];
    const names = Array.from({ length: 20 }, (_, n) => String(n));
    for (const name of names) {
      await Promise.all(sinks.map((sink) => write(sink, name)));
      await clock.advance(1000);
    }
    for (const sink of sinks) await sink.stop?.();
    const files = await Promise.all((await readdir(folder.path)).map((name) => linesOf(folder.file(name))));
    assert.deepEqual(files.flat().toSorted(), [...names, ...names].toSorted());
  });

  test('removes backups older than maxAge at the start, and no other files', async () => {
    await using folder = await Workdir.make();
    const clock = new FakeClock();
    const at = (days: number) => new Date(clock.now() - days * 86_400_000).toISOString().replaceAll(':', '-');
    const others = ['x-notes.jsonl', 'x-2020.jsonl', `y-${at(99)}.jsonl`, `x-${at(99)}.txt`];
    for (const name of [...others, `x-${at(8)}.jsonl`, `x-${at(6)}.jsonl`]) await folder.write(name, '');
    const sink = await sinkOn({ path: folder.file('x.jsonl'), maxAge: 7 }, clock);
    await sink.stop?.();
    assert.deepEqual((await readdir(folder.path)).toSorted(), ['x.jsonl', `x-${at(6)}.jsonl`, ...others].toSorted());
  });

  test('removes expired backups while it runs, too, before the file is full', async () => {
    await using folder = await Workdir.make();
    const clock = new FakeClock();
    const at = (ms: number) => new Date(ms).toISOString().replaceAll(':', '-');
    await folder.write(`x-${at(clock.now())}.jsonl`, '');
    const sink = await sinkOn({ path: folder.file('x.jsonl'), maxAge: 7 }, clock);
    await clock.advance(6 * 86_400_000);
    await write(sink, 'a');
    assert.equal((await readdir(folder.path)).length, 2);
    await clock.advance(2 * 86_400_000);
    await write(sink, 'b');
    await sink.stop?.();
    assert.deepEqual(await readdir(folder.path), ['x.jsonl']);
  });

  test('keeps the files rotated since the clock was set back, and removes the others first', async () => {
    await using workdir = await Workdir.make();
    const clock = new FakeClock();
    const sink = await sinkOn(
      { path: workdir.file('c.jsonl'), maxSize: 60 / MB, maxBackups: 2, layout: '{{ change.name }}' },
      clock,
    );
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await sink.deliver(changeOf({ after: { kind: 'X', metadata: { name: name.repeat(50) } } }), testContext());
      await clock.advance(3_600_000);
      if (name === 'c') clock.set(-24 * 3_600_000);
    }
    await sink.stop?.();
    const texts = await Promise.all((await readdir(workdir.path)).map((name) => readFile(workdir.file(name), 'utf8')));
    assert.deepEqual(new Set(texts.map((text) => text[1])), new Set(['d', 'e', 'f']));
  });

  test('notices that the file was renamed, truncated or removed, as by logrotate, before the next line', async () => {
    await using folder = await Workdir.make();
    const path = folder.file('x');
    const sink = await sinkOn({ path, layout });
    await write(sink, 'a');
    await rename(path, folder.file('x.1'));
    await write(sink, 'b');
    await truncate(path, 0);
    await write(sink, 'c');
    await rm(path);
    await write(sink, 'd');
    await rename(path, folder.file('x.2'));
    await writeFile(path, '');
    await write(sink, 'e');
    await appendFile(path, '"theirs"\n');
    await write(sink, 'f');
    await sink.stop?.();
    assert.deepEqual(await linesOf(folder.file('x.1')), ['a']);
    assert.deepEqual(await linesOf(folder.file('x.2')), ['d']);
    assert.deepEqual(await linesOf(path), ['e', 'theirs', 'f']);
  });

  test('a delivery aborted while another is being written is rejected and not written', async () => {
    await using folder = await Workdir.make();
    const sink = await sinkOn({ path: folder.file('x'), layout });
    const abort = new AbortController();
    const first = write(sink, 'a');
    const second = sink.deliver(named('b'), testContext({ signal: abort.signal }));
    abort.abort(new Error('stopping'));
    await assert.rejects(second, { message: 'stopping' });
    await first;
    await sink.stop?.();
    assert.deepEqual(await linesOf(folder.file('x')), ['a']);
  });

  for (const [what, make, reason] of [
    [
      'whose folder does not exist',
      (path: string) => join(path, 'none', 'x'),
      /none\/x: its folder does not exist; create it/,
    ],
    ['that is a folder', (path: string) => path, /it is a folder; choose a file in it/],
    [
      'that is a device',
      () => '/dev/null',
      /\/dev\/null: it is not a regular file; for stdout use the handler "stdout"/,
    ],
  ] as const) {
    test(`start() rejects a path ${what}, with the remedy`, async () => {
      await using folder = await Workdir.make();
      await assert.rejects(sinkOn({ path: make(folder.path) }), { message: reason });
    });
  }

  test('start() rejects a named pipe without a reader instead of hanging', async () => {
    await using folder = await Workdir.make();
    execFileSync('mkfifo', [folder.file('pipe')]);
    await assert.rejects(sinkOn({ path: folder.file('pipe') }), { message: /it is not a regular file/ });
  });

  test('defers while the folder is missing, and writes once it is back', async () => {
    await using folder = await Workdir.make();
    await mkdir(folder.file('logs'));
    const sink = await sinkOn({ path: folder.file('logs/x'), layout });
    await rm(folder.file('logs'), { recursive: true });
    await assert.rejects(write(sink, 'a'), { code: 'DEFER', message: /its folder does not exist/ });
    await mkdir(folder.file('logs'));
    await write(sink, 'a');
    await sink.stop?.();
    assert.deepEqual(await linesOf(folder.file('logs/x')), ['a']);
  });

  test('refuses an empty path and invalid sizes and counts', () => {
    assert.deepEqual(
      problemsOf(file, { path: '', maxSize: -1, maxBackups: 1.5 }).map((problem) => problem.split(':')[0]),
      ['path', 'maxSize', 'maxBackups'],
    );
  });
});

/** A volume of 64 KB; undefined if we may not mount one. */
function smallVolume(path: string): (Disposable & { grow(): void }) | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return {
    grow: () => void execFileSync('mount', ['-o', 'remount,size=1m', path]),
    [Symbol.dispose]: () => void execFileSync('umount', [path]),
  };
}

test('file removes a partial line on a full volume, defers, and goes on once there is space', async (t) => {
  await using folder = await Workdir.make();
  await mkdir(folder.file('volume'));
  using volume = smallVolume(folder.file('volume'));
  if (volume === undefined) return t.skip('we may not mount a volume here');
  const path = folder.file('volume/x');
  const sink = await sinkOn({ path, layout });
  await write(sink, 'a');
  const big = 'b'.repeat(100_000);
  await assert.rejects(write(sink, big), { code: 'DEFER', message: /no space is left on its volume; make room/ });
  assert.deepEqual(await linesOf(path), ['a'], 'no partial line');
  await write(sink, 'c');
  volume.grow();
  await write(sink, big);
  await sink.stop?.();
  assert.deepEqual(await linesOf(path), ['a', 'c', big]);
});
