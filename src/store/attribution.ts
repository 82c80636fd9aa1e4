/**
 * Who did it: the `metadata.managedFields` entries that a change added or altered.
 *
 * A baseline keeps only an 8-byte hash per entry, and the time of the newest one. An entry whose hash is not among them is new or
 * altered, and only those are parsed: a first list parses none.
 *
 * The API server records who sets a field, not who removes one: whoever owned that field loses it, so its entry changes, but not
 * the entry's time. Hence an altered entry that is not newer than the baseline does not name a writer.
 *
 * Whoever sets a field that it already owns alters its entry's time only: not at all within the same second, and not in the entry of
 * the `scale` subresource, which has none (measured with 1.36). Hence, where no entry names a writer, the owner of a value that
 * differs does: whoever sets a value owns it.
 */
import { hash } from 'node:crypto';
import type { Actor } from '../change.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { leafPaths, ownsDifference } from './fields-v1.ts';

/** Hexadecimal digits of a hash. */
const HASH_DIGITS = 13;

/** Times have second precision, so a writer may write again in the second of the baseline. Synchronized clocks differ by less. */
const SAME_SECOND_MS = 10_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The manifests of an update, to be parsed only if they are needed. */
export type Versions = () => readonly [before: Json, after: Json];

export interface AttributionContext {
  /** What was remembered of the entries of the baseline. Default: nothing. */
  readonly known?: Uint8Array | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** As of {@link Interest}. Default: none. */
  readonly except?: readonly string[];
  /** Only for an update. */
  readonly versions?: Versions | undefined;
}

export interface Attribution {
  /** Newest first; actors without a time come last. */
  readonly by: readonly Actor[];
  /** What to remember of all entries, to be kept beside the baseline. */
  readonly known: Uint8Array;
}

/** What to remember of the entries of a managedFields array (UTF-8 JSON); nothing of anything but an array. */
export function knownOf(managedFields: Uint8Array): Uint8Array {
  const entries = entriesOf(managedFields);
  return pack(entries.map(hashOf), newestOf(entries.map(timeIn)));
}

/**
 * The writers among the entries that are not `known`. A malformed entry is left out, so that a strange object is still accepted; so
 * is one that owns only fields that nobody reads: what it wrote was noise, perhaps long before this change.
 */
export function attribute(
  managedFields: Uint8Array,
  { known, now, except = [], versions }: AttributionContext,
): Attribution {
  const entries = entriesOf(managedFields);
  const hashes = entries.map(hashOf);
  const times = entries.map(timeIn);
  const newest = newestOf(times);
  const before = known === undefined ? NOTHING_KNOWN : unpack(known);
  const isAltered = (_: Uint8Array, i: number): boolean => !before.hashes.includes(hashes[i] ?? 0);
  const altered = parsedOf(entries.filter(isAltered)).map(actorOf);
  const writers = writersAmong(altered, before.newest, now).filter(
    ({ paths }) => paths.length === 0 || paths.some((path) => !isNoise(path, except)),
  );
  const mayHide = (_: Uint8Array, i: number): boolean => mayHideWriter(times[i] ?? '', newest, now);
  const by = writers.length > 0 ? writers : ownersAmong(entries.filter(mayHide), versions, except);
  return { by: by.toSorted((a, b) => compareTimes(b.time, a.time)), known: pack(hashes, newest) };
}

/** Whether a write may have left an entry as it was: one without a time, or with the time of a write of this second. */
function mayHideWriter(time: string, newest: number, now: number): boolean {
  return time === '' || (now - newest <= SAME_SECOND_MS && Date.parse(time) === newest);
}

/** Those that own a value that differs between the versions. */
function ownersAmong(
  entries: readonly Uint8Array[],
  versions: Versions | undefined,
  except: readonly string[],
): readonly Actor[] {
  if (entries.length === 0 || versions === undefined) return [];
  const [before, after] = versions();
  const isNoisy = (path: string): boolean => isNoise(path, except);
  return parsedOf(entries)
    .filter(({ fieldsV1 }) => ownsDifference(fieldsV1, before, after, isNoisy))
    .map(actorOf);
}

