import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from 'winston';
import type { Config } from '../config/config.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { reloadWhenChanged } from './reload.ts';

test('reloadWhenChanged() ends with the signal, whatever it is reading then', { timeout: 20_000 }, async () => {
  const over = new AbortController();
  const refused: (readonly string[])[] = [];
  const { ended } = reloadWhenChanged({
    app: {
      reload: () => assert.fail('there is nothing to follow'),
      reloadFailed: (problems) => refused.push(problems),
    },
    config: { file: 'config.toml' } as Config,
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
