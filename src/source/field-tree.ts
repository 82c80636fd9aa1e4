/**
 * Which fields of an object are remembered, which the digest leaves out, and the walk that finds them in its bytes: down the
 * fields that are known, over everything else.
 */
import { CLOSE_OBJECT, OPEN_OBJECT } from './bytes.ts';
import { MemberCuts } from './digest.ts';
import { isToken, Members, skipFlatArray, skipValue } from './scan.ts';

/** Where a member is: its key, its value, and the end of its value. */
export interface Span {
  readonly key: number;
  readonly start: number;
  readonly end: number;
}

/** Members whose places are remembered; the others are passed over. */
export interface Places {
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
  remember: keyof Places | undefined;
  /** Not part of the digest. */
  cut: boolean;
  readonly fields: Field[];
}

/** What the walk has found. */
export interface Found {
  readonly places: Readonly<Places>;
  /** From and to of what the digest leaves out, in ascending order. */
  readonly cuts: readonly number[];
  /** Index after the object. */
  readonly end: number;
  /** False: some of it was passed over unread. */
  readonly isWhole: boolean;
}

export class FieldTree {
  readonly #root = newField('');
  /** The field after which only the status is cut; undefined: something else is, or the status is not. */
  readonly #beforeStatus: Field | undefined;

  /** @param except roots that the digest leaves out (see Interest); `kind`, `apiVersion`, `resourceVersion` and `managedFields` it always does. */
  constructor(except: readonly string[]) {
    for (const name of ['name', 'namespace', 'uid'] as const) this.#field('metadata', name).remember = name;
    // Lists of built-in kinds leave kind and apiVersion out: with them a digest would differ from that of the watch.
    for (const name of ['kind', 'apiVersion'] as const) Object.assign(this.#field(name), { remember: name, cut: true });
    for (const name of ['resourceVersion', 'managedFields'] as const) {
      Object.assign(this.#field('metadata', name), { remember: name, cut: true });
    }
    for (const root of except) this.#field(...stepsOf(root)).cut = true;
    this.#beforeStatus = this.#fieldBeforeStatus();
  }

  /**
   * @param endsLine nothing but the end of the event follows the object. Then what is neither remembered nor cut may be passed over
   * @throws ScanError when no object begins at `start`, or it is broken, or it does not end before `end`
   */
  find(bytes: Buffer, start: number, end: number, endsLine: boolean): Found {
    const places: Places = {
      kind: undefined,
      apiVersion: undefined,
      name: undefined,
      namespace: undefined,
      uid: undefined,
      resourceVersion: undefined,
      managedFields: undefined,
    };
    const beforeStatus = endsLine ? this.#beforeStatus : undefined;
    const scan: Walk = { bytes, end, places, cuts: [], beforeStatus, isWhole: true };
    const after = walk(scan, this.#root, start);
    return { places, cuts: scan.cuts, end: after, isWhole: scan.isWhole };
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
  readonly places: Places;
  readonly cuts: number[];
  readonly beforeStatus: Field | undefined;
  isWhole: boolean;
}

/** Down the fields that are known, over everything else. */
function walk(scan: Walk, parent: Field, start: number): number {
  const { bytes, end, places } = scan;
  const cuts = new MemberCuts(scan.cuts);
  const members = new Members(bytes, start, end);
  while (members.next()) {
    const { key, value } = members;
    const field = find(parent.fields, bytes, key, members.keyEnd);
    if (field?.cut !== true) cuts.keep(key);
    const valueEnd = field === undefined ? skipValue(bytes, value, end) : walkField(scan, field, value);
    members.valueEnd = valueEnd;
    if (field?.remember !== undefined) places[field.remember] = { key, start: value, end: valueEnd };
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
 * Where the comma before the status stands, when it is shown that the status is the last member of an object that ends its line:
 * by looking at the status alone, and not at the spec before it. Most events change nothing else, and cost half as much for it.
 *
 * A quote without a backslash before it begins or ends a string. None ends before `status`, so that what was found is a key, or
 * the beginning of what is no JSON; its value ends where the object does, so that it is a member of that object and of none inside.
 */
function lastStatus({ bytes, end, places }: Walk, from: number): number | undefined {
  if (places.kind === undefined || places.apiVersion === undefined) return undefined;
  if (bytes[end - 1] !== CLOSE_OBJECT || bytes[end - 2] !== CLOSE_OBJECT) return undefined;
  const comma = bytes.lastIndexOf(STATUS, end);
  // White space before the comma belongs to no member: the way over every member leaves it out of the digest.
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
