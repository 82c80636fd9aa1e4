/** Reads fields of a manifest as the type that they should have; empty or undefined if they have another. */
import { isList, isMap, member, type Json, type JsonObject } from '../../src/json.ts';

/** `table(pod, 'status', 'conditions')`: empty if there is none. */
export function table(value: unknown, ...path: readonly string[]): JsonObject {
  const found = at(value, path);
  return isMap(found) ? found : {};
}

export function rows(value: unknown, ...path: readonly string[]): readonly JsonObject[] {
  const found = at(value, path);
  return isList(found) ? found.filter((row): row is JsonObject => isMap(row)) : [];
}

/** Undefined for the empty text, too, which the API writes for what it does not know. */
export function text(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, path);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

export function integer(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, path);
  return typeof found === 'number' && Number.isSafeInteger(found) ? found : undefined;
}

/** Milliseconds since the epoch. */
export function time(value: unknown, ...path: readonly string[]): number | undefined {
  const ms = Date.parse(text(value, ...path) ?? '');
  return Number.isNaN(ms) ? undefined : ms;
}

function at(value: unknown, path: readonly string[]): Json | undefined {
  return path.reduce(member, value as Json | undefined);
}
