/** Parses TOML to plain values, with the lines of mistakes. */
import { parse } from '@iarna/toml';
import { isTable } from './expand.ts';
import type { Path, Problem } from './problems.ts';

/** A syntax error: nothing after it can be read. */
export class TomlSyntaxError extends Error {
  override readonly name = 'TomlSyntaxError';
  /** From 1. */
  readonly line: number;
  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/** A line of YAML or JSON: `---`, `kind: pod`, `- kind: pod`, `{`. */
const OTHER = /^---\s*$|^\s*(- )?[\w.-]+:(\s|$)|^\s*\{/;
/** Errors where a key is expected: inside a value, such as a template, such a line is valid TOML. */
const NO_KEY = /expected "="$|^Unknown character "\{"$/;

/** @throws TomlSyntaxError */
export function parseToml(toml: string): Readonly<Record<string, unknown>> {
  try {
    return parse(toml);
  } catch (thrown) {
    const { message, line = 0, col = 0 } = thrown as Error & { line?: number; col?: number };
    const reason = reasonOf(message, line >= toml.split('\n').length - 1);
    const isOther = NO_KEY.test(reason) && OTHER.test(toml.split('\n')[line] ?? '');
    const remedy = isOther
      ? '; this looks like YAML or JSON, which needs a file name that ends in .yaml or .json'
      : remedyFor(reason, toml, line, col);
    // Without the cause, whose message may hold a secret.
    throw new TomlSyntaxError(`broken TOML in column ${col + 1}: ${reason}${remedy}`, line + 1);
  }
}

/** The parser's message quotes the lines around the mistake, which may hold a secret: only what comes before is shown. */
function reasonOf(message: string, isAtEnd: boolean): string {
  const reason = message
    .replace(/ at row \d+, col \d+, pos \d+:[^]*$/, '')
    .replace(/"(\d+)"$|(?<=escape character: )(\d+)$/, characterOf);
  // The parser's word for both; but an array may go on for lines, so it lacks an end only at the end of the file.
  return reason === 'Unterminated inline array' && !isAtEnd ? UNTERMINATED_TABLE : reason;
}

/** What to do about the commonest mistakes. Shows a key, never a value. */
function remedyFor(reason: string, toml: string, row: number, column: number): string {
  const line = toml.split('\n')[row] ?? '';
  if (reason === REDEFINED) {
    const [, table, key = table] = KEY.exec(line) ?? [];
    // Within an inline table the line begins with another key.
    if (key === undefined || !ONLY_COMMENT.test(line.slice(column))) return '';
    if (table !== undefined && toml.includes(`[[${table}]]`)) return `; for another "${table}", write [[${table}]]`;
    return `: "${key}" is there already; write it once`;
  }
  if (reason === UNTERMINATED_TABLE) return '; write it on one line, or as a table of its own';
  if (reason.startsWith('Unknown escape character'))
    return '; put the text in single quotes, which leave a backslash as it is, or double it';
  if (!reason.startsWith('Unexpected character, expecting string')) return '';
  if (/=\s*(true|false)\b/i.test(line)) return '; write true or false in lower case';
  return /=\s*[a-z_$/.*]/i.test(line) ? '; put a text in quotes' : '';
}

const UNTERMINATED_TABLE = 'Unterminated inline table';
const REDEFINED = "Can't redefine existing key";
/** The table or the key that a line begins with. */
const KEY = /^\s*(?:\[+\s*([\w.-]+)\s*\]|([\w.-]+)\s*=)/;
const ONLY_COMMENT = /^\]*\s*(#.*)?$/;

/** The parser gives a character by its code. */
function characterOf(found: string, quoted: string | undefined, bare: string | undefined): string {
  const code = Number(quoted ?? bare);
  return code <= 0x10ffff ? JSON.stringify(String.fromCodePoint(code)) : found;
}

/** Integers beyond 2^53: the parser returns them as bigint, and wraps them around beyond 64 bits. */
export function oversizedIntegers(value: unknown, path: Path = []): readonly Problem[] {
  if (typeof value === 'bigint')
    return [{ path, message: `must be a whole number of at most ${Number.MAX_SAFE_INTEGER}` }];
  if (Array.isArray(value)) return value.flatMap((element, index) => oversizedIntegers(element, [...path, index]));
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => oversizedIntegers(inner, [...path, key]));
}
