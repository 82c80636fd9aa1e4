/**
 * Finds the line of a key in a TOML file. The parser gives positions only for syntax errors, so this is a separate scan of text
 * that the parser has accepted: it only has to distinguish keys, strings, comments and brackets.
 */
import type { Path } from './problems.ts';

/**
 * The line (from 1) of the key at `path`, or of the nearest key above it. Case is ignored, as it is in keys, and one table in place of
 * a list of tables is found as its element 0.
 */
export type Locate = (path: Path) => number;

export function locateKeys(toml: string): Locate {
  const offsets = new Scan(toml).run();
  return (path) => {
    let known: Path = [];
    for (const part of path) {
      const inner = [...known, part];
      if (offsets.has(pathKey(inner))) known = inner;
      else if (part !== 0) break;
    }
    return toml.slice(0, offsets.get(pathKey(known)) ?? 0).split('\n').length;
  };
}

function pathKey(path: Path): string {
  return JSON.stringify(path.map((part) => (typeof part === 'string' ? part.toLowerCase() : part)));
}

const BLANK = /[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*/y;
const DOT = /[ \t]*\.[ \t]*/y;
const BARE_KEY = /[\w-]+/y;
/** Multi-line strings first; they may end with one or two extra quotes. */
const STRING = /"""(?:\\[^]|[^\\])*?"{3,5}|'''[^]*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'/y;
const SCALAR = /[^,\]}#\n]+/y;

class Scan {
  readonly #toml: string;
  #at = 0;
  readonly #offsets = new Map<string, number>();
  /** How many elements an array of tables has so far. */
  readonly #lengths = new Map<string, number>();

  constructor(toml: string) {
    this.#toml = toml;
  }

  run(): ReadonlyMap<string, number> {
    let table: Path = [];
    for (this.#take(BLANK); this.#at < this.#toml.length; this.#take(BLANK)) {
      if (this.#next() === '[') table = this.#header();
      else this.#pair(table);
    }
    return this.#offsets;
  }

  /** `[a.b]` or `[[a.b]]`; returns the path of the pairs below it. */
  #header(): Path {
    const start = this.#at;
    const isArray = this.#toml.startsWith('[[', start);
    this.#at += isArray ? 2 : 1;
    this.#take(BLANK);
    const names = this.#keyPath();
    this.#take(BLANK);
    this.#at += isArray ? 2 : 1;
    let path: Path = [];
    for (const [index, name] of names.entries()) {
      path = [...path, name];
      const length = this.#lengths.get(pathKey(path));
      if (isArray && index === names.length - 1) path = this.#append(path, length ?? 0);
      else if (length !== undefined) path = [...path, length - 1];
      this.#mark(path, start);
    }
    return path;
  }

  #append(array: Path, length: number): Path {
    this.#mark(array, this.#at);
    this.#lengths.set(pathKey(array), length + 1);
    return [...array, length];
  }

  /** `key = value` */
  #pair(table: Path): void {
    const start = this.#at;
    const path = [...table, ...this.#keyPath()];
    for (let length = table.length + 1; length <= path.length; length++) this.#mark(path.slice(0, length), start);
    this.#take(BLANK);
    this.#at += 1;
    this.#take(BLANK);
    this.#value(path);
  }

  #value(path: Path): void {
    const first = this.#next();
    if (first === '[') this.#list(']', (index) => this.#element([...path, index]));
    else if (first === '{') this.#list('}', () => this.#pair(path));
    else if (this.#take(STRING) === '') this.#take(SCALAR);
  }

  #element(path: Path): void {
    this.#mark(path, this.#at);
    this.#value(path);
  }

  #list(end: ']' | '}', item: (index: number) => void): void {
    this.#at += 1;
    for (let index = 0; ; index++) {
      this.#take(BLANK);
      if (this.#next() === end || this.#at >= this.#toml.length) break;
      item(index);
      this.#take(BLANK);
      if (this.#next() === ',') this.#at += 1;
    }
    this.#at += 1;
  }

  #keyPath(): readonly string[] {
    const names: string[] = [];
    do {
      const quoted = this.#take(STRING);
      names.push(quoted === '' ? this.#take(BARE_KEY) : unquote(quoted));
    } while (this.#take(DOT) !== '');
    return names;
  }

  /** The first mention of a key counts. */
  #mark(path: Path, offset: number): void {
    const key = pathKey(path);
    if (!this.#offsets.has(key)) this.#offsets.set(key, offset);
  }

  #next(): string | undefined {
    return this.#toml[this.#at];
  }

  /** Consumes and returns what matches here, which may be nothing. */
  #take(sticky: RegExp): string {
    sticky.lastIndex = this.#at;
    const [found = ''] = sticky.exec(this.#toml) ?? [];
    this.#at += found.length;
    return found;
  }
}

/** Escapes of a quoted key are read as JSON's, which is good enough for finding a line. */
function unquote(quoted: string): string {
  if (quoted.startsWith("'")) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted.slice(1, -1);
  }
}
