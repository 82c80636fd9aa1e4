/**
 * One object as the server sent it, read from its bytes without parsing: who it is, what was cut from it, and a digest of what
 * the chains read. Only an object that turns out to be a change is copied, and only a handler that asks parses it.
 */
import { powerOf, REPEAT_FIELDS } from '../event.ts';
import type { Interest } from '../interest.ts';
import { type Digester, MemberCuts } from './digest.ts';
import { occurrencesIn } from './occurrences.ts';
import { COMMA, isToken, OPEN_OBJECT, skipFlatArray, skipSpace, skipValue, textOf, walkObject } from './scan.ts';

/** What is known beforehand of every object of a scope. */
export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** `v1`, `apps/v1`. */
export function apiVersionOf({ group, version }: Pick<Kind, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** Where a member is: its key, its value, and the end of its value. */
interface Span {
  readonly key: number;
  readonly start: number;
  readonly end: number;
}

/** Members whose places are remembered; the others are passed over. */
interface Members {
  kind: Span | undefined;
  apiVersion: Span | undefined;
  name: Span | undefined;
  namespace: Span | undefined;
  uid: Span | undefined;
  resourceVersion: Span | undefined;
  managedFields: Span | undefined;
}

/** A field on the way to something that is remembered or cut. */
interface Field {
  /** With its quotes, as it stands in JSON. */
  readonly key: Buffer;
  remember: keyof Members | undefined;
  /** Not part of the digest. */
  cut: boolean;
  readonly fields: Field[];
}

/** Reads the objects of one kind. Reusable: holds nothing of what it has read. */
export class ManifestReader {
  readonly #root = newField('');
  readonly #expected: Expected;
  readonly #digestOf: DigestOf;

  /** @param interest what the digest leaves out; `kind`, `apiVersion`, `resourceVersion` and `managedFields` always. */
  constructor(kind: Kind, interest: Interest, digester: Digester) {
    const { repeats = 'every' } = interest;
    const text = (value: string) => Buffer.from(JSON.stringify(value));
    this.#expected = { kind: text(kind.kind), apiVersion: text(apiVersionOf(kind)) };
    const digestOf: DigestOf = ({ bytes, start, end, cuts }) => digester.digest(bytes, start, end, cuts);
    this.#digestOf = repeats === 'powers' ? withPower(digestOf) : digestOf;
    for (const name of ['name', 'namespace', 'uid'] as const) this.#field('metadata', name).remember = name;
    // Lists of built-in kinds leave kind and apiVersion out: with them a digest would differ from that of the watch.
    for (const name of ['kind', 'apiVersion'] as const) Object.assign(this.#field(name), { remember: name, cut: true });
    for (const name of ['resourceVersion', 'managedFields'] as const) {
      Object.assign(this.#field('metadata', name), { remember: name, cut: true });
    }
    const quiet = repeats === 'every' ? interest.except : [...interest.except, ...REPEAT_FIELDS];
    for (const root of quiet) this.#field(...stepsOf(root)).cut = true;
  }

  /**
   * @param start where the object begins
   * @throws ScanError when none begins there, or it is broken, or it does not end before `end`
   */
  read(bytes: Buffer, start: number, end: number): ScannedManifest {
    const members: Members = {
      kind: undefined,
      apiVersion: undefined,
      name: undefined,
      namespace: undefined,
      uid: undefined,
      resourceVersion: undefined,
      managedFields: undefined,
    };
    const cuts: number[] = [];
    const after = walk({ bytes, end, members, cuts }, this.#root, start);
    return new ScannedManifest({ bytes, start, end: after, members, cuts }, this.#expected, this.#digestOf);
  }

  #field(...path: string[]): Field {
    let field = this.#root;
    for (const step of path) {
      let next = field.fields.find(({ key }) => key.equals(keyOf(step)));
      if (next === undefined) field.fields.push((next = newField(step)));
      field = next;
    }
    return field;
  }
}

interface Expected {
  readonly kind: Buffer;
  readonly apiVersion: Buffer;
}

interface Found {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly members: Readonly<Members>;
  readonly cuts: readonly number[];
}

type DigestOf = (found: Found) => number;

/** The last five of a digest's 52 bits, which hold a power from 0 to 31. */
const POWER_BITS = 32;

/** Differs, too, when an Event's count has reached or passed a power of two, and stays when it has not. */
function withPower(digestOf: DigestOf): DigestOf {
  return (found) => {
    const digest = digestOf(found);
    return digest - (digest % POWER_BITS) + powerOf(occurrencesIn(found.bytes.subarray(found.start, found.end)));
  };
}

/** A view into the bytes it was read from: use it before they are reused, and keep only what its methods copy. */
export class ScannedManifest {
  /** `namespace/name` or `name`; empty when there is no name. */
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly #found: Found;
  readonly #expected: Expected;
  readonly #digestOf: DigestOf;

  constructor(found: Found, expected: Expected, digestOf: DigestOf) {
    this.#found = found;
    this.#expected = expected;
    this.#digestOf = digestOf;
    const { members } = found;
    const name = this.#text(members.name);
    const namespace = this.#text(members.namespace);
    this.key = name === '' || namespace === '' ? name : `${namespace}/${name}`;
    this.uid = this.#text(members.uid);
    this.resourceVersion = this.#text(members.resourceVersion);
  }

  /** Index after the closing brace. */
  get end(): number {
    return this.#found.end;
  }

  /** Why this is no object of the kind that was asked for, or undefined when it is one. */
  get problem(): string | undefined {
    if (this.key === '') return 'it has no metadata.name';
    if (this.uid === '') return 'it has no metadata.uid';
    if (this.resourceVersion === '') return 'it has no metadata.resourceVersion';
    if (!this.#isExpected('kind') || !this.#isExpected('apiVersion')) return 'it is of another kind';
    return undefined;
  }

  /** Of all fields that the interest does not leave out: when equal, no chain would see a difference. */
  digest(): number {
    return this.#digestOf(this.#found);
  }

  /** A copy without managedFields, with kind and apiVersion filled in where a list left them out. Not redacted yet. */
  body(): Buffer {
    const { bytes, start, end, members } = this.#found;
    const [from, to] = members.managedFields === undefined ? [end, end] : withComma(bytes, members.managedFields);
    const parts = [bytes.subarray(start + 1, from), bytes.subarray(to, end)];
    if (members.apiVersion === undefined) parts.unshift(API_VERSION, this.#expected.apiVersion, AND);
    if (members.kind === undefined) parts.unshift(KIND, this.#expected.kind, AND);
    return Buffer.concat([BRACE, ...parts]);
  }

  /** A copy of what {@link body} leaves out: the `metadata.managedFields` array. */
  managedFields(): Buffer | undefined {
    const { bytes, members } = this.#found;
    const span = members.managedFields;
    return span === undefined ? undefined : Buffer.from(bytes.subarray(span.start, span.end));
  }

  /** The object's own text, for what is no manifest, such as a Status. */
  source(): Buffer {
    const { bytes, start, end } = this.#found;
    return bytes.subarray(start, end);
  }

  #text(span: Span | undefined): string {
    return span === undefined ? '' : (textOf(this.#found.bytes, span.start, span.end) ?? '');
  }

  /** Absent counts as expected. */
  #isExpected(name: keyof Expected): boolean {
    const span = this.#found.members[name];
    return span === undefined || isToken(this.#found.bytes, span.start, span.end, this.#expected[name]);
  }
}

const BRACE = Buffer.from('{');
const AND = Buffer.from(',');
const KIND = Buffer.from('"kind":');
const API_VERSION = Buffer.from('"apiVersion":');

interface Walk {
  readonly bytes: Buffer;
  readonly end: number;
  readonly members: Members;
  readonly cuts: number[];
}

/** Down the fields that are known, over everything else. */
function walk(scan: Walk, parent: Field, start: number): number {
  const { bytes, end, members } = scan;
  const cuts = new MemberCuts(scan.cuts);
  const after = walkObject(bytes, start, end, (key, keyEnd, value) => {
    const field = find(parent.fields, bytes, key, keyEnd);
    if (field?.cut !== true) cuts.keep(key);
    const valueEnd = field === undefined ? skipValue(bytes, value, end) : walkField(scan, field, value);
    if (field?.remember !== undefined) members[field.remember] = { key, start: value, end: valueEnd };
    if (field?.cut === true) cuts.cut(key, valueEnd);
    else cuts.kept(valueEnd);
    return valueEnd;
  });
  cuts.done();
  return after;
}

function walkField(scan: Walk, field: Field, value: number): number {
  const { bytes, end } = scan;
  if (field.remember === 'managedFields') return skipFlatArray(bytes, value, end);
  const goDown = field.fields.length > 0 && !field.cut && bytes[value] === OPEN_OBJECT;
  return goDown ? walk(scan, field, value) : skipValue(bytes, value, end);
}

/** A handful of fields: comparing lengths first beats any table. */
function find(fields: readonly Field[], bytes: Buffer, key: number, keyEnd: number): Field | undefined {
  for (const field of fields) {
    if (isToken(bytes, key, keyEnd, field.key)) return field;
  }
  return undefined;
}

/** From and to of a member with one of the commas beside it. */
function withComma(bytes: Buffer, { key, end }: Span): [from: number, to: number] {
  let before = key - 1;
  while (bytes[before] === 0x20 || bytes[before] === 0x0a || bytes[before] === 0x0d || bytes[before] === 0x09) before--;
  if (bytes[before] === COMMA) return [before, end];
  const after = skipSpace(bytes, end, bytes.length);
  return bytes[after] === COMMA ? [key, after + 1] : [key, end];
}

function newField(name: string): Field {
  return { key: keyOf(name), remember: undefined, cut: false, fields: [] };
}

function keyOf(name: string): Buffer {
  return Buffer.from(JSON.stringify(name));
}

/** `metadata.annotations["deployment.kubernetes.io/revision"]` -> its three keys. See {@link Interest}. */
function stepsOf(root: string): string[] {
  return [...root.matchAll(/\[("(?:[^"\\]|\\.)*")\]|[^.[\]]+/g)].map(([step, quoted]) =>
    quoted === undefined ? step : (JSON.parse(quoted) as string),
  );
}
