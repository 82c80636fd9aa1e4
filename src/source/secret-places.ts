/**
 * Where secrets are in the bytes of a manifest. Each finder names spans and changes nothing; what is cheap to rule out is ruled
 * out by a byte search, because nearly every object has nothing to hide.
 */
import type { FieldPath } from './field-path.ts';
import { BACKSLASH, COLON, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './bytes.ts';
import { isToken, skipSpace, skipValue, textOf, walkArray, walkObject } from './scan.ts';

/** Called with each span; `inString`: a part of a string, else a whole JSON value. */
export type OnPlace = (start: number, end: number, inString: boolean) => void;

/** Annotations in which kubectl, kapp, Rancher and operators made with kopf keep a manifest as they applied or saw it. */
const KEPT_MANIFESTS = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'kapp.k14s.io/original',
  'kapp.k14s.io/original-diff',
  'objectset.rio.cattle.io/applied',
  'kopf.zalando.org/last-handled-configuration',
].map((key) => Buffer.from(`"${key}"`));
const ANNOTATIONS_KEY = Buffer.from('"annotations"');
const ANNOTATIONS_END = ANNOTATIONS_KEY.subarray(-3);
const ENV = Buffer.from('"env"');
/** Its rarest two bytes: a search for quotes would stop at every string. */
const ENV_END = ENV.subarray(3);
const ANNOTATIONS: FieldPath = ['metadata', 'annotations', '*'];
/** An `env` inside an `env` inside ..., or annotations: without end, time would grow with the square of the length. */
const MAX_NESTED = 8;
const NAME = Buffer.from('"name"');
const VALUE = Buffer.from('"value"');
/** What GitHub wants for one beside a token. */
const NO_PASSWORD = Buffer.from('x-oauth-basic');
/** Hidden before: the mask has a colon of its own. */
const HIDDEN_USER = /^redacted:hmac-[0-9a-f]{12}(?::(?:x-oauth-basic)?)?$/;
/** Backslashes in a row: JSON inside a string inside a string has seven. More are no encoding, and to count them would cost. */
const MAX_ESCAPES = 8;
const AT = 0x40;
const SLASH = 0x2f;

/** Of a Secret: the values of `data` and `stringData`, or all of either when it is no map, and annotations that hold a copy. */
export function findSecretValues(bytes: Buffer, found: OnPlace): void {
  walkObject(bytes, 0, bytes.length, (key, keyEnd, value) => {
    const name = textOf(bytes, key, keyEnd);
    if (name !== 'data' && name !== 'stringData') return skipValue(bytes, value, bytes.length);
    if (bytes[value] !== OPEN_OBJECT) return foundValue(bytes, value, found);
    return walkObject(bytes, value, bytes.length, (_key, _keyEnd, inner) => foundValue(bytes, inner, found));
  });
  findPath(bytes, ANNOTATIONS, (start, end) => {
    if (holdsObject(textOf(bytes, start, end) ?? '')) found(start, end, false);
  });
}