/** Those of the baseline's second only if nobody wrote later: whoever did may have taken their fields. */
function writersAmong(altered: readonly Actor[], newest: number, now: number): readonly Actor[] {
  const timeOf = ({ time }: Actor): number => (time === undefined ? NaN : Date.parse(time));
  const later = altered.filter((actor) => !(timeOf(actor) <= newest));
  return later.length > 0
    ? later
    : altered.filter((actor) => timeOf(actor) === newest && now - newest <= SAME_SECOND_MS);
}

/** Whether the path is inside an excepted root, or is a map around one, which belongs to anyone who adds to it. */
function isNoise(path: string, except: readonly string[]): boolean {
  return except.some((root) => isWithin(path, root) || isWithin(root, path));
}

function isWithin(path: string, root: string): boolean {
  return path.startsWith(root) && (path.length === root.length || '.['.includes(path.charAt(root.length)));
}

/** The bytes of each object in an array: one pass that recognises strings and braces, without parsing. */
function entriesOf(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      i = endOfString(bytes, i);
    } else if (byte === OPEN_BRACE) {
      if (depth++ === 0) start = i;
    } else if (byte === CLOSE_BRACE) {
      if (--depth === 0) entries.push(bytes.subarray(start, i + 1));
    }
  }
  return entries;
}

/** The index of the quote that closes the string which opens at `start`. */
function endOfString(bytes: Uint8Array, start: number): number {
  let i = start + 1;
  while (i < bytes.length && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return i;
}

/** 52 bits of a SHA-256, a safe integer. OpenSSL's SHA-256 takes a third of the time of a simpler hash in JavaScript. */
function hashOf(entry: Uint8Array): number {
  return Number.parseInt(hash('sha256', entry, 'hex').slice(0, HASH_DIGITS), 16);
}

interface Known {
  readonly hashes: readonly number[];
  /** Milliseconds since the epoch; NaN if unknown. */
  readonly newest: number;
}

const NOTHING_KNOWN: Known = { hashes: [], newest: NaN };

/** Numbers of 8 bytes: the hashes, then the time as a negative number, which no hash is; stores of earlier versions lack it. */
function pack(hashes: readonly number[], newest: number): Uint8Array {
  return new Uint8Array(new Float64Array(Number.isNaN(newest) ? hashes : [...hashes, -newest]).buffer);
}

function unpack(known: Uint8Array): Known {
  const hashes = [...new Float64Array(known.slice().buffer)];
  const newest = (hashes.at(-1) ?? 0) < 0 ? -(hashes.pop() ?? NaN) : NaN;
  return { hashes, newest };
}

/** The latest of the times, in milliseconds since the epoch; NaN without any. */
function newestOf(times: readonly string[]): number {
  return Date.parse(times.toSorted().at(-1) ?? '');
}

/** `"time":"` cannot occur inside a string, where quotes are escaped, and the names of fields have a prefix. Empty if absent. */
function timeIn(entry: Uint8Array): string {
  const bytes = bufferOf(entry);
  const at = bytes.indexOf('"time":"');
  if (at < 0) return '';
  const start = at + '"time":"'.length;
  return bytes.toString('latin1', start, endOfString(bytes, start - 1));
}

function actorOf({ manager, operation, subresource, time, fieldsV1 }: JsonObject): Actor {
  return {
    manager: typeof manager === 'string' ? manager : 'unknown',
    operation: operation === 'Apply' ? 'Apply' : 'Update',
    ...(typeof subresource === 'string' && subresource !== '' ? { subresource } : {}),
    ...(typeof time === 'string' ? { time } : {}),
    paths: leafPaths(fieldsV1),
  };
}

/** Without those that are malformed. */
function parsedOf(entries: readonly Uint8Array[]): readonly JsonObject[] {
  return entries.map(parseObject).filter((entry) => entry !== undefined);
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value = JSON.parse(bufferOf(bytes).toString()) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** RFC 3339 in UTC with second precision sorts as text. */
function compareTimes(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  return (a ?? '') < (b ?? '') ? -1 : 1;
}
