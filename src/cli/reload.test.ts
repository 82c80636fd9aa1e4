import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from 'winston';
import type { Config } from '../config/config.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { logInto } from '../testing/log-into.ts';
import { reloadWhenChanged } from './reload.ts';

const CONFIG = { file: 'config.toml', warnings: ['left out: a'] as readonly string[] } as Config;

test('reloadWhenChanged() logs only the warnings that the version before did not have', async () => {
  const over = new AbortController();
  const warnings: unknown[] = [];
  const versions = [['left out: a', 'left out: b'], ['left out: b'], ['left out: a']];
  const reloading = reloadWhenChanged({
    app: { reload: async () => {}, reloadFailed: (problems) => assert.fail(problems.join()) },
    config: CONFIG,
    files: { haveChanged: () => Promise.resolve(versions.length > 0) },
    load: async () => ({ ...CONFIG, warnings: versions.shift() ?? [] }),
    clock: new FakeClock(),
    log: logInto(({ warning }) => warnings.push(warning)),
    signal: over.signal,
  });
  while (versions.length > 0) await reloading.whenCurrent();
  over.abort();
  await reloading.ended;
  assert.deepEqual(warnings, ['left out: b', 'left out: a']);
});

test('reloadWhenChanged() ends with its signal, even while a file is being loaded', { timeout: 20_000 }, async () => {
  const over = new AbortController();
  const refused: (readonly string[])[] = [];
  const { ended } = reloadWhenChanged({
    app: {
      reload: () => assert.fail('there is nothing to follow'),
      reloadFailed: (problems) => refused.push(problems),
    },
    config: CONFIG,
    files: { haveChanged: () => Promise.resolve(true) },
    load() {
      over.abort();
      return new Promise(() => {});
    },
    clock: new FakeClock(),
    log: createLogger({ silent: true }),
    signal: over.signal,
  });
  await ended;
  assert.deepEqual(refused, []);
});

test('reloadWhenChanged() retries a failed reload ever less often, and logs it once', { timeout: 20_000 }, async () => {
  const over = new AbortController();
  const clock = new FakeClock();
  const levels: string[] = [];
  const attempts: number[] = [];
  const reloading = reloadWhenChanged({
    app: {
      reload() {
        attempts.push(clock.monotonic() - begunAt);
        return attempts.length < 6 ? Promise.reject(new Error('no space is left')) : Promise.resolve();
      },
      reloadFailed() {},
    },
    config: CONFIG,
    files: { haveChanged: () => Promise.resolve(attempts.length === 0) },
    load: () => Promise.resolve(CONFIG),
    clock,
    log: logInto(({ level }) => levels.push(level)),
    signal: over.signal,
  });
  const begunAt = clock.monotonic();
  for (let minute = 0; minute < 60; minute++) {
    await reloading.whenCurrent();
    await clock.advance(60_000);
  }
  over.abort();
  await reloading.ended;
  assert.deepEqual(
    attempts.map((ms) => ms / 60_000),
    [0, 1, 3, 7, 15, 30],
  );
  assert.deepEqual(levels, ['error', ...Array.from({ length: 4 }, () => 'debug')]);
});
