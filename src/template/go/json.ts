/** JSON as Go's encoding/json writes it. */
import type { FilterDefinition } from '../filter.ts';
import { isEmpty } from './values.ts';

export const JSON_TEXT: readonly FilterDefinition[] = [
  {
    name: 'go_json',
    summary:
      "The value as JSON, with `<`, `>` and `&` escaped as Go's encoding/json does; `null` for nothing, and for an empty list or map.",
    examples: [{ template: '{{ "<a&b>" | go_json }}', result: '"\\u003ca\\u0026b\\u003e"' }],
    apply: (value) => goJson(value),
  },
  {
    name: 'go_pretty_json',
    summary: 'The same, on several lines.',
    examples: [{ template: '{{ "a b" | split: " " | go_pretty_json }}', result: '[\n  "a",\n  "b"\n]' }],
    apply: (value) => goJson(value, 2),
  },
  {
    name: 'go_raw_json',
    summary: 'The value as JSON; `null` for nothing.',
    examples: [{ template: '{{ \'m "q" <x>\' | go_raw_json }}', result: '"m \\"q\\" <x>"' }],
    apply: (value) => JSON.stringify(orNull(value)),
  },
];

/** In Go, empty maps and lists of a manifest are absent. */
function orNull(value: unknown): unknown {
  return typeof value === 'object' && isEmpty(value) ? null : (value ?? null);
}

/** Escapes `<`, `>`, `&`, and U+2028 and U+2029, which JavaScript once did not allow in strings. */
function goJson(value: unknown, indent?: number): string {
  const json = JSON.stringify(orNull(value), undefined, indent);
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
