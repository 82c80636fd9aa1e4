/**
 * JSON as bytes: finds where a value ends, and where the members of an object and the items of an array are, without parsing
 * what lies between. The scan checks the structure at the level it walks; inside a skipped value it only counts brackets.
 *
 * Every function takes the index at which its value begins (after white space) and returns the index after its last byte.
 */

/** The bytes are not the expected JSON, or end too early. */
export class ScanError extends Error {
  override readonly name = 'ScanError';
  /** Index of the unexpected byte. */
  readonly at: number;
  constructor(expected: string, at: number) {
    super(`Cannot read JSON: expected ${expected} at byte ${at}`);
    this.at = at;
  }
}

// Copied from bytes.ts: V8 reads imported and exported bindings from memory on each access, which makes a pass over the bytes
// of an event take half as long again.
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COLON = 0x3a;

export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** The first byte from `i` on that is not white space, or `end`. */
export function skipSpace(bytes: Uint8Array, i: number, end: number): number {
  while (i < end && isSpace(bytes[i])) i++;
  return i;
}

/** @throws ScanError when no string begins at `i` or it does not end before `end` */
function skipString(bytes: Uint8Array, i: number, end: number): number {
  if (bytes[i] !== QUOTE) throw new ScanError('a string', i);
  i++;
  while (i < end) {
    const byte = bytes[i++];
    if (byte === QUOTE) return i;
    if (byte === BACKSLASH) i++;
  }
  throw new ScanError('the end of a string', end);
}

/** @throws ScanError when no value begins at `i` or it does not end before `end` */
export function skipValue(bytes: Uint8Array, i: number, end: number): number {
  const first = bytes[i];
  if (first === QUOTE) return skipString(bytes, i, end);
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) return skipNested(bytes, i, end);
  const start = i;
  while (i < end && isScalar(bytes[i])) i++;
  if (i === start) throw new ScanError('a value', i);
  return i;
}

/** Bytes of numbers, true, false and null. */
function isScalar(byte: number | undefined): boolean {
  return (
    byte !== undefined &&
    byte > 0x20 &&
    byte !== COMMA &&
    byte !== CLOSE_OBJECT &&
    byte !== CLOSE_ARRAY &&
    byte !== QUOTE
  );
}

/** Hot: one pass over every byte of every watch event, about 1 ns each. Hence the inlined string loop. */
function skipNested(bytes: Uint8Array, i: number, end: number): number {
  let depth = 0;
  while (i < end) {
    const byte = bytes[i++];
    if (byte === QUOTE) {
      while (i < end) {
        const inString = bytes[i++];
        if (inString === QUOTE) break;
        if (inString === BACKSLASH) i++;
      }
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth++;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (--depth === 0) return i;
    }
  }
  throw new ScanError('the end of an object or array', end);
}

/**
 * {@link skipValue} for an array that most likely contains no other, such as managedFields: byte searches instead of a pass over
 * each byte, a tenth of the time. Exact: unless the first `]` provably closes the array, every byte is looked at.
 */
export function skipFlatArray(bytes: Buffer, i: number, end: number): number {
  const close = bytes.indexOf(CLOSE_ARRAY, i);
  const inner = bytes.indexOf(OPEN_ARRAY, i + 1);
  const isFlat = bytes[i] === OPEN_ARRAY && close !== -1 && close < end && (inner === -1 || inner > close);
  return isFlat && isOutsideStrings(bytes, close) ? close + 1 : skipValue(bytes, i, end);
}

/**
 * Whether the last quote before `i` certainly ends a string: a quote that begins a string is preceded by white space or one of
 * `:`, `,`, `{`, `[`; one inside a string by a backslash.
 */
function isOutsideStrings(bytes: Buffer, i: number): boolean {
  const before = bytes[bytes.lastIndexOf(QUOTE, i) - 1];
  if (before === undefined || before <= 0x20) return false;
  return (
    before !== COLON && before !== COMMA && before !== OPEN_OBJECT && before !== OPEN_ARRAY && before !== BACKSLASH
  );
}

