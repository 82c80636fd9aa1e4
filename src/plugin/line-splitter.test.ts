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
  test('returns all lines, even empty ones and an unterminated last one, however the chunks are cut', () => {
    const text = 'one\n\ntwo\nlast';
    assert.deepEqual(heard([text]), ['one', '', 'two', 'last']);
    assert.deepEqual(heard(text.split('')), ['one', '', 'two', 'last']);
  });

  test('joins a character that is split over two chunks', () => {
    const bytes = Buffer.from('é\n');
    assert.deepEqual(heard([bytes.subarray(0, 1), bytes.subarray(1)]), ['é']);
  });

  test('reports a line that is too long once, by its beginning, and continues with the next', () => {
    assert.deepEqual(heard(['0123456789', 'abc', 'def'.repeat(1_000), '\nnext\n']), ['[0123456789]', 'next']);
    assert.deepEqual(heard(['0123456789\n']), ['0123456789']);
  });
});
