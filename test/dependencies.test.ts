import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

test('docs/dependencies.md gives a reason for every runtime dependency, and for no other', async () => {
  const read = (path: string) => readFile(new URL(`../${path}`, import.meta.url), 'utf8');
  const { dependencies } = JSON.parse(await read('package.json')) as { dependencies: Record<string, string> };
  const rows = (await read('docs/dependencies.md')).matchAll(/^\| `([^`]+)` +\|/gm);
  const explained = new Set(rows.map(([, name]) => name));
  assert.deepEqual(explained, new Set(Object.keys(dependencies)));
});
