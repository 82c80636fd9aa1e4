/**
 * Which fields of an object are remembered and which the digest leaves out, and the walk that finds them in its bytes: into
 * known fields, past everything else.
 */
import { CLOSE_OBJECT, OPEN_OBJECT } from './bytes.ts';
import { MemberCuts } from './digest.ts';
import { isToken, Members, skipFlatArray, skipValue } from './scan.ts';

/** The position of a member: start of its key, start and end of its value. */
export interface Span {
  readonly key: number;
  readonly start: number;
  readonly end: number;
}

/** Members whose positions are remembered. */
export interface MemberSpans {
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
  /** In JSON, with its quotes. */
  readonly key: Buffer;
  remember: keyof MemberSpans | undefined;
  /** Not part of the digest. */
  cut: boolean;
  readonly fields: Field[];
}

/** The result of the walk. */
export interface Found {
  readonly spans: Readonly<MemberSpans>;
  /** Pairs of start and end of what the digest leaves out, in ascending order. */
  readonly cuts: readonly number[];
  /** Index after the object. */
  readonly end: number;
  /** False if part of the object was skipped unread. */
  readonly isWhole: boolean;
}

export class FieldTree {
  readonly #root = newField('');
  /** The last field before the status if the status is the only cut; otherwise undefined. */
  readonly #beforeStatus: Field | undefined;

  /** @param except roots to omit from digests (see Interest), besides `kind`, `apiVersion`, `resourceVersion`, `managedFields` */
  constructor(except: readonly string[]) {
    for (const name of ['name', 'namespace', 'uid'] as const) this.#field('metadata', name).remember = name;
    // Lists of built-in kinds omit kind and apiVersion: included, the digest would differ from that of the watch.
    for (const name of ['kind', 'apiVersion'] as const) Object.assign(this.#field(name), { remember: name, cut: true });
    for (const name of ['resourceVersion', 'managedFields'] as const) {
      Object.assign(this.#field('metadata', name), { remember: name, cut: true });
    }
    for (const root of except) this.#field(...stepsOf(root)).cut = true;
    this.#beforeStatus = this.#fieldBeforeStatus();
  }

  /**
   * @param endsLine only the end of the event follows the object, so what is neither remembered nor cut may be skipped
   * @throws ScanError if no object begins at `start`, or it is broken, or it does not end before `end`
   */
  find(bytes: Buffer, start: number, end: number, endsLine: boolean): Found {
    const spans: MemberSpans = {
      kind: undefined,
      apiVersion: undefined,
      name: undefined,
      namespace: undefined,
      uid: undefined,
      resourceVersion: undefined,
      managedFields: undefined,
    };
    const beforeStatus = endsLine ? this.#beforeStatus : undefined;
    const scan: Walk = { bytes, end, spans, cuts: [], beforeStatus, isWhole: true };
    const after = walk(scan, this.#root, start);
    return { spans, cuts: scan.cuts, end: after, isWhole: scan.isWhole };
  }

  #fieldBeforeStatus(): Field | undefined {
    const metadata = this.#field('metadata');
    const ahead = ['kind', 'apiVersion', 'metadata', 'status'].map(keyOf);
    const isOnlyStatus = this.#root.fields.every(({ key }) => ahead.some((name) => key.equals(name)));
    return isOnlyStatus && !metadata.cut && this.#field('status').cut ? metadata : undefined;
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

const STATUS = Buffer.from(',"status":{');

interface Walk {
  readonly bytes: Buffer;
  readonly end: number;
  readonly spans: MemberSpans;
  readonly cuts: number[];
  readonly beforeStatus: Field | undefined;
  isWhole: boolean;
}

/** Descends into known fields and skips everything else. */
function walk(scan: Walk, parent: Field, start: number): number {
  const { bytes, end, spans } = scan;
  const cuts = new MemberCuts(scan.cuts);
  const members = new Members(bytes, start, end);
  while (members.next()) {
    const { key, value } = members;
    const field = find(parent.fields, bytes, key, members.keyEnd);
    if (field?.cut !== true) cuts.keep(key);
    const valueEnd = field === undefined ? skipValue(bytes, value, end) : walkField(scan, field, value);
    members.valueEnd = valueEnd;
    if (field?.remember !== undefined) spans[field.remember] = { key, start: value, end: valueEnd };
    if (field?.cut === true) cuts.cut(key, valueEnd);
    else cuts.kept(valueEnd);
    const status = field !== undefined && field === scan.beforeStatus ? lastStatus(scan, valueEnd) : undefined;
    if (status === undefined) continue;
    scan.isWhole = false;
    cuts.kept(status);
    cuts.cut(status + 1, end - 2);
    members.valueEnd = end - 2;
  }
  cuts.done();
  return members.valueEnd;
}

/**
 * The index of the comma before the status, if the status is provably the last member of an object that ends its line. Only the
 * status is read, not the spec before it. Most events change nothing else, and this halves their cost.
 *
 * A quote without a backslash before it begins or ends a string. No string can end right before `status`, so what was found is
 * a key, or not JSON at all; its value ends where the object does, so it is a member of that object and not of a nested one.
 */
function lastStatus({ bytes, end, spans }: Walk, from: number): number | undefined {
  if (spans.kind === undefined || spans.apiVersion === undefined) return undefined;
  if (bytes[end - 1] !== CLOSE_OBJECT || bytes[end - 2] !== CLOSE_OBJECT) return undefined;
  const comma = bytes.lastIndexOf(STATUS, end);
  // White space before the comma belongs to no member, and the full walk would leave it out of the digest.
  if (comma < from || (bytes[comma - 1] ?? 0) <= 0x20) return undefined;
  const value = comma + STATUS.length - 1;
  try {
    return skipValue(bytes, value, end) === end - 2 ? comma : undefined;
  } catch {
    return undefined;
  }
}

function walkField(scan: Walk, field: Field, value: number): number {
  const { bytes, end } = scan;
  if (field.remember === 'managedFields') return skipFlatArray(bytes, value, end);
  const shouldDescend = field.fields.length > 0 && !field.cut && bytes[value] === OPEN_OBJECT;
  return shouldDescend ? walk(scan, field, value) : skipValue(bytes, value, end);
}

/** A handful of fields: comparing lengths first beats any table. */
function find(fields: readonly Field[], bytes: Buffer, key: number, keyEnd: number): Field | undefined {
  for (const field of fields) {
    if (isToken(bytes, key, keyEnd, field.key)) return field;
  }
  return undefined;
}

function newField(name: string): Field {
  return { key: keyOf(name), remember: undefined, cut: false, fields: [] };
}

function keyOf(name: string): Buffer {
  return Buffer.from(JSON.stringify(name));
}

/** `metadata.annotations["deployment.kubernetes.io/revision"]` -> its three keys. See Interest. */
function stepsOf(root: string): string[] {
  return [...root.matchAll(/\[("(?:[^"\\]|\\.)*")\]|[^.[\]]+/g)].map(([step, quoted]) =>
    quoted === undefined ? step : (JSON.parse(quoted) as string),
  );
}
