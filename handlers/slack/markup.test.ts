import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { scopeOf } from '../../src/template/scope.ts';
import { changeOf } from '../../src/testing/change.ts';
import { compileMarkup } from './markup.ts';

/** The template rendered for a ConfigMap with this annotation `note`. */
function shown(source: string, note: string, max = 40_000): string {
  const metadata = { name: 'settings', namespace: 'shop', annotations: { note } };
  const scope = scopeOf(changeOf({ after: { apiVersion: 'v1', kind: 'ConfigMap', metadata } }));
  return compileMarkup(source, 'message', max)(scope);
}

const NOTE = '{{ change.object.metadata.annotations.note }}';

describe('compileMarkup()', () => {
  for (const own of [
    '<!here>',
    '<!subteam^S012>',
    '<@U012>',
    '<#C012>',
    '<https://x.example/a?b={c}|a b>',
    '<mailto:ops@shop.example|mail>',
  ]) {
    test(`${own} in the template is kept`, () => {
      assert.equal(shown(`${own} ${NOTE}`, 'a & b'), `${own} a &amp; b`);
      assert.equal(shown(own, ''), own);
    });
  }

  test('values may be part of the link and the mention of a template', () => {
    assert.equal(
      shown(
        '<https://x.example/?ns={{ change.namespace | url_encode }}|{{ change.name }}> <@{{ change.namespace }}>',
        '',
      ),
      '<https://x.example/?ns=shop|settings> <@shop>',
    );
  });

  test('values from the cluster cannot make or end a link or a mention', () => {
    for (const [note, safe] of [
      ['<!channel> <https://evil.example|safe>', '&lt;!channel&gt; &lt;https://evil.example|safe&gt;'],
      ['x -> y> <!here>', 'x -&gt; y&gt; &lt;!here&gt;'],
    ] as const) {
      assert.equal(shown(`<!here> ${NOTE}`, note), `<!here> ${safe}`);
      assert.equal(shown(`<https://x.example|${NOTE}>`, note), `<https://x.example|${safe}>`);
    }
  });

  test('markup in a branch of a tag is kept; conditions and arguments of filters are not markup', () => {
    const source = `{% if change.action == 'added' and change.name != '<!x>' %}<!channel> {% endif %}{{ change.name | prepend: '<!y>' }}`;
    assert.equal(shown(source, ''), '<!channel> &lt;!y&gt;settings');
  });

  test('a line of Windows ends as any other; a carriage return elsewhere is made visible', () => {
    assert.equal(shown(NOTE, 'one\r\n\r\ntwo\rthree'), 'one\n\ntwo\\rthree');
    assert.equal(shown(`<!here> ${NOTE}`, 'one\r\ntwo'), '<!here> one\ntwo');
  });

  test('any other bracket is escaped', () => {
    assert.equal(shown('1 < 2 > 0 <b> <!here', ''), '1 &lt; 2 &gt; 0 &lt;b&gt; &lt;!here');
  });

  test('a text that is too long is cut, and contains no partial link', () => {
    const long = shown(`<https://x.example|${NOTE}>`, 'x'.repeat(200), 100);
    assert.match(long, /^x+… \d+ more characters$/);
    assert.ok(long.length <= 100);
  });

  test('a text that is cut keeps its links, and whoever its end would have notified is notified', () => {
    const source = `<https://x.example|log> <!here>: ${NOTE} <https://y.example|more> cc <@U1> <!here>`;
    for (let length = 150; length < 260; length++) {
      const text = shown(source, '&'.repeat(length), 300);
      assert.match(text, /^<https:\/\/x\.example\|log> <!here>: (?:&amp;)+… \d+ more characters <@U1>$/);
      assert.ok(text.length <= 300, text);
      const cut = Number(/(\d+) more/.exec(text)?.[1]);
      assert.equal(text.split('&').length - 1 + cut, length + ' more cc  '.length);
    }
  });

  test('a code block that is cut is closed, with the count inside', () => {
    const source = `<!here>\n\`\`\`${NOTE}\`\`\` <@U1>`;
    const lines = Array.from({ length: 40 }, (_, n) => `line ${n}`).join('\n');
    assert.match(shown(source, lines, 200), /^<!here>\n```line 0\n[^`<]+\n… \d+ more lines``` <@U1>$/);
    assert.match(shown(`\`\`\`${NOTE}\`\`\``, lines, 200), /^```line 0\n[^`<]+\n… \d+ more lines```$/);
  });
});
