/** JSON from bytes, without losing the digits of large integers. */
import type { Manifest } from './change.ts';
import type { Json } from './json.ts';

/** Not in TypeScript's library yet: https://github.com/tc39/proposal-json-parse-with-source */
interface JsonWithSource {
  rawJSON(text: string): Json;
  parse(text: string, reviver: (key: string, value: Json, context: { readonly source?: string }) => Json): Json;
}
const jsonWithSource = JSON as unknown as JsonWithSource;

/** The number of digits in 2 ** 53: a shorter number is always safe. */
const LONG_DIGITS = 16;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;

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
  return mayHoldLongNumber(bytes) ? jsonWithSource.parse(text, keepDigits) : (JSON.parse(text) as Json);
}

/** Looks at every 16th byte, which no run of 16 digits can avoid: 1 µs for 5 KB. */
function mayHoldLongNumber(bytes: Uint8Array): boolean {
  for (let i = LONG_DIGITS - 1; i < bytes.length; i += LONG_DIGITS) {
    if (!isDigit(bytes[i])) continue;
    let start = i;
    let end = i + 1;
    while (isDigit(bytes[start - 1])) start--;
    while (isDigit(bytes[end])) end++;
    if (end - start >= LONG_DIGITS && mayBeginNumber(bytes, start)) return true;
    // Skip the rest of the run instead of measuring it again every 16 digits: it may be a megabyte long.
    i = end;
  }
  return false;
}

/** Judged by the preceding bytes, which rule out digits in a checksum, such as an image digest. */
function mayBeginNumber(bytes: Uint8Array, start: number): boolean {
  const before = lastBefore(bytes, bytes[start - 1] === MINUS ? start - 1 : start);
  const byte = bytes[before];
  if (byte === COLON) return bytes[lastBefore(bytes, before)] === QUOTE;
  return byte === undefined || byte === OPEN_ARRAY || byte === COMMA;
}

/** The index of the last byte before `i` that is not white space, or -1. */
function lastBefore(bytes: Uint8Array, i: number): number {
  do i--;
  while (i >= 0 && (bytes[i] ?? 0) <= 0x20);
  return i;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** {@link parseJson} for an object that is known to be a manifest, such as a baseline. */
export function parseManifest(bytes: Uint8Array): Manifest {
  return parseJson(bytes) as Manifest;
}

function keepDigits(_key: string, value: Json, context: { readonly source?: string }): Json {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value;
  const beyondDouble = Number.isInteger(value) || !Number.isFinite(value);
  return beyondDouble ? jsonWithSource.rawJSON(context.source) : value;
}
