import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const read = (path: string) => readFile(new URL(`../${path}`, import.meta.url), 'utf8');

test('docs/guarantees.md names tests that exist, for each of the nine promises', async () => {
  const promises = (await read('docs/guarantees.md')).split(/^## (?=P\d)/m).slice(1);
  assert.deepEqual(
    promises.map((promise) => promise.slice(0, 2)),
    ['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8', 'P9'],
  );
  for (const promise of promises) {
    const shown = [...promise.matchAll(/^- \[([^\]]+)\]\([^)]+\): [_*](.+)[_*]$/gm)];
    assert.ok(shown.length > 0, promise);
    for (const [, file = '', name = ''] of shown) {
      const source = await read(file);
      assert.ok(source.includes(name.replaceAll('\\', '')), `${file} has no test "${name}"`);
    }
  }
});
