/**
 * One object as the server sent it, read from its bytes without parsing: its identity, what was cut from it, and a digest of what
 * the chains read. It is copied only if it turns out to be a change, and parsed only if a handler asks for it.
 */
import { apiVersionOf, type Gvk } from '../change.ts';
import { floorLog2, REPEAT_FIELDS } from '../event.ts';
import type { Interest } from '../interest.ts';
import { COMMA } from './bytes.ts';
import type { Digester } from './digest.ts';
import { FieldTree, type Found, type Span } from './field-tree.ts';
import { occurrencesIn } from './occurrences.ts';
import { isSpace, isToken, ScanError, skipSpace, skipValue, textOf } from './scan.ts';

/** Reads the objects of one kind. Reusable: keeps nothing of what it has read. */
export class ManifestReader {
  readonly #fields: FieldTree;
  readonly #expected: Expected;
  readonly #digestOf: DigestOf;

  /**
   * @param kind of every object of the scope
   * @param interest what the digest leaves out, besides `kind`, `apiVersion`, `resourceVersion` and `managedFields`
   */
  constructor(kind: Gvk, interest: Interest, digester: Digester) {
    const { repeats = 'every' } = interest;
    const text = (value: string) => Buffer.from(JSON.stringify(value));
    this.#expected = { kind: text(kind.kind), apiVersion: text(apiVersionOf(kind)) };
    const digestOf: DigestOf = ({ bytes, start, found }) => digester.digest(bytes, start, found.end, found.cuts);
    this.#digestOf = repeats === 'powers' ? withPowerOfTwo(digestOf) : digestOf;
    this.#fields = new FieldTree(repeats === 'every' ? interest.except : [...interest.except, ...REPEAT_FIELDS]);
  }

  /**
   * @param start where the object begins
   * @param endsLine only the end of the event follows the object. Then what the digest keeps may be skipped unread: a
   * broken object has a different digest, and {@link ScannedManifest.body} detects it.
   * @throws ScanError if no object begins there, or it is broken, or it does not end before `end`
   */
  read(bytes: Buffer, start: number, end: number, endsLine = false): ScannedManifest {
    const found = this.#fields.find(bytes, start, end, endsLine);
    return new ScannedManifest({ bytes, start, found }, this.#expected, this.#digestOf);
  }
}

interface Expected {
  readonly kind: Buffer;
  readonly apiVersion: Buffer;
}

/** The bytes that an object was read from. */
interface Source {
  readonly bytes: Buffer;
  readonly start: number;
  readonly found: Found;
}

type DigestOf = (source: Source) => number;

/** The lowest 5 of a digest's 52 bits hold a power from 0 to 31. */
const POWERS = 32;

/** A digest that also changes whenever an Event's count reaches or passes a power of two, and only then. */
function withPowerOfTwo(digestOf: DigestOf): DigestOf {
  return (source) => {
    const digest = digestOf(source);
    const event = source.bytes.subarray(source.start, source.found.end);
    return digest - (digest % POWERS) + floorLog2(occurrencesIn(event));
  };
}

/** A view into the bytes it was read from: use it before they are reused, and keep only copies that its methods make. */
export class ScannedManifest {
  /** `namespace/name` or `name`; empty if it has no name. */
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly #source: Source;
  readonly #expected: Expected;
  readonly #digestOf: DigestOf;

  constructor(source: Source, expected: Expected, digestOf: DigestOf) {
    this.#source = source;
    this.#expected = expected;
    this.#digestOf = digestOf;
    const { spans } = source.found;
    const name = this.#text(spans.name);
    const namespace = this.#text(spans.namespace);
    this.key = name === '' || namespace === '' ? name : `${namespace}/${name}`;
    this.uid = this.#text(spans.uid);
    this.resourceVersion = this.#text(spans.resourceVersion);
  }

  /** Index after the closing brace. */
  get end(): number {
    return this.#source.found.end;
  }

  /** Why this is not a valid object of the expected kind; undefined if it is. */
  get problem(): string | undefined {
    if (this.key === '') return 'it has no metadata.name';
    if (this.uid === '') return 'it has no metadata.uid';
    if (this.resourceVersion === '') return 'it has no metadata.resourceVersion';
    return this.isOfOtherKind ? 'it is of another kind' : undefined;
  }

  get isOfOtherKind(): boolean {
    return !this.#isExpected('kind') || !this.#isExpected('apiVersion');
  }

  /** Covers all fields that the interest does not leave out: if equal, no chain would see a difference. */
  digest(): number {
    return this.#digestOf(this.#source);
  }

  /**
   * A copy without managedFields, with kind and apiVersion filled in if a list left them out. Not redacted yet.
   *
   * @throws ScanError if a skipped part is broken
   */
  body(): Buffer {
    const { bytes, start, found } = this.#source;
    const { end, spans, isWhole } = found;
    if (!isWhole && skipValue(bytes, start, end) !== end) throw new ScanError('the end of the object', end);
    const [from, to] = spans.managedFields === undefined ? [end, end] : withComma(bytes, spans.managedFields);
    const parts = [bytes.subarray(start + 1, from), bytes.subarray(to, end)];
    if (spans.apiVersion === undefined) parts.unshift(API_VERSION, this.#expected.apiVersion, COMMA_TEXT);
    if (spans.kind === undefined) parts.unshift(KIND, this.#expected.kind, COMMA_TEXT);
    return Buffer.concat([BRACE, ...parts]);
  }

  /** A copy of what {@link body} leaves out: the `metadata.managedFields` array. */
  managedFields(): Buffer | undefined {
    const { bytes, found } = this.#source;
    const span = found.spans.managedFields;
    return span === undefined ? undefined : Buffer.from(bytes.subarray(span.start, span.end));
  }

  /** The object's own text, for objects that are not manifests, such as a Status. */
  source(): Buffer {
    const { bytes, start, found } = this.#source;
    return bytes.subarray(start, found.end);
  }

  #text(span: Span | undefined): string {
    return span === undefined ? '' : (textOf(this.#source.bytes, span.start, span.end) ?? '');
  }

  /** Absent counts as expected. */
  #isExpected(name: keyof Expected): boolean {
    const span = this.#source.found.spans[name];
    return span === undefined || isToken(this.#source.bytes, span.start, span.end, this.#expected[name]);
  }
}

const BRACE = Buffer.from('{');
const COMMA_TEXT = Buffer.from(',');
const KIND = Buffer.from('"kind":');
const API_VERSION = Buffer.from('"apiVersion":');

/** Start and end of a member, including one adjacent comma. */
function withComma(bytes: Buffer, { key, end }: Span): [from: number, to: number] {
  let before = key - 1;
  while (isSpace(bytes[before])) before--;
  if (bytes[before] === COMMA) return [before, end];
  const after = skipSpace(bytes, end, bytes.length);
  return bytes[after] === COMMA ? [key, after + 1] : [key, end];
}
