/**
 * One object as the server sent it, read from its bytes without parsing: who it is, what was cut from it, and a digest of what
 * the chains read. Only an object that turns out to be a change is copied, and only a handler that asks parses it.
 */
import { apiVersionOf, type Gvk } from '../change.ts';
import { powerOf, REPEAT_FIELDS } from '../event.ts';
import type { Interest } from '../interest.ts';
import { COMMA } from './bytes.ts';
import type { Digester } from './digest.ts';
import { FieldTree, type Found, type Span } from './field-tree.ts';
import { occurrencesIn } from './occurrences.ts';
import { isToken, ScanError, skipSpace, skipValue, textOf } from './scan.ts';

/** Reads the objects of one kind. Reusable: holds nothing of what it has read. */
export class ManifestReader {
  readonly #fields: FieldTree;
  readonly #expected: Expected;
  readonly #digestOf: DigestOf;

  /**
   * @param kind of every object of the scope
   * @param interest what the digest leaves out; `kind`, `apiVersion`, `resourceVersion` and `managedFields` always.
   */
  constructor(kind: Gvk, interest: Interest, digester: Digester) {
    const { repeats = 'every' } = interest;
    const text = (value: string) => Buffer.from(JSON.stringify(value));
    this.#expected = { kind: text(kind.kind), apiVersion: text(apiVersionOf(kind)) };
    const digestOf: DigestOf = ({ bytes, start, found }) => digester.digest(bytes, start, found.end, found.cuts);
    this.#digestOf = repeats === 'powers' ? withPower(digestOf) : digestOf;
    this.#fields = new FieldTree(repeats === 'every' ? interest.except : [...interest.except, ...REPEAT_FIELDS]);
  }

  /**
   * @param start where the object begins
   * @param endsLine nothing but the end of the event follows the object. Then what the digest keeps may be passed over unread: a
   * broken object has a digest of its own, and {@link ScannedManifest.body} finds out.
   * @throws ScanError when none begins there, or it is broken, or it does not end before `end`
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

/** Where it was read. */
interface Source {
  readonly bytes: Buffer;
  readonly start: number;
  readonly found: Found;
}

type DigestOf = (source: Source) => number;

/** The last five of a digest's 52 bits, which hold a power from 0 to 31. */
const POWER_BITS = 32;

/** Differs, too, when an Event's count has reached or passed a power of two, and stays when it has not. */
function withPower(digestOf: DigestOf): DigestOf {
  return (source) => {
    const digest = digestOf(source);
    const event = source.bytes.subarray(source.start, source.found.end);
    return digest - (digest % POWER_BITS) + powerOf(occurrencesIn(event));
  };
}

/** A view into the bytes it was read from: use it before they are reused, and keep only what its methods copy. */
export class ScannedManifest {
  /** `namespace/name` or `name`; empty when there is no name. */
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
    const { places } = source.found;
    const name = this.#text(places.name);
    const namespace = this.#text(places.namespace);
    this.key = name === '' || namespace === '' ? name : `${namespace}/${name}`;
    this.uid = this.#text(places.uid);
    this.resourceVersion = this.#text(places.resourceVersion);
  }

  /** Index after the closing brace. */
  get end(): number {
    return this.#source.found.end;
  }

  /** Why this is no object of the kind that was asked for, or undefined when it is one. */
  get problem(): string | undefined {
    if (this.key === '') return 'it has no metadata.name';
    if (this.uid === '') return 'it has no metadata.uid';
    if (this.resourceVersion === '') return 'it has no metadata.resourceVersion';
    return this.isOfOtherKind ? 'it is of another kind' : undefined;
  }

  get isOfOtherKind(): boolean {
    return !this.#isExpected('kind') || !this.#isExpected('apiVersion');
  }

  /** Of all fields that the interest does not leave out: when equal, no chain would see a difference. */
  digest(): number {
    return this.#digestOf(this.#source);
  }

  /**
   * A copy without managedFields, with kind and apiVersion filled in where a list left them out. Not redacted yet.
   *
   * @throws ScanError when what was passed over is broken
   */
  body(): Buffer {
    const { bytes, start, found } = this.#source;
    const { end, places, isWhole } = found;
    if (!isWhole && skipValue(bytes, start, end) !== end) throw new ScanError('the end of the object', end);
    const [from, to] = places.managedFields === undefined ? [end, end] : withComma(bytes, places.managedFields);
    const parts = [bytes.subarray(start + 1, from), bytes.subarray(to, end)];
    if (places.apiVersion === undefined) parts.unshift(API_VERSION, this.#expected.apiVersion, AND);
    if (places.kind === undefined) parts.unshift(KIND, this.#expected.kind, AND);
    return Buffer.concat([BRACE, ...parts]);
  }

  /** A copy of what {@link body} leaves out: the `metadata.managedFields` array. */
  managedFields(): Buffer | undefined {
    const { bytes, found } = this.#source;
    const span = found.places.managedFields;
    return span === undefined ? undefined : Buffer.from(bytes.subarray(span.start, span.end));
  }

  /** The object's own text, for what is no manifest, such as a Status. */
  source(): Buffer {
    const { bytes, start, found } = this.#source;
    return bytes.subarray(start, found.end);
  }

  #text(span: Span | undefined): string {
    return span === undefined ? '' : (textOf(this.#source.bytes, span.start, span.end) ?? '');
  }

  /** Absent counts as expected. */
  #isExpected(name: keyof Expected): boolean {
    const span = this.#source.found.places[name];
    return span === undefined || isToken(this.#source.bytes, span.start, span.end, this.#expected[name]);
  }
}

const BRACE = Buffer.from('{');
const AND = Buffer.from(',');
const KIND = Buffer.from('"kind":');
const API_VERSION = Buffer.from('"apiVersion":');

/** From and to of a member with one of the commas beside it. */
function withComma(bytes: Buffer, { key, end }: Span): [from: number, to: number] {
  let before = key - 1;
  while (bytes[before] === 0x20 || bytes[before] === 0x0a || bytes[before] === 0x0d || bytes[before] === 0x09) before--;
  if (bytes[before] === COMMA) return [before, end];
  const after = skipSpace(bytes, end, bytes.length);
  return bytes[after] === COMMA ? [key, after + 1] : [key, end];
}
