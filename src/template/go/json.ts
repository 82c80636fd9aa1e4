/** JSON as Go's encoding/json writes it. */
import { escapeOf } from '../../text/printable.ts';
import type { FilterDefinition } from '../filter.ts';
import { isEmpty } from './values.ts';

export const JSON_TEXT: readonly FilterDefinition[] = [
  {
    name: 'go_json',
    args: '"{}"',
    summary:
      "The value as JSON, with `<`, `>` and `&` escaped as Go's encoding/json does. Nothing, and an empty list or map, is `null`, or the argument if there is one.",
    examples: [{ template: '{{ "<a&b>" | go_json }}', result: '"\\u003ca\\u0026b\\u003e"' }],
    apply: (value, [empty]) => goJson(value, { empty }),
  },
  {
    name: 'go_pretty_json',
    summary: 'The same, on several lines.',
    examples: [{ template: '{{ "a b" | split: " " | go_pretty_json }}', result: '[\n  "a",\n  "b"\n]' }],
    apply: (value, [empty]) => goJson(value, { empty, indent: 2 }),
  },
  {
    name: 'go_raw_json',
    summary: 'The value as JSON; `null` for nothing.',
    examples: [{ template: '{{ \'m "q" <x>\' | go_raw_json }}', result: '"m \\"q\\" <x>"' }],
    apply: (value, [empty]) => written(value, { empty }).replace(/[\u2028\u2029]/g, escapeOf),
  },
];

interface JsonOptions {
  /** What stands for nothing. */
  readonly empty: unknown;
  readonly indent?: number;
}

/** Escapes `<`, `>`, `&`, and U+2028 and U+2029, which JavaScript once did not allow in strings. */
function goJson(value: unknown, options: JsonOptions): string {
  return written(value, options).replace(/[<>&\u2028\u2029]/g, escapeOf);
}

/** In Go, empty maps and lists of a manifest are absent. */
function written(value: unknown, { empty, indent }: JsonOptions): string {
  const isNothing = value === undefined || value === null || (typeof value === 'object' && isEmpty(value));
  if (isNothing) return typeof empty === 'string' ? empty : 'null';
  return JSON.stringify(value, undefined, indent);
}
