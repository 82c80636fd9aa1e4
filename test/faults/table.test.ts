import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

const HERE = import.meta.dirname;

/** A test's name, or a row of a table of tests, that begins with a number. */
const NUMBERED = /(?:test\(\s*['`]|row: |\[(?=\d+, '))(\d+)\b/g;

const read = (file: string): Promise<string> => readFile(path.join(HERE, file), 'utf8');

async function rows() {
  const table = (await read('README.md')).matchAll(/^\| (\d+) +\|.*\| \[[^\]]+\]\(([^)]+)\)(?:: _(.+)_)? +\|$/gm);
  return [...table].map(([, row, file, name]) => ({ row: Number(row), file: file ?? '', name }));
}

async function numbersIn(file: string): Promise<ReadonlySet<number>> {
  return new Set([...(await read(file)).matchAll(NUMBERED)].map(([, number]) => Number(number)));
}

/** All but this one. */
async function testFiles(): Promise<readonly string[]> {
  return (await readdir(HERE)).filter((name) => name.endsWith('.test.ts') && name !== 'table.test.ts');
}

test('test/faults/README.md: each row has tests of its number, or names another', async () => {
  const all = await rows();
  assert.ok(all.length > 40, `${all.length} rows`);
  for (const { row, file, name } of all) {
    if (name === undefined) assert.ok((await numbersIn(file)).has(row), `${file} has no test of row ${row}`);
    else assert.ok((await read(file)).includes(name), `${file} has no test "${name}"`);
  }
});

test('test/faults/README.md: each number of a test here is a row', async () => {
  const known = new Set((await rows()).map(({ row, file }) => `${file} ${row}`));
  for (const file of await testFiles()) {
    for (const number of await numbersIn(file))
      assert.ok(known.has(`${file} ${number}`), `${file} ${number} is no row`);
  }
});

/** About connections alone: no change is seen. */
const WITHOUT_CHANGES = new Set(['proxy.test.ts']);

test('test/faults: every test file checks that the counters of P8 balance', async () => {
  const files = (await testFiles()).filter((file) => !WITHOUT_CHANGES.has(file));
  for (const file of files) assert.match(await read(file), /assert(Folder)?Balanced\(/, file);
});
