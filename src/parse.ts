/** JSON from bytes, without losing the digits of large integers. */
import type { Manifest } from './change.ts';
import type { Json } from './json.ts';

/** Not in TypeScript's library yet: https://github.com/tc39/proposal-json-parse-with-source */
interface JsonWithSource {
  rawJSON(text: string): Json;
  parse(text: string, reviver: (key: string, value: Json, context: { readonly source?: string }) => Json): Json;
}
const exactly = JSON as unknown as JsonWithSource;

/**
 * A number of 16 digits or more, as 2 ** 53 has: a shorter one is always safe. What must stand before a number never stands
 * before the digits of a checksum, such as that of an image.
 */
const SUSPICIOUS = /(?:^|[[,]|"\s*:)\s*-?[0-9]{16}/;

/**
 * Parses UTF-8 JSON. A number that a double cannot hold exactly as an integer becomes a `JSON.rawJSON` object, which
 * `JSON.stringify` writes back digit for digit. `__proto__` is a key like any other.
 *
 * A reviver on everything makes parsing several times slower, so it is used only where a long run of digits is found.
 *
 * @throws SyntaxError when the bytes are not JSON
 */
export function parseJson(bytes: Uint8Array): Json {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return SUSPICIOUS.test(text) ? exactly.parse(text, keepDigits) : (JSON.parse(text) as Json);
}

/** {@link parseJson} for an object that is known to be a manifest, such as a baseline. */
export function parseManifest(bytes: Uint8Array): Manifest {
  return parseJson(bytes) as Manifest;
}

function keepDigits(_key: string, value: Json, context: { readonly source?: string }): Json {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value;
  const beyondDouble = Number.isInteger(value) || !Number.isFinite(value);
  return beyondDouble ? exactly.rawJSON(context.source) : value;
}
