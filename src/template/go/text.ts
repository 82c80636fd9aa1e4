/** sprig's functions for texts. */
import { createHash } from 'node:crypto';
import type { RE2JS } from 're2js';
import type { FilterDefinition } from '../filter.ts';
import { compiledAt, MAX_SEARCHED_CHARS, regexReplace } from '../filters/regex.ts';
import { textOf } from '../filters/text.ts';
import { integerOf, printed } from './values.ts';

type TextFilter = (text: string, args: readonly unknown[]) => unknown;

/** More than a filter may reasonably repeat or indent: the memory limit is checked only afterwards. */
const MAX_REPEATED = 1024 * 1024;

export const TEXT: readonly FilterDefinition[] = [
  ofText('go_title', 'Capitalizes each word.', '{{ "back off" | go_title }}', 'Back Off', (text) =>
    // In Go a blank ends a word, and any ASCII character but letters, digits and underscores: an apostrophe, too.
    text.replace(
      /(^|[[\0-\x7f]--\w]|\s)(\p{Ll})/gv,
      (_, before: string, letter: string) => before + letter.toUpperCase(),
    ),
  ),
  ofText('go_trim', 'Removes whitespace around the text.', '{{ " a " | go_trim }}', 'a', (text) => text.trim()),
  ofText('go_nospace', 'Removes all whitespace.', '{{ "a b" | go_nospace }}', 'ab', (text) => text.replace(/\s+/g, '')),
  ofText(
    'go_trim_all',
    'Removes these characters around the text.',
    '{{ "$5.00$" | go_trim_all: "$" }}',
    '5.00',
    trimAll,
  ),
  ofText('go_trim_prefix', 'Removes this prefix.', '{{ "-a-" | go_trim_prefix: "-" }}', 'a-', (text, [prefix]) =>
    text.startsWith(textOf(prefix)) ? text.slice(textOf(prefix).length) : text,
  ),
  ofText('go_trim_suffix', 'Removes this suffix.', '{{ "-a-" | go_trim_suffix: "-" }}', '-a', (text, [suffix]) =>
    text.endsWith(textOf(suffix)) ? text.slice(0, text.length - textOf(suffix).length) : text,
  ),
  ofText(
    'go_trunc',
    'The first characters, or the last ones with a negative number.',
    '{{ "hello" | go_trunc: -2 }}',
    'lo',
    (text, [count]) => {
      const characters = Array.from(text);
      const length = integerOf(count);
      if (Math.abs(length) >= characters.length) return text;
      return (length >= 0 ? characters.slice(0, length) : characters.slice(length)).join('');
    },
  ),
  ofText(
    'go_abbrev',
    'At most so many characters, of which the last three are dots if the text is longer.',
    '{{ "hello world" | go_abbrev: 8 }}',
    'hello...',
    (text, [count]) => {
      const characters = Array.from(text);
      const length = integerOf(count);
      return length < 4 || characters.length <= length ? text : `${characters.slice(0, length - 3).join('')}...`;
    },
  ),
  ofText(
    'go_substr',
    'The characters from the first number up to, not including, the second.',
    '{{ "hello" | go_substr: 1, 3 }}',
    'el',
    (text, [start, end]) => {
      const last = integerOf(end);
      return Array.from(text)
        .slice(Math.max(0, integerOf(start)), last < 0 ? undefined : last)
        .join('');
    },
  ),
  ofText('go_repeat', 'Repeats the text this many times.', '{{ "ab" | go_repeat: 2 }}', 'abab', (text, [count]) => {
    const times = Math.max(0, integerOf(count));
    if (times * text.length > MAX_REPEATED) throw new Error(`repeats a text to more than ${MAX_REPEATED} characters`);
    return text.repeat(times);
  }),
  ofText('go_indent', 'Indents each line by this many spaces.', '{{ "a" | go_indent: 2 }}', '  a', (text, [by]) =>
    indented(text, by),
  ),
  ofText(
    'go_nindent',
    'As `go_indent`, on a new line.',
    '{{ "a" | go_nindent: 2 }}',
    '\n  a',
    (text, [by]) => `\n${indented(text, by)}`,
  ),
  ofText(
    'go_replace',
    'Replaces every occurrence of the first text by the second.',
    '{{ "a.b.c" | go_replace: ".", "_" }}',
    'a_b_c',
    (text, [from, to]) => text.replaceAll(textOf(from), () => textOf(to)),
  ),
  ofText(
    'go_contains',
    'Whether the text contains the other.',
    '{{ "hello" | go_contains: "ell" }}',
    'true',
    (text, [part]) => text.includes(textOf(part)),
  ),
  ofText(
    'go_has_prefix',
    'Whether the text begins with this.',
    '{{ "hello" | go_has_prefix: "he" }}',
    'true',
    (text, [prefix]) => text.startsWith(textOf(prefix)),
  ),
  ofText(
    'go_has_suffix',
    'Whether the text ends with this.',
    '{{ "hello" | go_has_suffix: "lo" }}',
    'true',
    (text, [suffix]) => text.endsWith(textOf(suffix)),
  ),
  ofText(
    'go_split',
    'The parts between the separators, as a list.',
    '{{ "a,b" | go_split: "," | go_print }}',
    '[a b]',
    (text, [separator]) => text.split(textOf(separator)),
  ),
  ofText(
    'go_split_map',
    'The parts between the separators, as a map with the keys `_0`, `_1` and so on.',
    '{% assign parts = "a,b" | go_split_map: "," %}{{ parts._1 }}',
    'b',
    (text, [separator]) => Object.fromEntries(text.split(textOf(separator)).map((part, index) => [`_${index}`, part])),
  ),
  ofText('go_urlquery', 'Encodes for the query of a URL.', '{{ "a b&c" | go_urlquery }}', 'a+b%26c', (text) =>
    new URLSearchParams({ '': text }).toString().slice(1).replaceAll('*', '%2A').replaceAll('%7E', '~'),
  ),
  ofText('go_b64enc', 'Encodes as Base64.', '{{ "hi" | go_b64enc }}', 'aGk=', (text) =>
    Buffer.from(text).toString('base64'),
  ),
  ofText('go_b64dec', 'Decodes Base64.', '{{ "aGk=" | go_b64dec }}', 'hi', (text) =>
    Buffer.from(text, 'base64').toString(),
  ),
  ofText('go_sha256sum', 'The SHA-256 in hexadecimal.', '{{ "" | go_sha256sum | go_trunc: 8 }}', 'e3b0c442', (text) =>
    createHash('sha256').update(text).digest('hex'),
  ),
  {
    name: 'go_join',
    args: '", "',
    summary: 'The elements of a list with the separator between them; absent ones are left out.',
    examples: [{ template: '{{ "a b" | split: " " | go_join: "-" }}', result: 'a-b' }],
    apply: (value, [separator]) =>
      (Array.isArray(value) ? value : [value]).filter(isThere).map(textOf).join(textOf(separator)),
  },
  {
    name: 'go_quote',
    args: 'b, c',
    summary: 'The values in double quotes, escaped as Go does.',
    examples: [{ template: '{{ "a b" | go_quote }}', result: '"a b"' }],
    apply: (value, args) =>
      [value, ...args]
        .filter(isThere)
        .map((one) => goQuoted(printed(one)))
        .join(' '),
  },
  {
    name: 'go_squote',
    args: 'b, c',
    summary: 'The values in single quotes.',
    examples: [{ template: '{{ "a" | go_squote: "b" }}', result: "'a' 'b'" }],
    apply: (value, args) =>
      [value, ...args]
        .filter(isThere)
        .map((one) => `'${printed(one)}'`)
        .join(' '),
  },
  {
    name: 'go_cat',
    args: 'b, c',
    summary: 'The values with spaces between them.',
    examples: [{ template: '{{ "a" | go_cat: "b" }}', result: 'a b' }],
    apply: (value, args) => [value, ...args].filter(isThere).map(printed).join(' '),
  },
  {
    ...regexReplace,
    name: 'go_regex_replace',
    summary: 'As `regex_replace`, with groups written as in Go: `${1}`.',
    examples: [{ template: '{{ "-ab-axxb-" | go_regex_replace: "a(x*)b", "${1}W" }}', result: '-W-xxW-' }],
    apply: (value, [pattern, replacement], place) =>
      replacedAll(textOf(value), compiledAt(place, pattern), (found) => expanded(textOf(replacement), found)),
  },
  {
    ...regexReplace,
    name: 'go_regex_replace_literal',
    summary: 'As `regex_replace`, with a replacement that is taken as it is.',
    examples: [{ template: '{{ "a.b" | go_regex_replace_literal: "[.]", "$1" }}', result: 'a$1b' }],
    apply: (value, [pattern, replacement], place) =>
      replacedAll(textOf(value), compiledAt(place, pattern), () => textOf(replacement)),
  },
];

