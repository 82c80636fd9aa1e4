/** `${VAR}` and `${file:/path}` anywhere in a string; `$${` stands for `${` itself. */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf, toError } from '../errors.ts';
import type { Path, Problem } from './problems.ts';

const REFERENCE = /\$\$\{|\$\{([^{}]*)\}|\$\{/g;
const VARIABLE = /^[A-Za-z_]\w*$/;

/** A reference and the text that replaced it. */
export interface Resolved {
  readonly path: Path;
  /** `SLACK_TOKEN` or `file:/etc/slack/token` */
  readonly name: string;
  readonly text: string;
}

export interface ExpandResult {
  readonly value: unknown;
  /** Paths whose values came from outside the file: they are not shown. */
  readonly expanded: readonly Path[];
  readonly resolved: readonly Resolved[];
  readonly problems: readonly Problem[];
  /** Absolute paths of the files that were referred to, readable or not. */
  readonly files: readonly string[];
}

export interface ExpandOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Paths of referenced files are relative to it. */
  readonly folder: string;
  /** Called with the absolute path of each referenced file, right before it is read. */
  readonly onFile?: ((path: string) => void) | undefined;
}

/**
 * A copy of `value` with every reference replaced. A missing variable or file is a problem, and so is an empty file; an empty
 * variable is not, since somebody set it so. A final line feed of a file is left out.
 */
export function expand(value: unknown, options: ExpandOptions): ExpandResult {
  const expanded: Path[] = [];
  const problems: Problem[] = [];
  const files: string[] = [];
  const resolved: Resolved[] = [];
  const textOf = (name: string | undefined): string => {
    const file = fileOf(name, options.folder);
    if (file === undefined) return lookUp(name, options.env);
    files.push(file);
    options.onFile?.(file);
    return readReference(file);
  };
  const visit = (inner: unknown, path: Path): unknown => {
    if (Array.isArray(inner)) return inner.map((element, index) => visit(element, [...path, index]));
    if (isTable(inner)) return mapValues(inner, (element, key) => visit(element, [...path, key]));
    if (typeof inner !== 'string' || !inner.includes('${')) return inner;
    const unresolved: string[] = [];
    const text = inner.replace(REFERENCE, (reference, name: string | undefined) => {
      if (reference === '$${') return '${';
      expanded.push(path);
      try {
        const found = textOf(name);
        resolved.push({ path, name: name ?? '', text: found });
        return found;
      } catch (thrown) {
        unresolved.push(toError(thrown).message);
        return '';
      }
    });
    if (unresolved.length > 0) problems.push({ path, message: [...new Set(unresolved)].join('; ') });
    return text;
  };
  return { value: visit(value, []), expanded, resolved, problems, files };
}

function fileOf(name: string | undefined, folder: string): string | undefined {
  return name?.startsWith('file:') === true ? resolve(folder, name.slice('file:'.length)) : undefined;
}

function lookUp(name: string | undefined, env: NodeJS.ProcessEnv): string {
  if (name === undefined) throw new Error('"${" without "}"; write "$${" for a literal "${"');
  if (!VARIABLE.test(name))
    throw new Error(`\${${name}} is neither a variable nor a file; write "$\${" for a literal "\${"`);
  const found = env[name];
  if (found === undefined) throw new Error(`the variable ${name} is not set`);
  return found;
}

function readReference(file: string): string {
  try {
    // Reading a pipe or a device may never end, and cannot be aborted.
    const found = statSync(file);
    if (!found.isFile() && !found.isDirectory()) throw new Error('it is not a regular file');
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    // A token file is empty while it is being rewritten; messages sent without the token would be refused for good.
    if (text === '') throw new Error('it is empty');
    return text;
  } catch (cause) {
    throw new Error(`cannot read ${file} (${codeOf(cause) ?? toError(cause).message})`, { cause });
  }
}

/** A text that {@link expand} turns into `text`. */
export function literal(text: string): string {
  return text.replaceAll('${', () => '$${');
}

/** Whether it is a TOML table; dates are objects, too. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** The result has no prototype that a key of the file could reach. */
export function mapValues(
  table: Readonly<Record<string, unknown>>,
  map: (value: unknown, key: string) => unknown,
): Record<string, unknown> {
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of Object.entries(table)) copy[key] = map(value, key);
  return copy;
}
