import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeBlock, escapeText } from './text.ts';

const inside = (block: string) => {
  assert.ok(block.startsWith('```') && block.endsWith('```'), block);
  return block.slice(3, -3);
};

describe('harmless()', () => {
  test('escapes mentions, links and entities', () => {
    assert.equal(escapeText('<!channel> <https://x|y> &lt;'), '&lt;!channel&gt; &lt;https://x|y&gt; &amp;lt;');
  });

  test('escapes control and bidirectional characters, but keeps newlines and tabs', () => {
    assert.equal(escapeText('a\u001b[31m\r\n\tb\u202e'), 'a\\u001b[31m\\r\n\tb\\u202e');
  });
});

test('half of a surrogate pair, as in a note that a handler cut inside an emoji, is escaped', () => {
  assert.equal(escapeText('a\ud83d b\ude00 😀'), String.raw`a\ud83d b\ude00 😀`);
});

describe('codeBlock()', () => {
  test('27 counts code points: text that just fits is not cut', () => {
    assert.equal(codeBlock('我想玩电脑', 11), '```我想玩电脑```');
    const emoji = '😀'.repeat(94);
    assert.equal(codeBlock(emoji, 100), `\`\`\`${emoji}\`\`\``);
  });

  test('27 cuts at a line and says how many are missing', () => {
    const lines = Array.from({ length: 30 }, (_, i) => `line ${i}`);
    const text = inside(codeBlock(lines.join('\n'), 120));
    const shown = text.split('\n');
    const note = shown.pop();
    assert.deepEqual(shown, lines.slice(0, shown.length));
    assert.equal(note, `… ${30 - shown.length} more lines`);
  });

  test('27 adds the lines that were left out before to the count', () => {
    const lines = [...Array.from({ length: 200 }, (_, i) => `+line ${i}`), '… 600 more lines'];
    const shown = inside(codeBlock(lines.join('\n'), 120)).split('\n');
    assert.equal(shown.pop(), `… ${800 - shown.length} more lines`);
  });

  test('27 cuts a single long line at a character and says how many are missing', () => {
    const text = inside(codeBlock('我'.repeat(1_500_000), 100));
    assert.match(text, /^我+… 1,499,938 more characters$/);
    assert.equal(text.split('我').length - 1, 62);
  });

  test('never splits an entity or a surrogate pair and stays within the limit, wherever the cut falls', () => {
    for (let pad = 0; pad < 12; pad++) {
      for (const unit of ['&', '<', '😀']) {
        const block = codeBlock('x'.repeat(pad) + unit.repeat(200), 100);
        assert.ok(Array.from(block).length <= 100);
        assert.doesNotMatch(block, /&(?!amp;|lt;|gt;)|\p{Surrogate}/u);
        assert.match(block, /… \d+ more characters```$/);
      }
    }
  });

  test('27 backticks cannot end the block', () => {
    assert.equal(inside(codeBlock('```\n*bold* `x`', 100)), 'ˋˋˋ\n*bold* ˋxˋ');
  });

  test('control characters are counted as they are shown', () => {
    assert.match(codeBlock('\u0001'.repeat(40), 100), /^```(\\u0001){10}\\u… 178 more characters```$/);
  });

  test('the limit counts what escaping adds', () => {
    assert.equal(codeBlock('&'.repeat(18), 96), `\`\`\`${'&amp;'.repeat(18)}\`\`\``);
    assert.match(codeBlock('&'.repeat(19), 96), /^```(&amp;){11}… 8 more characters```$/);
  });
});
