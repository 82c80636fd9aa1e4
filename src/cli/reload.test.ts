import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from 'winston';
import type { Config } from '../config/config.ts';
import { reloadWhenChanged } from './reload.ts';

test('reloadWhenChanged() ends with the signal, whatever it is reading then', { timeout: 20_000 }, async () => {
  const over = new AbortController();
  const refused: (readonly string[])[] = [];
  await reloadWhenChanged({
    app: {
      reload: () => assert.fail('there is nothing to follow'),
      reloadFailed: (problems) => refused.push(problems),
    },
    config: { file: 'config.toml' } as Config,
    files: { changed: async (signal) => signal.throwIfAborted() },
    load() {
      over.abort();
      return new Promise(() => {});
    },
    log: createLogger({ silent: true }),
    signal: over.signal,
  });
  assert.deepEqual(refused, []);
});
