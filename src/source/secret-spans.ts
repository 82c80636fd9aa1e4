/**
 * Finds secrets in the bytes of a manifest. Each finder reports spans and changes nothing. Most start with a cheap byte search,
 * because nearly every object has nothing to hide.
 */
import { BACKSLASH, COLON, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './bytes.ts';
import type { FieldPath } from '../field-path.ts';
import { isToken, skipSpace, skipValue, textOf, walkArray, walkObject } from './scan.ts';

/** Called with each span; with `inString` it is a part of a string, else a whole JSON value. */
export type OnSpan = (start: number, end: number, inString: boolean) => void;

/** Annotations in which kubectl, kapp, Rancher and kopf operators keep a manifest as they applied or saw it. */
const MANIFEST_ANNOTATIONS = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'kapp.k14s.io/original',
  'kapp.k14s.io/original-diff',
  'objectset.rio.cattle.io/applied',
  'kopf.zalando.org/last-handled-configuration',
].map((key) => Buffer.from(`"${key}"`));
const ANNOTATIONS_KEY = Buffer.from('"annotations"');
const ANNOTATIONS_END = ANNOTATIONS_KEY.subarray(-3);
const ENV = Buffer.from('"env"');
/** Searched for instead of `"env"`, as a search for the first quote would stop at every string. */
const ENV_END = ENV.subarray(3);
const HTTP_HEADERS = Buffer.from('"httpHeaders"');
const HTTP_HEADERS_END = HTTP_HEADERS.subarray(5);
const SECRET_HEADER = /^(?:proxy-)?authorization$|^cookie$/i;
const ANNOTATIONS: FieldPath = ['metadata', 'annotations', '*'];
/** Limit for `env` (or annotations) nested in one another: without one, time would grow with the square of the length. */
const MAX_NESTED = 8;
const NAME = Buffer.from('"name"');
const VALUE = Buffer.from('"value"');
/** GitHub's placeholder password beside a token. */
const NO_PASSWORD = Buffer.from('x-oauth-basic');
/** A user part that is already masked: the mask itself contains a colon. */
const MASKED_USER = /^redacted:hmac-[0-9a-f]{12}(?::(?:x-oauth-basic)?)?$/;
/** Backslashes in a row: JSON in a string in a string has seven. More are not an encoding, and counting them would cost time. */
const MAX_ESCAPES = 8;
const AT = 0x40;
const SLASH = 0x2f;

/**
 * In a Secret: the values of `data` and `stringData` (or the whole field if it is not a map), and annotations with a copy.
 *
 * @param secret where it begins
 * @returns the index after it
 */
export function findSecretValues(bytes: Buffer, secret: number, onSpan: OnSpan): number {
  findAt(bytes, secret, ANNOTATIONS, 0, (start, end) => {
    if (looksLikeObject(textOf(bytes, start, end) ?? '')) onSpan(start, end, false);
  });
  return walkObject(bytes, secret, bytes.length, (key, keyEnd, value) => {
    const name = textOf(bytes, key, keyEnd);
    if (name !== 'data' && name !== 'stringData') return skipValue(bytes, value, bytes.length);
    if (bytes[value] !== OPEN_OBJECT) return reportValue(bytes, value, onSpan);
    return walkObject(bytes, value, bytes.length, (_key, _keyEnd, inner) => reportValue(bytes, inner, onSpan));
  });
}

