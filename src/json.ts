/**
 * JSON as TypeScript sees it, and what kind of JSON a value is. An integer beyond 2^53 is kept exact as a raw JSON value (see
 * parse-json.ts), which is a number, not a map.
 */
import { isDeepStrictEqual } from 'node:util';

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** Whether a value parsed from JSON is an object, neither an array nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own member `name`, such as a field of a manifest; undefined if `value` is not a map. */
export function member(value: Json | undefined, name: string): Json | undefined {
  return isMap(value) ? own(value, name) : undefined;
}

/** What `JSON.rawJSON` makes: the digits as they came from the server. */
export interface RawNumber {
  readonly rawJSON: string;
}

// TypeScript's library does not know the proposal yet; Node has had it since 21.
const isRawJSON = (JSON as unknown as { isRawJSON(this: void, value: unknown): boolean }).isRawJSON;

export function isRawNumber(value: unknown): value is RawNumber {
  return isRawJSON(value);
}

/** Whether both are exact numbers with the same digits. */
export function sameNumber(a: unknown, b: unknown): boolean {
  return isRawNumber(a) && isRawNumber(b) && a.rawJSON === b.rawJSON;
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function isMap(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawJSON(value);
}

/** A string, a number (exact ones too) or a boolean. */
export function isScalar(value: Json | undefined): boolean {
  return value !== undefined && value !== null && (typeof value !== 'object' || isRawJSON(value));
}

/** An own field: `constructor` and `__proto__` are names like any other. */
export function own<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** A list or map without content; a null field counts as content only with `nulls`. */
export function isEmpty(value: Json | undefined, nulls = true): boolean {
  if (isList(value)) return value.length === 0;
  return isMap(value) && Object.values(value).every((field) => field === undefined || (field === null && !nulls));
}

/** Whether it has more than this many levels of lists and maps, itself included. */
export function nestsDeeper(value: Json | undefined, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner: Json | undefined) => nestsDeeper(inner, levels - 1));
}

/** Whether the values are equal; false for values nested deeper than the stack allows. */
export function isSameJson(a: Json | undefined, b: Json | undefined): boolean {
  try {
    return isDeepStrictEqual(a, b);
  } catch {
    return false;
  }
}

/** As JSON, with exact numbers. For a value nested deeper than the stack allows, a text that says so. */
export function toJson(value: Json): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '(nested too deeply to print)';
  }
}

/** Half a surrogate pair as JSON.stringify writes it, or text that looks like it. */
const HALF_PAIR = /\\ud[89a-f][0-9a-f]{2}/;

/** JSON that strict receivers take: a note of somebody's handler may be cut in the middle of an emoji, and Loki refuses half of one. */
export function strictJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (!HALF_PAIR.test(json)) return json;
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'string' ? inner.toWellFormed() : inner));
}