function replacedAll(
  text: string,
  pattern: RE2JS,
  replacement: (found: ReturnType<RE2JS['matcher']>) => string,
): string {
  const matcher = pattern.matcher(text.slice(0, MAX_SEARCHED_CHARS));
  let replaced = '';
  let at = 0;
  while (matcher.find()) {
    // Go ignores an empty match right after the previous match.
    if (matcher.start() > 0 && matcher.end() === at) continue;
    replaced += text.slice(at, matcher.start()) + replacement(matcher);
    at = matcher.end();
  }
  return replaced + text.slice(at);
}

/** The arguments that the documentation names are those of the example. */
function ofText(name: string, summary: string, template: string, result: string, apply: TextFilter): FilterDefinition {
  const [, args] = new RegExp(`${name}: ([^|]*?) *(?:\\||[%}]\\})`).exec(template) ?? [];
  return {
    name,
    ...(args === undefined ? {} : { args }),
    summary,
    examples: [{ template, result }],
    apply: (value, given) => apply(textOf(value), given),
  };
}

function trimAll(text: string, [given]: readonly unknown[]): string {
  const cut = new Set(textOf(given));
  const characters = Array.from(text);
  const start = characters.findIndex((character) => !cut.has(character));
  const end = characters.findLastIndex((character) => !cut.has(character));
  return start === -1 ? '' : characters.slice(start, end + 1).join('');
}

function indented(text: string, by: unknown): string {
  const blanks = ' '.repeat(Math.min(MAX_INDENT, Math.max(0, integerOf(by))));
  return blanks + text.replaceAll('\n', `\n${blanks}`);
}

const MAX_INDENT = 256;

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** Go's `%q`, which escapes whatever has no ink of its own, such as a no-break space or what joins the parts of an emoji. */
export function goQuoted(text: string): string {
  const escaped = text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) => {
    const known = ESCAPES[character];
    if (known !== undefined) return known;
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code < 0x80) return `\\x${hex.padStart(2, '0')}`;
    return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
  });
  return `"${escaped}"`;
}

/** `$1W` is the group named `1W`, which does not exist; `${1}W` is the first group. */
function expanded(replacement: string, found: ReturnType<RE2JS['matcher']>): string {
  const numbered = Array.from({ length: found.groupCount() + 1 }, (_, number) => found.group(number));
  const groups = Object.assign(found.getNamedGroups(), numbered);
  return replacement.replace(/\$(?:\{(\w+)\}|(\w+)|\$)/g, (_, braced?: string, plain?: string) => {
    const name = braced ?? plain;
    return name === undefined ? '$' : (groups[name] ?? '');
  });
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}
