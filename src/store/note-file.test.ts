import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { temporaryFile } from '../testing/test-store.ts';
import { NoteFile } from './note-file.ts';

test('NoteFile reads what was written last, even if it is shorter or written by another instance', async (t) => {
  const file = await temporaryFile(t);
  const first = new NoteFile(file);
  assert.equal(first.read(), undefined, 'nothing yet');
  first.write({ ids: Array.from({ length: 100 }, (_, n) => n) });
  first.write({ ids: [1] });
  const second = new NoteFile(file);
  assert.deepEqual(second.read(), { ids: [1] });
  second.write({});
  assert.deepEqual(second.read(), {});
  assert.equal(statSync(file).mode & 0o777, 0o600);
  first.close();
  second.close();
});

test('NoteFile reads nothing from a file left incomplete by a power cut', async (t) => {
  const file = await temporaryFile(t);
  for (const left of ['', '\0'.repeat(4096), '{"ids":[1,', '{"ids":[1,\0\0']) {
    writeFileSync(file, left);
    const note = new NoteFile(file);
    assert.equal(note.read(), undefined, JSON.stringify(left.slice(0, 20)));
    note.close();
  }
});
