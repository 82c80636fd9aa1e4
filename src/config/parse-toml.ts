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
    // The parser's message quotes the lines around the mistake, which may hold a secret: only what comes before is shown.
    const reason = message.replace(/ at row \d+, col \d+, pos \d+:[^]*$/, '').replace(/"(\d+)"$/, characterOf);
    const isOther = NO_KEY.test(reason) && OTHER.test(toml.split('\n')[line] ?? '');
    const remedy = isOther ? '; this looks like YAML or JSON, which needs a file name that ends in .yaml or .json' : '';
    throw new TomlSyntaxError(`broken TOML in column ${col + 1}: ${reason}${remedy}`, line + 1);
  }
}

/** The parser gives a character by its code. */
function characterOf(quoted: string, code: string): string {
  const number = Number(code);
  return number <= 0x10ffff ? JSON.stringify(String.fromCodePoint(number)) : quoted;
}

/** Integers beyond 2^53: the parser returns them as bigint, and wraps them around beyond 64 bits. */
export function oversizedIntegers(value: unknown, path: Path = []): readonly Problem[] {
  if (typeof value === 'bigint')
    return [{ path, message: `must be a whole number of at most ${Number.MAX_SAFE_INTEGER}` }];
  if (Array.isArray(value)) return value.flatMap((element, index) => oversizedIntegers(element, [...path, index]));
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => oversizedIntegers(inner, [...path, key]));
}
