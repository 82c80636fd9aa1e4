/**
 * Finds secrets in what an object carries: whole Secrets, as in a list of manifests, and variables in lists and maps of any name.
 * Only some kinds can carry them, and these are searched only if they contain a word of what is looked for.
 */
import { BUILT_IN_KINDS } from './built-in-kinds.ts';
import { CLOSE_ARRAY, CLOSE_OBJECT, COLON, COMMA, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './bytes.ts';
import { isToken, ScanError, skipSpace, skipValue, textOf } from './scan.ts';
import { findSecretValues, type OnSpan } from './secret-spans.ts';

const CLOSED_KINDS: ReadonlySet<string> = new Set(BUILT_IN_KINDS.map(idOf));

/** Whether the schema of the kind may leave room for other objects: that of the common kinds of Kubernetes does not. */
export function mayCarry(kind: { readonly group: string; readonly kind: string }): boolean {
  return !CLOSED_KINDS.has(idOf(kind));
}

function idOf({ group, kind }: { readonly group: string; readonly kind: string }): string {
  return `${kind}.${group}`;
}

/** Without their first quote: a search for it would stop at every string. */
const MARKERS = ['Secret"', 'value"', 'nv'].map((word) => Buffer.from(word));
const KIND = Buffer.from('"kind"');
const SECRET = Buffer.from('"Secret"');
const NAME = Buffer.from('"name"');
const VALUE = Buffer.from('"value"');
const NULL = Buffer.from('null');
/** Fields of custom resources with variables: `env`, `extraEnv`, `envVars`, `env_vars`, `environment`; not `envFrom`, `envoy`. */
const ENVIRONMENT = /(?:^env|Env|[._-]env)(?:s|ironment|[._-]?[vV]ar|$)/;
/** Secrets in one another; the next one is hidden as a whole. Without a limit, time would grow with the square of the length. */
const MAX_NESTED = 8;

/**
 * The values of Secrets at any depth, but for the object itself; `value` beside a secret `name`; and the secret names in a map of
 * variables, with their values or with a `value` each.
 *
 * @throws ScanError if the bytes are broken
 */
export function findCarriedSecrets(bytes: Buffer, isSecretName: (name: string) => boolean, onSpan: OnSpan): void {
  if (!MARKERS.some((marker) => bytes.includes(marker))) return;
  const secrets = new CarrierScan(bytes, isSecretName, onSpan).scan();
  let enclosing: number[] = [];
  let hiddenUntil = 0;
  for (const secret of secrets.toSorted((a, b) => a - b)) {
    if (secret < hiddenUntil) continue;
    enclosing = enclosing.filter((end) => end > secret);
    if (enclosing.length < MAX_NESTED) {
      enclosing.push(findSecretValues(bytes, secret, onSpan));
    } else {
      hiddenUntil = skipValue(bytes, secret, bytes.length);
      onSpan(secret, hiddenUntil, false);
    }
  }
}

interface Text {
  readonly start: number;
  readonly end: number;
}

/** An object or array that has begun. */
interface Open {
  readonly start: number;
  readonly isObject: boolean;
  /** A map of variables. */
  readonly isEnvironment: boolean;
  /** Of the current member; undefined before each key, and in an array. */
  key: Text | undefined;
  /** Of the variable that it is. */
  name: Text | undefined;
  value: Text | undefined;
  isSecret: boolean;
}

/** One pass with a stack of its own: an object from elsewhere may be nested deeper than that of the runtime. */
class CarrierScan {
  readonly #bytes: Buffer;
  readonly #isSecretName: (name: string) => boolean;
  readonly #onSpan: OnSpan;
  readonly #open: Open[] = [];
  readonly #secrets: number[] = [];

  constructor(bytes: Buffer, isSecretName: (name: string) => boolean, onSpan: OnSpan) {
    this.#bytes = bytes;
    this.#isSecretName = isSecretName;
    this.#onSpan = onSpan;
  }

  /** Reports the variables. Returns where the Secrets begin. */
  scan(): readonly number[] {
    const bytes = this.#bytes;
    for (let i = skipSpace(bytes, 0, bytes.length); i < bytes.length; i = skipSpace(bytes, i, bytes.length)) {
      i = this.#step(i);
    }
    if (this.#open.length > 0) throw new ScanError('the end of an object or array', bytes.length);
    return this.#secrets;
  }

  /** Reads one token. Returns the index after it. */
  #step(i: number): number {
    const byte = this.#bytes[i];
    const inner = this.#open.at(-1);
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      this.#open.push(this.#begun(i, byte === OPEN_OBJECT, inner));
      return i + 1;
    }
    if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (inner === undefined) throw new ScanError('a value', i);
      this.#close(inner, i + 1);
      return i + 1;
    }
    if (byte === COMMA && inner !== undefined) inner.key = undefined;
    if (byte === COMMA || byte === COLON) return i + 1;
    const end = skipValue(this.#bytes, i, this.#bytes.length);
    if (byte === QUOTE && inner?.isObject === true && inner.key === undefined) inner.key = { start: i, end };
    else if (inner !== undefined) this.#member(inner, { start: i, end });
    return end;
  }

  #begun(start: number, isObject: boolean, parent: Open | undefined): Open {
    const key = parent?.key;
    const isEnvironment = isObject && key !== undefined && ENVIRONMENT.test(this.#text(key));
    const name = parent?.isEnvironment === true ? key : undefined;
    return { start, isObject, isEnvironment, key: undefined, name, value: undefined, isSecret: false };
  }

  #close(ended: Open, end: number): void {
    this.#open.pop();
    if (ended.name !== undefined && ended.value !== undefined) this.#variable(ended.name, ended.value);
    const parent = this.#open.at(-1);
    if (parent === undefined) return;
    if (ended.isSecret) this.#secrets.push(ended.start);
    // The setting of a variable is an object with its value, which has been reported.
    if (!parent.isEnvironment) this.#member(parent, { start: ended.start, end });
  }

  #member(object: Open, value: Text): void {
    const { key } = object;
    if (key === undefined) return;
    if (object.isEnvironment) this.#variable(key, value);
    if (this.#is(key, KIND)) object.isSecret = this.#is(value, SECRET);
    else if (this.#is(key, NAME)) object.name ??= value;
    else if (this.#is(key, VALUE)) object.value = value;
  }

  #variable(name: Text, value: Text): void {
    if (this.#is(value, NULL) || !this.#isSecretName(this.#text(name))) return;
    this.#onSpan(value.start, value.end, false);
  }

  #is({ start, end }: Text, token: Buffer): boolean {
    return isToken(this.#bytes, start, end, token);
  }

  #text({ start, end }: Text): string {
    return textOf(this.#bytes, start, end) ?? '';
  }
}
