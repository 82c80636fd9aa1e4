import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LineSplitter } from './line-splitter.ts';

/** The result for the chunks: lines, and in brackets the beginning of those that are too long. */
function heard(chunks: readonly (string | Buffer)[], maxBytes = 10): readonly string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter({
    maxBytes,
    onLine: (line) => lines.push(line),
    onTooLong: (beginning) => lines.push(`[${beginning}]`),
  });
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  splitter.end();
  return lines;
}

describe('LineSplitter', () => {
  test('gives lines however the chunks are cut, empty ones and the last one too', () => {
    const text = 'one\n\ntwo\nlast';
    assert.deepEqual(heard([text]), ['one', '', 'two', 'last']);
    assert.deepEqual(heard(text.split('')), ['one', '', 'two', 'last']);
  });

  test('keeps a character whose bytes come in two chunks', () => {
    const bytes = Buffer.from('é\n');
    assert.deepEqual(heard([bytes.subarray(0, 1), bytes.subarray(1)]), ['é']);
  });

  test('tells of a line that is too long once, holds no more of it, and goes on with the next', () => {
    assert.deepEqual(heard(['0123456789', 'abc', 'def'.repeat(1_000), '\nnext\n']), ['[0123456789]', 'next']);
    assert.deepEqual(heard(['0123456789\n']), ['0123456789']);
  });
});
