import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change, Manifest } from '../../src/change.ts';
import { isHalt, type HandlerContext, type HandlerEnvironment } from '../../src/chain/handler.ts';
import type { Json } from '../../src/json.ts';
import { parseManifest } from '../../src/parse-json.ts';
import diff from './index.ts';
import type { DiffNote } from './note.ts';
import { formatField } from './text.ts';
import { haltOn, linesOn, named, noteOn, verdictOn, type Fields } from '../../src/testing/test-diff.ts';

describe('diff handles', () => {
  const parsed = (text: string) => parseManifest(Buffer.from(text)) as Fields;

  test('integers beyond 2^53: they are compared and printed exactly', () => {
    const id = (digits: string) => parsed(`{"metadata":{"name":"x"},"spec":{"id":${digits},"ids":[${digits}]}}`);
    const [first, second] = ['12345678901234567890', '12345678901234567891'];
    assert.equal(haltOn(id(first), id(first)), 'no difference');
    const note = noteOn(id(first), id(second));
    assert.equal(formatField(note.fields[0] as DiffNote['fields'][0]), `spec.id: ${first} -> ${second}`);
    assert.ok(JSON.stringify(note.patch).includes(`{"op":"replace","path":"/spec/id","value":${second}}`));
    assert.equal(
      formatField(noteOn(id('5'), id(second)).fields[0] as DiffNote['fields'][0]),
      `spec.id: 5 -> ${second}`,
    );
  });

  test('keys such as __proto__ and constructor: they are data', () => {
    const before = parsed('{"metadata":{"name":"x"},"spec":{"a":1}}');
    const after = parsed(
      '{"metadata":{"name":"x"},"spec":{"a":1,"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"b":2}},"toString":1}}',
    );
    const note = noteOn(before, after);
    assert.deepEqual(
      note.fields.map(({ path }) => path),
      ['spec.__proto__.polluted', 'spec.constructor', 'spec.toString'],
    );
    assert.ok(note.patch.length >= 3 && note.unified === '' && note.headline !== '');
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    assert.equal(haltOn(after, after), 'no difference');
  });

  test('a field whose type changed', () => {
    assert.deepEqual(linesOn(named({ spec: { a: 'text' } }), named({ spec: { a: { b: 1 } } })), [
      'spec.a: text -> {b: 1}',
    ]);
    assert.deepEqual(linesOn(named({ spec: { a: [1] } }), named({ spec: { a: { b: 1 } } })), ['spec.a: [1] -> {b: 1}']);
    assert.deepEqual(linesOn(named({ spec: 'x' }), named({ spec: ['x'] }), { only: ['spec'] }), ['spec: x -> [x]']);
    const tag = (value: Json) => named({ spec: { values: { tag: value } } });
    assert.deepEqual(linesOn(tag('1.10'), tag(1.1)), ['spec.values.tag: "1.10" -> 1.1']);
    assert.deepEqual(linesOn(tag(true), tag('false')), ['spec.values.tag: true -> "false"']);
    assert.deepEqual(linesOn(tag(8080), tag('http')), ['spec.values.tag: 8080 -> http']);
  });

  test('nesting of 20,000 levels', () => {
    const nested = (leaf: number) => {
      let value: Json = leaf;
      for (let level = 0; level < 20_000; level++) value = level % 2 === 0 ? [value] : { a: value };
      return value;
    };
    // Not through the test's handler, which freezes the change recursively.
    const instance = diff.type === 'transform' && diff.create(diff.options.parse({}), {} as HandlerEnvironment);
    assert.ok(instance);
    const { change } = verdictOn(named(), named());
    const before = named({ spec: nested(1) }) as unknown as Manifest;
    const differ = instance.handle(
      { ...change, before, after: named({ spec: nested(2) }) as unknown as Manifest },
      {} as HandlerContext,
    ) as Change;
    const same = instance.handle(
      { ...change, before, after: named({ spec: nested(1) }) as unknown as Manifest },
      {} as HandlerContext,
    );
    assert.ok(isHalt(same));
    const note = differ.notes.diff;
    assert.equal(note?.fields.length, 1);
    assert.ok(note.headline.length < 300 && note.unified !== undefined && note.patch.length === 1);
  });

  test('a difference far down in a long text is found, and its line numbers are right', () => {
    const text = (...end: string[]): string =>
      [...Array.from({ length: 30_000 }, (_, n) => `line ${n + 1}`), ...end, 'last'].join('\n');
    const unified = (before: string, after: string) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } })).unified;
    const context = ' line 29998\n line 29999\n line 30000\n';
    assert.ok(unified(text('a'), text('b')).endsWith(`@@ -29998,5 +29998,5 @@\n${context}-a\n+b\n last\n`));
    assert.ok(unified(text(), text('b')).endsWith(`@@ -29998,4 +29998,5 @@\n${context}+b\n last\n`));
    const block = (word: string) => text(...Array.from({ length: 500 }, (_, n) => `${word} ${n}`));
    assert.match(unified(block('a'), block('b')), /\n@@ -30001,500 \+30001,500 @@\n-a 0\n/);
  });

  test('JSON on one line is compared field by field, as far as it differs in more than blanks', () => {
    const panels = (...titles: string[]): string =>
      JSON.stringify({ panels: titles.map((title) => ({ title, expr: 'sum(x{job="a,b"}) by (job)', links: [] })) });
    const many = Array.from({ length: 20 }, (_, n) => `p${n}`);
    const note = (before: string, after: string) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } }));
    const edited = note(panels(...many, 'old', 'z'), `${panels(...many, 'new', 'z')}\n`);
    assert.equal(edited.headline, 'data.t changed');
    assert.deepEqual(
      edited.fields.map((field) => formatField(field)),
      ['data.t: (JSON on one line), changed'],
    );
    assert.match(
      edited.unified,
      /\n {7}"links":\[\]\n {5}\},\n {5}\{\n-      "title":"old",\n\+      "title":"new",\n {7}"expr":"sum\(x\{job=\\"a,b\\"\}\) by \(job\)",\n/,
    );
    assert.match(edited.unified, /\n… they differ in the final newline\n$/);
    assert.match(note(panels(...many), panels(...many, 'added')).unified, /\n\+ {6}"title":"added",\n/);
    const spaced = note(panels(...many), panels(...many).replace('{', '{ ')).unified;
    assert.match(spaced, /\n-\{"panels".*\n\+\{ "panels"/);
    const broken = (end: string): string => `{]]"${'x'.repeat(500)}"${end}}`;
    assert.match(note(broken('a'), broken('b')).unified, /\n-\]?"?.*a\n\+.*b\n/);
  });

  test('what only looks like JSON on one line: its cost grows with its length, no faster', () => {
    const unified = (before: string, after: string) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } })).unified;
    const endless = (end: string): string => `{"${'\\",'.repeat(400_000)}${end}}`;
    assert.match(unified(endless('a'), endless('b')), /\n \{\n-….*,a\}… \(1200005 characters\)\n\+….*,b\}… /);
    const words = (end: string): string => `{${'a '.repeat(100_000)}${end}}`;
    assert.match(unified(words('a'), words('b')), /\n-…a a.* a… \(200003 characters\)\n\+…a a.* a b… /);
  });

  test('differences that no line shows, such as a final newline: a note mentions them, next to other differences too', () => {
    const unified = (before: Json, after: Json) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } })).unified;
    assert.match(unified('a=1\nb=2\n', 'a=1\nb=2'), /^\+\+\+ data\.t\n… they differ in the final newline\n$/m);
    assert.match(unified('a=1\nb=2\n', 'a=0\nb=2'), /\n-a=1\n\+a=0\n b=2\n… they differ in the final newline\n$/);
    assert.match(unified('a=1\nb=2\n', ''), /\n-a=1\n-b=2\n\+\n$/);
    assert.match(unified('a: 1\nb: 1\n', { a: 1, b: 1 }), /\n… they differ beyond what is shown\n$/);
    const long = (ends: string) => `${ends}\n${'x\n'.repeat(20_000)}${ends}\n`;
    assert.match(unified(long('a'), long('b')), /\n-a\n\+b\n(?: x\n){3}… beyond 20,000 lines nothing is compared\n$/);
  });

  test('a line pushed beyond the limit of 20,000 lines on one side: it is neither added nor removed', () => {
    const text = (...others: readonly string[]) =>
      [...others, ...Array.from({ length: 21_000 }, (_, n) => `line ${n}`)].join('\n');
    const unified = (before: string, after: string) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } })).unified;
    const rest = ' line 0\n line 1\n line 2\n… beyond 20,000 lines nothing is compared\n';
    assert.ok(unified(text(), text('new')).endsWith(`\n@@ -1,3 +1,4 @@\n+new\n${rest}`));
    assert.ok(unified(text('old'), text()).endsWith(`\n@@ -1,4 +1,3 @@\n-old\n${rest}`));
    const short = text().split('\n').slice(0, 19_998).join('\n');
    const grown = unified(`old\n${short}`, `now\n${short}\nnew\nnewer`);
    assert.match(grown, /\n line 19997\n\+new\n… beyond/);
  });

  test('an overlong line: it is shown from its first difference on, next to another difference too', () => {
    const text = (first: string, mark: string) => `${first}\n${'x\n'.repeat(20)}${'y'.repeat(1_200)}${mark}`;
    const { unified } = noteOn(named({ data: { t: text('a', 'A') } }), named({ data: { t: text('b', 'B') } }));
    assert.match(unified, /\n-a\n\+b\n(?: x\n){3}@@ [^@]+ @@\n(?: x\n){3}-…y+A… \(1201 characters\)\n\+…y+B… \(1201 /);
  });

  test('an overlong line of base64: only some characters from its first difference on are shown', () => {
    const bundle = (end: string) => named({ spec: { caBundle: `${'QUJD'.repeat(400)}${end.repeat(400)}` } });
    const { unified } = noteOn(bundle('REVG'), bundle('R0hJ'));
    const line = (start: string) => `…\\w{39}${start}\\w{37}… \\(3200 characters\\)\n`;
    assert.match(unified, new RegExp(`\n-${line('REVG')}\\+${line('R0hJ')}$`));
  });

  test('a long text that differs in most lines: only lines that differ are shown', () => {
    const text = (word: string) =>
      Array.from({ length: 1_000 }, (_, n) => (n < 300 || n === 999 ? `same ${n}` : `${word} ${n}`)).join('\n');
    const { unified } = noteOn(named({ data: { t: text('old') } }), named({ data: { t: text('new') } }));
    assert.match(unified, /\n@@ -301,699 \+301,699 @@\n-old 300\n/);
    assert.match(unified, /\n… 499 more lines\n\+new 300\n/);
    assert.doesNotMatch(unified, /same/);
  });

  test('lines that differ only in trailing blanks or tabs: the difference is escaped', () => {
    const unified = (before: string, after: string) =>
      noteOn(named({ data: { t: before } }), named({ data: { t: after } })).unified;
    assert.match(unified('a: 1\nb: 2\n', 'a: 1 \nb: 2\n'), /\n-a: 1\n\+a: 1\\u0020\n b: 2\n/);
    assert.match(unified('a:\n\tb\n', 'a:\n        b\n'), /\n-\\tb\n\+ {8}b\n/);
    assert.match(unified('a:\n\tb \n', 'a:\n\tc \n'), /\n-\tb \n\+\tc \n/);
  });

  test('a long run of blanks that differ: its cost grows with its length, no faster', () => {
    const blanks = ' '.repeat(400_000);
    const texts = [`a\t${blanks}x\u200b`, `a${blanks}\tx`].map((t) => named({ data: { t } }));
    assert.match(noteOn(texts[0] ?? {}, texts[1] ?? {}).unified, /\n-a\\t {900}/);
  });

  test('cuts at any length without splitting a character', () => {
    for (const room of Array.from({ length: 12 }, (_, n) => n)) {
      const [short, long] = ['x'.repeat(room), 'x'.repeat(990 + room)];
      const { unified } = noteOn(
        named({ data: { t: 'a\nb' } }),
        named({ data: { t: `a\n${long}${'😀'.repeat(30)}` } }),
      );
      const same = `${'😀'.repeat(300)}${short}`;
      const { fields } = noteOn(named({ data: { t: `${same}y` } }), named({ data: { t: `${same}z` } }));
      assert.ok(
        [unified, ...fields.map((field) => formatField(field))].every((text) => text.isWellFormed()),
        short,
      );
    }
  });

  test('a thousand annotations and a huge text without a huge message', () => {
    const annotations = (value: string) =>
      Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`example.com/a${n}`, value]));
    const text = (step: number) => Array.from({ length: 40_000 }, (_, n) => `line ${(n * step) % 7919}`).join('\n');
    const note = noteOn(
      named({ data: { t: text(3) } }, { annotations: annotations('1') }),
      named({ data: { t: text(7) } }, { annotations: annotations('2') }),
    );
    assert.equal(note.fields.length, 1001);
    assert.match(note.headline, /^data\.t changed, annotations\["example\.com\/a0"\] 1 -> 2, .*, \+998 more$/);
    assert.match(note.unified, /\n… \d+ more lines\n/);
    assert.ok(note.unified.length < 100_000);
  });
});