/**
 * The members of one object in order. The caller determines where each value ends, usually by {@link skipValue}:
 *
 *     for (const members = new Members(bytes, i, end); members.next(); members.valueEnd = skipValue(bytes, members.value, end)) …
 *
 * A loop, not a callback: all kinds of walks would share one call site, which V8 then neither inlines nor specialises; that
 * made a walk over the few members of an event as expensive as the pass over all of its bytes.
 */
export class Members {
  /** The key, with its quotes, is from here to `keyEnd`. */
  key = 0;
  keyEnd = 0;
  /** Where the value begins. */
  value = 0;
  /** To be set by the caller before {@link next}; after the last member, the index after the object. */
  valueEnd = -1;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  /** @throws ScanError when no object begins at `start` */
  constructor(bytes: Uint8Array, start: number, end: number) {
    if (start >= end || bytes[start] !== OPEN_OBJECT) throw new ScanError('an object', start);
    this.#bytes = bytes;
    this.#end = end;
    this.key = start;
  }

  /** @throws ScanError when the object is broken at this level */
  next(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    const isFirst = this.valueEnd === -1;
    let i = skipSpace(bytes, isFirst ? this.key + 1 : this.valueEnd, end);
    if (i < end && bytes[i] === CLOSE_OBJECT) {
      this.valueEnd = i + 1;
      return false;
    }
    if (!isFirst) {
      if (i >= end || bytes[i] !== COMMA) throw new ScanError('a comma or the end of the object', i);
      i = skipSpace(bytes, i + 1, end);
    }
    this.key = i;
    this.keyEnd = skipString(bytes, i, end);
    const colon = skipSpace(bytes, this.keyEnd, end);
    if (colon >= end || bytes[colon] !== COLON) throw new ScanError('a colon', colon);
    this.value = skipSpace(bytes, colon + 1, end);
    return true;
  }
}

/**
 * {@link Members} with a callback that returns where the value ends, for use where speed does not matter.
 *
 * @throws ScanError if no object begins at `i`, or it is broken at this level
 */
export function walkObject(
  bytes: Uint8Array,
  i: number,
  end: number,
  visit: (key: number, keyEnd: number, value: number) => number,
): number {
  const members = new Members(bytes, i, end);
  while (members.next()) members.valueEnd = visit(members.key, members.keyEnd, members.value);
  return members.valueEnd;
}

/** {@link walkObject} for the items of an array. */
export function walkArray(
  bytes: Uint8Array,
  i: number,
  end: number,
  visit: (value: number, index: number) => number,
): number {
  if (bytes[i] !== OPEN_ARRAY) throw new ScanError('an array', i);
  i = skipSpace(bytes, i + 1, end);
  if (bytes[i] === CLOSE_ARRAY) return i + 1;
  for (let index = 0; ; index++) {
    i = skipSpace(bytes, visit(i, index), end);
    if (i < end && bytes[i] === CLOSE_ARRAY) return i + 1;
    if (i >= end || bytes[i] !== COMMA) throw new ScanError('a comma or the end of the array', i);
    i = skipSpace(bytes, i + 1, end);
  }
}

function matchesAt(bytes: Uint8Array, i: number, expected: Uint8Array): boolean {
  for (let k = 0; k < expected.length; k++) {
    if (bytes[i + k] !== expected[k]) return false;
  }
  return true;
}

/** Whether the bytes from `start` to `end` are exactly `token`, such as a key with its quotes. */
export function isToken(bytes: Uint8Array, start: number, end: number, token: Uint8Array): boolean {
  return end - start === token.length && matchesAt(bytes, start, token);
}

/** The text of the string token, quotes included, in the span; undefined if it is another kind of value. */
export function textOf(bytes: Buffer, start: number, end: number): string | undefined {
  if (end - start < 2 || bytes[start] !== QUOTE) return undefined;
  if (!hasEscape(bytes, start, end)) return bytes.toString('utf8', start + 1, end - 1);
  try {
    return JSON.parse(bytes.toString('utf8', start, end)) as string;
  } catch {
    return undefined;
  }
}

/** These strings are short: a loop costs less than calling `indexOf`, which would search on to the end of the buffer. */
function hasEscape(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === BACKSLASH) return true;
  return false;
}
