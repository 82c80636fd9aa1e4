/** What is wrong with a configuration: all found at once, in the user's terms, at the line of the nearest key. */
import type { z } from 'zod';
import { shortened } from '../text/printable.ts';
import { didYouMean, nearNames } from '../text/near.ts';

/** Where in the file: `['handler', 1, 'webhookURL']`. */
export type Path = readonly PropertyKey[];

export interface Problem {
  readonly path: Path;
  /** `must be a string: current value is 5`. Never holds a secret. */
  readonly message: string;
  /** Default: the line of the nearest key. */
  readonly line?: number;
}

type Issue = z.core.$ZodIssue;

/** `handler[1].webhookURL` */
export function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const name = /^[\w-]+$/.test(String(part)) ? String(part) : JSON.stringify(String(part));
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

/**
 * The schema's complaints about `value`, which is at `path`.
 * @param isSecret whether the value at a path must not be shown
 */
export function problemsOf(
  error: z.ZodError,
  value: unknown,
  path: Path,
  isSecret: (path: Path) => boolean,
): readonly Problem[] {
  return error.issues.flatMap(clearest).map((issue) => {
    const current = valueAt(value, issue.path);
    const full = [...path, ...issue.path];
    const expected = expectationOf(issue, current) + otherType(issue, current);
    if (current === undefined) return { path: full, message: expected + misspelling(issue.path, value) };
    // An empty value is no secret.
    const hidden = isSecret(full) && current !== '';
    return { path: full, message: expected + (hidden ? '' : shown(current, expected) + hint(issue, current)) };
  });
}

/** For a union, the issues of the branch that accepts the type of value; if there is none, the union's own. */
function clearest(issue: Issue): readonly Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const furthest = issue.errors.find((branch) =>
    branch.every((inner) => inner.code !== 'invalid_type' || inner.path.length > 0),
  );
  if (furthest === undefined || furthest.length === 0) return [issue];
  return furthest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(clearest);
}

function expectationOf(issue: Issue, current: unknown): string {
  const must = `${current === undefined ? 'is missing: it ' : ''}must be`;
  if (issue.code === 'invalid_type')
    return `${must} ${CUSTOM_EXPECTATIONS.exec(issue.message)?.[1] ?? typeName(issue.expected)}`;
  if (issue.code === 'invalid_value') return `${must} ${anyOf(issue.values.map((allowed) => JSON.stringify(allowed)))}`;
  if (issue.code === 'invalid_union') {
    const expected = issue.errors.flat().map((inner) => expectationOf(inner, null).replace(/^must be /, ''));
    return `${must} ${anyOf([...new Set(expected)])}`;
  }
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  const isOurs = !/^(Too|Invalid)/.test(issue.message);
  if (isOurs || (issue.code !== 'too_small' && issue.code !== 'too_big')) return issue.message;
  if (issue.code === 'too_big')
    return `must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`;
  const unit = SIZE_UNITS[issue.origin];
  if (unit === undefined) return `must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
  return issue.minimum === 1 ? 'must not be empty' : `must have at least ${issue.minimum} ${unit}`;
}

/** The message of one of our types, such as a duration; Zod's own begin with "Invalid". */
const CUSTOM_EXPECTATIONS = /^must be (.*)/s;

/** What Zod counts, by type. */
const SIZE_UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'elements', set: 'elements' };

function hint(issue: Issue, current: unknown): string {
  if (issue.code === 'invalid_type' && issue.expected === 'array' && typeof current === 'string')
    return '; put it in brackets';
  return issue.code === 'invalid_value' && typeof current === 'string'
    ? didYouMean(current, issue.values.map(String))
    : '';
}

/** For a missing key: the key beside it that looks like it. Tables that refuse unknown keys have none left. */
function misspelling(path: Path, value: unknown): string {
  const table = valueAt(value, path.slice(0, -1));
  const [near] = typeof table === 'object' && table !== null ? nearNames(String(path.at(-1)), Object.keys(table)) : [];
  return near === undefined ? '' : `; is "${near}" meant to be it?`;
}

/** `a, b or c` */
function anyOf(choices: readonly string[]): string {
  return choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a table',
  record: 'a table',
};

function typeName(expected: string): string {
  return TYPE_NAMES[expected] ?? expected;
}

/** Where another type is expected: `: current value is a list`. */
function otherType({ code }: Issue, current: unknown): string {
  if (typeof current !== 'object' || current === null || !/^invalid_(type|union)$/.test(code)) return '';
  if (Array.isArray(current)) return ': current value is a list';
  return `: current value is a ${current instanceof Date ? 'date' : 'table'}`;
}

const MAX_SHOWN_CHARS = 60;

/** `: current value is "x"`; empty for what is missing, is a table, may hold credentials, or was already said. */
function shown(value: unknown, messageSoFar: string): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return '';
  if (typeof value === 'string' && value.includes('://')) return '';
  // JSON has no NaN.
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  if (typeof value === 'string' && value !== '' && messageSoFar.includes(text)) return '';
  return `: current value is ${shortened(text, MAX_SHOWN_CHARS)}`;
}

/** Undefined if there is nothing at the path. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, part) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[part],
    value,
  );
}
