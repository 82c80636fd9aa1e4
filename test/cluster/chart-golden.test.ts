/**
 * Helm's output for the values, as files in test/chart/golden to read and compare: for all but the first set, only the documents
 * that differ from the first's. `UPDATE_GOLDEN=1` writes them.
 */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { SETS } from './chart-sets.ts';
import { renderedText } from './helm.ts';

// Its rules and its dashboard are files already.
const { monitoring: _, ...shown } = SETS;
const GOLDEN = path.resolve(import.meta.dirname, '../chart/golden');
const update = process.env['UPDATE_GOLDEN'] === '1';

function documentsOf(text: string): readonly string[] {
  return text.split(/^---\n/m).filter((document) => document.trim() !== '');
}

const usual = documentsOf(await renderedText({}));

describe('the chart renders the files of test/chart/golden', () => {
  for (const [name, values] of Object.entries(shown)) {
    test(name, async () => {
      const own = documentsOf(await renderedText(values));
      const differing = name === 'default' ? own : own.filter((document) => !usual.includes(document));
      const text = differing.map((document) => `---\n${document.trimEnd()}\n`).join('');
      const file = path.join(GOLDEN, `${name}.yaml`);
      if (update) await writeFile(file, text);
      assert.equal(text, await readFile(file, 'utf8'), 'run it with UPDATE_GOLDEN=1, and look at what changes');
    });
  }

  test('there is no other file', async () => {
    const files = Object.keys(shown).map((name) => `${name}.yaml`);
    assert.deepEqual((await readdir(GOLDEN)).toSorted(), files.toSorted());
  });
});
