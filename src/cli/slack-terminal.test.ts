import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { renderMessage, type Attachment } from './slack-terminal.ts';

const message: Attachment = {
  color: '#F39C12',
  author_name: 'watchchain',
  title: 'UPDATE deployment\nshop/web',
  text: '```replicas 1 -&gt; 3 · by kubectl\nspec.replicas: 1 -&gt; 3\n-old &amp; gone\n+new```',
  footer: 'demo',
};

describe('renderMessage()', () => {
  test('draws a plain message without ANSI escapes, and decodes the entities of Slack', () => {
    assert.deepEqual(renderMessage(message, { color: false, columns: 44 }), [
      '  ┃ UPDATE deployment',
      '  ┃ shop/web',
      '  ┃ ╭──────────────────────────────────────╮',
      '  ┃ │ replicas 1 -> 3 · by kubectl         │',
      '  ┃ │ spec.replicas: 1 -> 3                │',
      '  ┃ │ -old & gone                          │',
      '  ┃ │ +new                                 │',
      '  ┃ ╰──────────────────────────────────────╯',
      '  ┃ watchchain  ·  demo',
    ]);
  });

  test('draws the bar in the colour of the message, and removed and added lines in red and green', () => {
    const text = renderMessage(message, { color: true, columns: 80 }).join('\n');
    assert(text.includes('\x1b[38;5;214m┃\x1b[0m'));
    assert(text.includes('\x1b[31m-old & gone\x1b[0m') && text.includes('\x1b[32m+new\x1b[0m'));
  });

  test('is never wider than the terminal', () => {
    const text = `\`\`\`${'one two three '.repeat(20)}${'x'.repeat(100)}\`\`\``;
    for (const columns of [30, 61, 80]) {
      const lines = renderMessage({ ...message, text }, { color: false, columns });
      assert(lines.every((line) => Array.from(line).length <= columns));
    }
  });

  test('makes control characters visible', () => {
    const lines = renderMessage({ ...message, title: 'a\x1b[31mb', text: '' }, { color: false, columns: 80 });
    assert.equal(lines[0], '  ┃ a\\u001b[31mb');
  });
});