/** As JSON or YAML, a list of them or of edits, or packed, whoever keeps it: more do than {@link findLastApplied} knows. */
function holdsObject(annotation: string): boolean {
  return /^\s*(?:\{|\[\s*\{)|\b(?:stringData|data)["']?\s*:|^(?:H4sI|eyJ)/.test(annotation);
}

/** What is kept of the last applied manifest, in annotations at any depth: a second copy of every secret in it. */
export function findLastApplied(bytes: Buffer, found: OnPlace): void {
  visitNested(bytes, ANNOTATIONS_KEY, ANNOTATIONS_END, (annotations) => {
    if (bytes[annotations] !== OPEN_OBJECT) return undefined;
    return walkObject(bytes, annotations, bytes.length, (key, keyEnd, value) =>
      KEPT_MANIFESTS.some((kept) => isToken(bytes, key, keyEnd, kept))
        ? foundValue(bytes, value, found)
        : skipValue(bytes, value, bytes.length),
    );
  });
}

/**
 * The values in `env`, at any depth, whose name is secret: of a list as in a container, or of a map as in the values of a chart.
 * One inside another too, but not without end, so that the work stays linear.
 */
export function findEnvValues(bytes: Buffer, isSecretName: (name: string) => boolean, found: OnPlace): void {
  visitNested(bytes, ENV, ENV_END, (list) => {
    if (bytes[list] === OPEN_OBJECT) {
      return walkObject(bytes, list, bytes.length, (key, keyEnd, value) =>
        isSecretName(textOf(bytes, key, keyEnd) ?? '')
          ? foundSetting(bytes, value, found)
          : skipValue(bytes, value, bytes.length),
      );
    }
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
      if (value >= 0 && name !== undefined && isSecretName(name)) foundValue(bytes, value, found);
      return end;
    });
  });
}

/** Text, a number, or an object with a `value`; one that says where the value comes from holds no secret. */
function foundSetting(bytes: Buffer, value: number, found: OnPlace): number {
  if (bytes[value] === OPEN_ARRAY) return skipValue(bytes, value, bytes.length);
  if (bytes[value] !== OPEN_OBJECT) return foundValue(bytes, value, found);
  return walkObject(bytes, value, bytes.length, (key, keyEnd, inner) =>
    isToken(bytes, key, keyEnd, VALUE) ? foundValue(bytes, inner, found) : skipValue(bytes, inner, bytes.length),
  );
}

/** The password of `scheme://user:password@host`, or the token of `https://token@host`, in any string. */
export function findUrlPasswords(bytes: Buffer, found: OnPlace): void {
  let previous = -1;
  for (let at = bytes.indexOf(AT); at !== -1; at = bytes.indexOf(AT, at + 1)) {
    const start = userInfoBefore(bytes, at, previous);
    // A password may hold an @ that was not encoded: the last one before the end of the host counts.
    if (start !== undefined) at = lastAt(bytes, at);
    previous = at;
    if (start === undefined) continue;
    if (HIDDEN_USER.test(bytes.toString('latin1', start, at))) continue;
    const colon = bytes.subarray(start, at).indexOf(COLON);
    const [user, password] = colon === -1 ? [at, at] : [start + colon, start + colon + 1];
    if (password < at && !isToken(bytes, password, at, NO_PASSWORD)) found(password, at, true);
    else if (start < user && isHttp(bytes, start)) found(start, user, true);
  }
}

/** Whatever a configured path leads to. */
export function findPath(bytes: Buffer, path: FieldPath, found: OnPlace): void {
  findBelow(bytes, 0, path, 0, found);
}

function findBelow(bytes: Buffer, value: number, path: FieldPath, depth: number, found: OnPlace): number {
  const step = path[depth];
  if (step === undefined) return foundValue(bytes, value, found);
  const next = (start: number, matches: boolean) =>
    matches ? findBelow(bytes, start, path, depth + 1, found) : skipValue(bytes, start, bytes.length);
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

/** Null says that there is nothing. */
function foundValue(bytes: Buffer, value: number, found: OnPlace): number {
  const end = skipValue(bytes, value, bytes.length);
  if (bytes.toString('latin1', value, end) !== 'null') found(value, end, false);
  return end;
}

/**
 * {@link valuesOf} by a callback that answers where the value ends, or undefined of one that it did not look into. One inside of
 * another is visited too, but not without end, so that the work stays linear.
 */
function visitNested(bytes: Buffer, key: Buffer, tail: Buffer, visit: (value: number) => number | undefined): void {
  /** Where those end that the one at hand is inside of. */
  let around: number[] = [];
  for (const value of valuesOf(bytes, key, tail)) {
    around = around.filter((end) => end > value);
    const end = around.length < MAX_NESTED ? visit(value) : undefined;
    if (end !== undefined) around.push(end);
  }
}

/**
 * Where the values of every member with this key begin. In a string the quotes are escaped, so that a look-alike does not match.
 *
 * @param tail what is searched for: the end of the key
 */
function* valuesOf(bytes: Buffer, key: Buffer, tail = key): Generator<number> {
  for (let at = bytes.indexOf(tail); at !== -1; at = bytes.indexOf(tail, at + 1)) {
    const end = at + tail.length;
    if (!isToken(bytes, end - key.length, end, key)) continue;
    const colon = skipSpace(bytes, end, bytes.length);
    if (bytes[colon] === COLON) yield skipSpace(bytes, colon + 1, bytes.length);
  }
}

/** Where the user info that ends at an @ begins: after `://`. Not looked for beyond the @ before it, so that many of them cost no more. */
function userInfoBefore(bytes: Buffer, at: number, previous: number): number | undefined {
  let i = at - 1;
  while (i > previous && isInAuthority(bytes, i)) i--;
  if (i <= previous || bytes[i] !== SLASH) return undefined;
  const slash = beforeEscape(bytes, i);
  return bytes[slash] === SLASH && bytes[beforeEscape(bytes, slash)] === COLON ? i + 1 : undefined;
}

/** The index before `i` and what escapes it: JSON inside a string may write `\/` for a slash. */
function beforeEscape(bytes: Buffer, i: number): number {
  const least = i - 1 - MAX_ESCAPES;
  let before = i - 1;
  while (before > least && bytes[before] === BACKSLASH) before--;
  return before;
}

/** Where nobody logs in with a name alone; `ssh://git@host` is no secret. @param start of the user info */
function isHttp(bytes: Buffer, start: number): boolean {
  return /https?:\\*\/\\*\/$/i.test(bytes.toString('latin1', Math.max(0, start - 8 - 2 * MAX_ESCAPES), start));
}

function lastAt(bytes: Buffer, at: number): number {
  for (let i = at + 1; i < bytes.length && isInAuthority(bytes, i); i++) {
    if (bytes[i] === AT) at = i;
  }
  return at;
}

/** Neither the end of the string, nor white space (escaped or not), nor what ends an authority. */
function isInAuthority(bytes: Buffer, i: number): boolean {
  const byte = bytes[i] ?? 0;
  if (byte <= 0x20 || byte === QUOTE || byte === SLASH || byte === 0x3f || byte === 0x23) return false;
  if (byte === BACKSLASH) return isUnicodeEscape(bytes, i);
  return bytes[i - 1] !== BACKSLASH || byte === 0x75;
}

/** Of JSON inside a string the backslash before the `u` is escaped itself: `\\u0026`. */
function isUnicodeEscape(bytes: Buffer, i: number): boolean {
  let at = i + 1;
  while (at - i < MAX_ESCAPES && bytes[at] === BACKSLASH) at++;
  return bytes[at] === 0x75;
}
