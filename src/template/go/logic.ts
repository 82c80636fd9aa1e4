/** Go's comparisons, and sprig's functions for choice and arithmetic. */
import type { FilterDefinition } from '../filter.ts';
import { textOf } from '../filters/text.ts';
import { integerOf, isEmpty, isEqual, printed, sortedEntries } from './values.ts';

export const LOGIC: readonly FilterDefinition[] = [
  {
    name: 'go_truth',
    summary: 'Whether Go takes it as true: anything except nothing, `false`, 0, and empty values.',
    examples: [{ template: '{% if "" | go_truth %}yes{% else %}no{% endif %}', result: 'no' }],
    apply: (value) => !isEmpty(value),
  },
  {
    name: 'go_not',
    summary: 'The opposite of `go_truth`.',
    examples: [{ template: '{{ 0 | go_not }}', result: 'true' }],
    apply: (value) => isEmpty(value),
  },
  {
    name: 'go_and',
    args: 'b, c',
    summary: 'The first value that Go takes as false, else the last one.',
    examples: [{ template: '{{ "a" | go_and: "b" }}', result: 'b' }],
    apply: (value, args) => firstFalseOrLast([value, ...args]),
  },
  {
    name: 'go_or',
    args: 'b, c',
    summary: 'The first value that Go takes as true, else the last one.',
    examples: [{ template: '{{ "" | go_or: "b" }}', result: 'b' }],
    apply: (value, args) => firstTrue([value, ...args]) ?? lastOf([value, ...args]),
  },
  {
    name: 'go_eq',
    args: 'b, c',
    summary: 'Whether the value equals any of the others. An absent value equals an empty text and 0.',
    examples: [{ template: '{{ "Normal" | go_eq: "Warning", "Normal" }}', result: 'true' }],
    apply: (value, args) => args.some((other) => isEqual(value, other)),
  },
  {
    name: 'go_ne',
    args: 'b',
    summary: 'The opposite of `go_eq`.',
    examples: [{ template: '{{ 1 | go_ne: 2 }}', result: 'true' }],
    apply: (value, [other]) => !isEqual(value, other),
  },
  comparison('go_lt', 'less than', (order) => order < 0),
  comparison('go_le', 'at most', (order) => order <= 0),
  comparison('go_gt', 'more than', (order) => order > 0),
  comparison('go_ge', 'at least', (order) => order >= 0),
  {
    name: 'go_default',
    args: 'other',
    summary: 'The value, or the other one if Go takes the value as false.',
    examples: [{ template: '{{ 0 | go_default: 1 }}', result: '1' }],
    apply: (value, [other]) => (isEmpty(value) ? other : value),
  },
  {
    name: 'go_coalesce',
    args: 'b, c',
    summary: 'The first value that Go takes as true.',
    examples: [{ template: '{{ "" | go_coalesce: nil, "c" }}', result: 'c' }],
    apply: (value, args) => firstTrue([value, ...args]),
  },
  {
    name: 'go_ternary',
    args: 'yes, no',
    summary: 'The first argument if the value is true, else the second.',
    examples: [{ template: '{{ true | go_ternary: "yes", "no" }}', result: 'yes' }],
    apply: (value, [yes, no]) => (value === true ? yes : no),
  },
  {
    name: 'go_len',
    summary: 'The length of a text in bytes, or of a list or map in elements.',
    examples: [{ template: '{{ "né" | go_len }}', result: '3' }],
    apply(value) {
      if (typeof value === 'string') return Buffer.byteLength(value);
      return typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
    },
  },
  {
    name: 'go_index',
    args: 'key, key',
    summary: 'An element of a list or map; each further key selects within it.',
    examples: [{ template: '{% assign words = "a b" | split: " " %}{{ words | go_index: 1 }}', result: 'b' }],
    apply: (value, keys) => keys.reduce<unknown>((inner, key) => own(inner, key), value),
  },
  {
    name: 'go_has_key',
    args: 'key',
    summary: 'Whether a map has the key.',
    examples: [{ template: '{{ event.involvedObject | go_has_key: "kind" }}', result: 'true' }],
    apply: (value, [key]) => own(value, key) !== undefined,
  },
  {
    name: 'go_has',
    args: 'element',
    summary: 'Whether a list has the element.',
    examples: [{ template: '{% assign words = "a b" | split: " " %}{{ words | go_has: "b" }}', result: 'true' }],
    apply: (value, [element]) => Array.isArray(value) && value.some((one) => isEqual(one, element)),
  },
  {
    name: 'go_entries',
    summary: 'The pairs of a map in the order of its keys, or the elements of a list with their numbers.',
    examples: [
      {
        template: '{% assign pairs = event.involvedObject | go_entries %}{{ pairs[0][0] }} {{ pairs[0][1] }}',
        result: 'kind Pod',
      },
    ],
    apply(value) {
      if (Array.isArray(value)) return value.map((element, index) => [index, element]);
      return typeof value === 'object' && value !== null ? sortedEntries(value) : [];
    },
  },
  {
    name: 'go_list',
    args: 'b, c',
    summary: 'A list of the values.',
    examples: [{ template: '{{ 1 | go_list: 2 | join: "-" }}', result: '1-2' }],
    apply: (value, args) => [value, ...args],
  },
  {
    name: 'go_dict',
    args: 'value, key, value',
    summary: 'A map of these keys and values, in the order of the keys.',
    examples: [{ template: '{{ "b" | go_dict: 1, "a", 2 | go_json }}', result: '{"a":2,"b":1}' }],
    apply: (first, rest) => dict([first, ...rest]),
  },
  {
    name: 'go_first',
    summary: 'The first element of a list.',
    examples: [{ template: '{{ "a b" | split: " " | go_first }}', result: 'a' }],
    apply: (value) => (Array.isArray(value) ? (value[0] as unknown) : undefined),
  },
  {
    name: 'go_last',
    summary: 'The last element of a list.',
    examples: [{ template: '{{ "a b" | split: " " | go_last }}', result: 'b' }],
    apply: (value) => (Array.isArray(value) ? lastOf(value) : undefined),
  },
  {
    name: 'go_int',
    summary: 'A whole number, rounded towards 0; anything that is not a number is 0.',
    examples: [{ template: '{{ "3.7" | go_int }}', result: '3' }],
    apply: (value) => integerOf(value),
  },
  arithmetic('go_add', (a, b) => a + b, '{{ 1 | go_add: 2, 3 }}', '6'),
  arithmetic('go_sub', (a, b) => a - b, '{{ 5 | go_sub: 2 }}', '3'),
  arithmetic('go_mul', (a, b) => a * b, '{{ 3 | go_mul: 4 }}', '12'),
  arithmetic('go_div', (a, b) => (b === 0 ? 0 : Math.trunc(a / b)), '{{ 7 | go_div: 2 }}', '3'),
  arithmetic('go_mod', (a, b) => (b === 0 ? 0 : a % b), '{{ 7 | go_mod: 4 }}', '3'),
  arithmetic('go_max', Math.max, '{{ 3 | go_max: 7, 5 }}', '7'),
  arithmetic('go_min', Math.min, '{{ 3 | go_min: 7, 5 }}', '3'),
  {
    name: 'go_print',
    args: 'b, c',
    summary: 'The values as Go writes them: `<no value>` for nothing, `map[a:b]`, `[a b]`.',
    examples: [
      { template: '{{ event.involvedObject.nothing | go_print }}', result: '<no value>' },
      { template: '{{ "a b" | split: " " | go_print }}', result: '[a b]' },
    ],
    apply: (value, args) => printedSideBySide([value, ...args]),
  },
];

