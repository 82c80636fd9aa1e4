/** Liquid's values by the rules of Go's text/template: what is true, what is equal, how they are printed. */
import { textOf } from '../filters/text.ts';

/** Whether Go takes it as false: nil, false, 0, the empty text, an empty list or map. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Go's `%v`: `map[a:1 b:2]`, `[a b]`, and `<no value>` for nil. */
export function printed(value: unknown): string {
  if (value === undefined || value === null) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(printedInside).join(' ')}]`;
  if (typeof value !== 'object') return textOf(value);
  const pairs = sortedEntries(value).map(([key, inner]) => `${key}:${printedInside(inner)}`);
  return `map[${pairs.join(' ')}]`;
}

function printedInside(value: unknown): string {
  return value === undefined || value === null ? '<nil>' : printed(value);
}

/** In the order in which Go ranges over a map: by the bytes of the keys. */
export function sortedEntries(map: object): readonly (readonly [string, unknown])[] {
  return Object.entries(map).toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Equality of basic values; nil equals the empty value of the other's type. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === undefined || a === null) return b === undefined || b === null || isEmptyBasic(b);
  if (b === undefined || b === null) return isEmptyBasic(a);
  return a === b;
}

function isEmptyBasic(value: unknown): boolean {
  return value === '' || value === 0 || value === false;
}

/** Like sprig's `int64`: what is not a number is 0. */
export function integerOf(value: unknown): number {
  const number = typeof value === 'string' ? Number(value.trim() || 'x') : value;
  return typeof number === 'number' && Number.isFinite(number) ? Math.trunc(number) : number === true ? 1 : 0;
}
