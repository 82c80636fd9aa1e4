/** Loads the code of a handler by its `name` in the configuration. */
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { sinkOptions } from '../config/sink-options.ts';
import { ConfigError, isConfigError } from '../errors.ts';
import { didYouMean } from '../text/near.ts';
import { handlerOfFunction, type HandlerFunction } from './handler-function.ts';
import type { HandlerDefinition } from './handler.ts';
import { remedyOf } from './load-remedy.ts';

/** `.ts` when run from source, `.js` in the published package. */
const EXTENSION = extname(import.meta.url);
const BUILT_IN = new URL('../../handlers/', import.meta.url);
const LOAD_DEADLINE_MS = 30_000;

/** Keys in every handler's table besides its own options; keys are accepted in any case. */
const RESERVED = new Set(['name', 'id', ...Object.keys(sinkOptions.shape)].map((key) => key.toLowerCase()));

/** How often a user's file could not be used, by path. Process-wide, like Node's module cache: see loadOwn(). */
const loadFailures = new Map<string, number>();

/**
 * The handler called `name`: a built-in one, or given a path (`./handlers/page-me.ts`) the user's own, relative to `configDir`.
 * @throws ConfigError naming what is wrong and how to fix it
 */
export async function loadHandler(name: string, configDir: string): Promise<HandlerDefinition> {
  return isPath(name) ? loadOwn(name, configDir) : loadBuiltIn(name);
}

/** In alphabetical order. */
export async function builtinHandlerNames(): Promise<readonly string[]> {
  return [...(await builtIns()).keys()].toSorted();
}

/** `slack.ts`, or `slack/index.ts` for larger ones; a name with a dot or a dash is a test or a part of a handler. */
async function builtIns(): Promise<ReadonlyMap<string, URL>> {
  const found = new Map<string, URL>();
  for (const entry of await readdir(BUILT_IN, { withFileTypes: true })) {
    const name = entry.isDirectory() ? entry.name : basename(entry.name, EXTENSION);
    if (!/^[a-zA-Z]\w*$/.test(name)) continue;
    const file = new URL(entry.isDirectory() ? `${name}/index${EXTENSION}` : entry.name, BUILT_IN);
    if ((await tryStat(file))?.isFile() === true) found.set(name, file);
  }
  return found;
}

async function loadBuiltIn(name: string): Promise<HandlerDefinition> {
  const known = await builtIns();
  const file = known.get(name);
  if (file !== undefined) return definitionFrom(await importDefault(file), name);
  const names = [...known.keys()].toSorted();
  const near = didYouMean(name, names);
  throw new ConfigError([
    `unknown handler "${name}"${near}${near === '' ? '; known' : ' Known'} handlers are ${names.join(', ')}, or your own by path ("./handlers/${name}.ts")`,
  ]);
}

async function loadOwn(name: string, configDir: string): Promise<HandlerDefinition> {
  const path = resolve(configDir, name);
  const found = await tryStat(path);
  if (found?.isFile() !== true) {
    const problem =
      found?.isDirectory() === true ? `${path} is a folder: name the file in it` : `there is no file ${path}`;
    throw new ConfigError([`handler "${name}": ${problem}`]);
  }
  await import('./running-copy.ts');
  const file = pathToFileURL(path);
  // Node caches a failed or incomplete module for the life of the process; under another URL the file is read again.
  const failures = loadFailures.get(path) ?? 0;
  if (failures > 0) file.searchParams.set('again', String(failures));
  try {
    return definitionFrom(await withLoadDeadline(importDefault(file), name), name);
  } catch (thrown) {
    loadFailures.set(path, failures + 1);
    if (isConfigError(thrown)) throw thrown;
    throw new ConfigError([`handler "${name}": ${remedyOf(thrown, path)}`], { cause: thrown });
  }
}

/** A file that never finishes its top-level await would silently end a command, and block all later reloads. */
async function withLoadDeadline<T>(loading: Promise<T>, name: string): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const problem = `handler "${name}": it did not load within ${LOAD_DEADLINE_MS / 1_000} s: an await at its top level does not finish; wait in start()`;
  const timer = setTimeout(() => timeout.reject(new ConfigError([problem])), LOAD_DEADLINE_MS).unref();
  try {
    return await Promise.race([loading, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function importDefault(file: URL): Promise<unknown> {
  const module = (await import(file.href)) as { readonly default?: unknown };
  return module.default;
}

function definitionFrom(exported: unknown, name: string): HandlerDefinition {
  if (typeof exported === 'function' && !isClass(exported)) {
    return handlerOfFunction(basename(name, extname(name)), exported as HandlerFunction);
  }
  if (isDefinition(exported)) return checkedDefinition(exported, name);
  const found = exported === undefined ? 'has no default export' : 'has a default export that is not a handler';
  throw new ConfigError([
    `handler "${name}": the file ${found}; expected: export default defineTransform({...}), defineStateful({...}), ` +
      'defineSink({...}) or a function (change, context)',
  ]);
}

/** Called like a function, it would throw for each change. */
function isClass(value: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

function isDefinition(value: unknown): value is HandlerDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const { type } = value as Partial<HandlerDefinition>;
  return type === 'transform' || type === 'stateful' || type === 'sink';
}

/** TypeScript checks that every part is there, JavaScript does not. @throws ConfigError naming missing or mistyped parts */
function checkedDefinition(definition: HandlerDefinition, file: string): HandlerDefinition {
  const { name, summary, description, options, examples, create }: Partial<Record<keyof HandlerDefinition, unknown>> =
    definition;
  const requirements: readonly (readonly [part: string, isValid: boolean, what: string])[] = [
    ['name', typeof name === 'string' && name !== '', 'a string'],
    ['summary', typeof summary === 'string', 'a string'],
    ['description', typeof description === 'string', 'a string'],
    ['options', options instanceof z.ZodObject, 'z.strictObject({...}), with the z of watchchain'],
    ['examples', Array.isArray(examples), 'a list, which may be empty'],
    ['create', typeof create === 'function', 'a function'],
  ];
  const keys = options instanceof z.ZodObject ? Object.keys(options.shape) : [];
  const problems = [
    ...requirements.filter(([, isValid]) => !isValid).map(([part, , what]) => `its ${part} must be ${what}`),
    ...keys
      .filter((key) => RESERVED.has(key.toLowerCase()))
      .map((key) => `its option "${key}" needs another name: every handler's table already has that key`),
  ];
  if (problems.length > 0) throw new ConfigError([`handler "${file}": ${problems.join('; ')}`]);
  return definition;
}

function isPath(name: string): boolean {
  return isAbsolute(name) || /[/\\]|\.[cm]?[jt]s$/.test(name);
}

async function tryStat(path: string | URL): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}