function comparison(name: string, word: string, holds: (order: number) => boolean): FilterDefinition {
  return {
    name,
    args: 'b',
    summary: `Whether the value is ${word} the other one: both numbers or both texts.`,
    examples: [{ template: `{{ 2 | ${name}: 2 }}`, result: String(holds(0)) }],
    apply(value, [other]) {
      if (typeof value === 'string' && typeof other === 'string')
        return holds(Buffer.compare(Buffer.from(value), Buffer.from(other)));
      return holds(Number(value ?? 0) - Number(other ?? 0));
    },
  };
}

/** On integers, like sprig's, but a division by 0, which fails in sprig, gives 0. */
function arithmetic(
  name: string,
  operation: (a: number, b: number) => number,
  template: string,
  result: string,
): FilterDefinition {
  return {
    name,
    args: 'b',
    summary: 'Works on whole numbers, from left to right.',
    examples: [{ template, result }],
    apply: (value, args) => args.map(integerOf).reduce((a, b) => operation(a, b), integerOf(value)),
  };
}

/** With a blank between two neighbours if neither is a text. */
function printedSideBySide(values: readonly unknown[]): string {
  const isText = (index: number) => typeof values[index] === 'string';
  return values
    .map((value, index) => `${index > 0 && !isText(index - 1) && !isText(index) ? ' ' : ''}${printed(value)}`)
    .join('');
}

/** A key without a value gets an empty text, as in sprig. */
function dict(parts: readonly unknown[]): object {
  const padded = parts.length % 2 === 0 ? parts : [...parts, ''];
  const map = padded.flatMap((key, index) => (index % 2 === 0 ? [[textOf(key), padded[index + 1] ?? null]] : []));
  return Object.fromEntries(sortedEntries(Object.fromEntries(map) as object));
}

/** By index, since an absent value is false, too. */
function firstFalseOrLast(values: readonly unknown[]): unknown {
  return values.at(values.findIndex(isEmpty));
}

function firstTrue(values: readonly unknown[]): unknown {
  return values.find((value) => !isEmpty(value));
}

function lastOf(values: readonly unknown[]): unknown {
  return values.at(-1);
}

function own(of: unknown, key: unknown): unknown {
  if (typeof of !== 'object' || of === null || (typeof key !== 'string' && typeof key !== 'number')) return undefined;
  return Object.hasOwn(of, key) ? (of as Record<PropertyKey, unknown>)[key] : undefined;
}