/** Whether it looks like JSON, YAML, a list, or packed data: more tools keep copies than {@link findLastApplied} knows. */
function looksLikeObject(annotation: string): boolean {
  return /^\s*(?:\{|\[\s*\{)|\b(?:stringData|data)["']?\s*:|^(?:H4sI|eyJ)/.test(annotation);
}

/** Last-applied manifests in annotations at any depth: a second copy of every secret in them. */
export function findLastApplied(bytes: Buffer, onSpan: OnSpan): void {
  visitNested(bytes, ANNOTATIONS_KEY, ANNOTATIONS_END, (annotations) => {
    if (bytes[annotations] !== OPEN_OBJECT) return undefined;
    return walkObject(bytes, annotations, bytes.length, (key, keyEnd, value) =>
      MANIFEST_ANNOTATIONS.some((kept) => isToken(bytes, key, keyEnd, kept))
        ? reportValue(bytes, value, onSpan)
        : skipValue(bytes, value, bytes.length),
    );
  });
}

/**
 * The values in `env`, at any depth, whose name is secret: in a list as in a container, or in a map as in the values of a chart.
 * Nested ones too, up to {@link MAX_NESTED}.
 */
export function findEnvValues(bytes: Buffer, isSecretName: (name: string) => boolean, onSpan: OnSpan): void {
  visitNested(bytes, ENV, ENV_END, (list) => {
    if (bytes[list] === OPEN_OBJECT) {
      return walkObject(bytes, list, bytes.length, (key, keyEnd, value) =>
        isSecretName(textOf(bytes, key, keyEnd) ?? '')
          ? reportSetting(bytes, value, onSpan)
          : skipValue(bytes, value, bytes.length),
      );
    }
    return reportNamed(bytes, list, isSecretName, onSpan);
  });
}

/** The values of `httpHeaders`, as of a probe, that contain credentials. */
export function findHeaderValues(bytes: Buffer, isSecretName: (name: string) => boolean, onSpan: OnSpan): void {
  const isSecretHeader = (name: string) => SECRET_HEADER.test(name) || isSecretName(name);
  visitNested(bytes, HTTP_HEADERS, HTTP_HEADERS_END, (list) => reportNamed(bytes, list, isSecretHeader, onSpan));
}

/** The `value` beside each secret `name` in a list. Returns the index after it; undefined if it is no list. */
function reportNamed(
  bytes: Buffer,
  list: number,
  isSecretName: (name: string) => boolean,
  onSpan: OnSpan,
): number | undefined {
  if (bytes[list] !== OPEN_ARRAY) return undefined;
  return walkArray(bytes, list, bytes.length, (item) => {
    if (bytes[item] !== OPEN_OBJECT) return skipValue(bytes, item, bytes.length);
    let name: string | undefined;
    let value = -1;
    const end = walkObject(bytes, item, bytes.length, (key, keyEnd, start) => {
      const valueEnd = skipValue(bytes, start, bytes.length);
      if (isToken(bytes, key, keyEnd, NAME)) name = textOf(bytes, start, valueEnd);
      if (isToken(bytes, key, keyEnd, VALUE)) value = start;
      return valueEnd;
    });
    if (value >= 0 && name !== undefined && isSecretName(name)) reportValue(bytes, value, onSpan);
    return end;
  });
}

/** Text, a number, or the `value` of an object; an object that only refers to its value (`valueFrom`) contains no secret. */
function reportSetting(bytes: Buffer, value: number, onSpan: OnSpan): number {
  if (bytes[value] === OPEN_ARRAY) return skipValue(bytes, value, bytes.length);
  if (bytes[value] !== OPEN_OBJECT) return reportValue(bytes, value, onSpan);
  return walkObject(bytes, value, bytes.length, (key, keyEnd, inner) =>
    isToken(bytes, key, keyEnd, VALUE) ? reportValue(bytes, inner, onSpan) : skipValue(bytes, inner, bytes.length),
  );
}

/** The password of `scheme://user:password@host`, or the token of `https://token@host`, in any string. */
export function findUrlPasswords(bytes: Buffer, onSpan: OnSpan): void {
  let previous = -1;
  for (let at = bytes.indexOf(AT); at !== -1; at = bytes.indexOf(AT, at + 1)) {
    const start = userInfoBefore(bytes, at, previous);
    // A password may contain an unencoded @: the last one before the end of the host counts.
    if (start !== undefined) at = lastAtSign(bytes, at);
    previous = at;
    if (start === undefined) continue;
    if (MASKED_USER.test(bytes.toString('latin1', start, at))) continue;
    const colon = bytes.subarray(start, at).indexOf(COLON);
    const [user, password] = colon === -1 ? [at, at] : [start + colon, start + colon + 1];
    if (password < at && !isToken(bytes, password, at, NO_PASSWORD)) onSpan(password, at, true);
    else if (start < user && isHttp(bytes, start)) onSpan(start, user, true);
  }
}

/** All values that a configured path leads to. */
export function findPath(bytes: Buffer, path: FieldPath, onSpan: OnSpan): void {
  findAt(bytes, 0, path, 0, onSpan);
}

function findAt(bytes: Buffer, value: number, path: FieldPath, depth: number, onSpan: OnSpan): number {
  const step = path[depth];
  if (step === undefined) return reportValue(bytes, value, onSpan);
  const next = (start: number, matches: boolean) =>
    matches ? findAt(bytes, start, path, depth + 1, onSpan) : skipValue(bytes, start, bytes.length);
  if (bytes[value] === OPEN_OBJECT) {
    return walkObject(bytes, value, bytes.length, (key, keyEnd, start) =>
      next(start, step === '*' || textOf(bytes, key, keyEnd) === step),
    );
  }
  if (bytes[value] === OPEN_ARRAY) {
    return walkArray(bytes, value, bytes.length, (item, index) =>
      next(item, step === '*' || step === String(index) || step === nameOf(bytes, item)),
    );
  }
  return skipValue(bytes, value, bytes.length);
}

function nameOf(bytes: Buffer, item: number): string | undefined {
  if (bytes[item] !== OPEN_OBJECT) return undefined;
  let name: string | undefined;
  walkObject(bytes, item, bytes.length, (key, keyEnd, start) => {
    const end = skipValue(bytes, start, bytes.length);
    if (isToken(bytes, key, keyEnd, NAME)) name = textOf(bytes, start, end);
    return end;
  });
  return name;
}

/** Reports the value unless it is null. Returns the index after it. */
function reportValue(bytes: Buffer, value: number, onSpan: OnSpan): number {
  const end = skipValue(bytes, value, bytes.length);
  if (bytes.toString('latin1', value, end) !== 'null') onSpan(value, end, false);
  return end;
}

/**
 * {@link valuesOf} with a callback that returns where the value ends, or undefined if it did not look inside. Nested values are
 * visited too, up to {@link MAX_NESTED}, so that the work stays linear.
 */
function visitNested(bytes: Buffer, key: Buffer, tail: Buffer, visit: (value: number) => number | undefined): void {
  /** Ends of the values that contain the current one. */
  let enclosing: number[] = [];
  for (const value of valuesOf(bytes, key, tail)) {
    enclosing = enclosing.filter((end) => end > value);
    const end = enclosing.length < MAX_NESTED ? visit(value) : undefined;
    if (end !== undefined) enclosing.push(end);
  }
}

/**
 * The start of each value of a member with this key. Quotes inside strings are escaped, so a look-alike does not match.
 *
 * @param tail the end of the key, which is searched for
 */
function* valuesOf(bytes: Buffer, key: Buffer, tail: Buffer): Generator<number> {
  for (let at = bytes.indexOf(tail); at !== -1; at = bytes.indexOf(tail, at + 1)) {
    const end = at + tail.length;
    if (!isToken(bytes, end - key.length, end, key)) continue;
    const colon = skipSpace(bytes, end, bytes.length);
    if (bytes[colon] === COLON) yield skipSpace(bytes, colon + 1, bytes.length);
  }
}

/** Where the user info that ends at an @ begins, after `://`. Stops at the previous @, so that many of them stay linear. */
function userInfoBefore(bytes: Buffer, at: number, previous: number): number | undefined {
  let i = at - 1;
  while (i > previous && isInAuthority(bytes, i)) i--;
  if (i <= previous || bytes[i] !== SLASH) return undefined;
  const slash = beforeEscape(bytes, i);
  return bytes[slash] === SLASH && bytes[beforeEscape(bytes, slash)] === COLON ? i + 1 : undefined;
}

/** The index before `i` and the backslashes that escape it: JSON inside a string may write `\/` for a slash. */
function beforeEscape(bytes: Buffer, i: number): number {
  const lowest = i - 1 - MAX_ESCAPES;
  let before = i - 1;
  while (before > lowest && bytes[before] === BACKSLASH) before--;
  return before;
}

/** In HTTP a user without a password is a token; `ssh://git@host` contains no secret. @param start of the user info */
function isHttp(bytes: Buffer, start: number): boolean {
  return /https?:\\*\/\\*\/$/i.test(bytes.toString('latin1', Math.max(0, start - 8 - 2 * MAX_ESCAPES), start));
}

function lastAtSign(bytes: Buffer, at: number): number {
  for (let i = at + 1; i < bytes.length && isInAuthority(bytes, i); i++) {
    if (bytes[i] === AT) at = i;
  }
  return at;
}

/** Not the end of the string, white space (escaped or not), or a character that ends an authority. */
function isInAuthority(bytes: Buffer, i: number): boolean {
  const byte = bytes[i] ?? 0;
  if (byte <= 0x20 || byte === QUOTE || byte === SLASH || byte === 0x3f || byte === 0x23) return false;
  if (byte === BACKSLASH) return isUnicodeEscape(bytes, i);
  return bytes[i - 1] !== BACKSLASH || byte === 0x75;
}

/** In JSON inside a string the backslash before the `u` is itself escaped: `\\u0026`. */
function isUnicodeEscape(bytes: Buffer, i: number): boolean {
  let at = i + 1;
  while (at - i < MAX_ESCAPES && bytes[at] === BACKSLASH) at++;
  return bytes[at] === 0x75;
}
