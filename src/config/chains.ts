/** The chains of a configuration: handlers with checked options, resources without duplicates. */
import type { HandlerDefinition } from '../chain/handler.ts';
import { isConfigError } from '../errors.ts';
import { isEventName } from '../event.ts';
import { coversNamespace, isPattern } from '../namespaces.ts';
import { resolveBuiltIn } from '../source/built-in-kinds.ts';
import type { ChainConfig, EventConfig, HandlerConfig, ResourceConfig, RetryConfig } from './config.ts';
import { didYouMean } from '../near.ts';
import { durationMs } from './duration.ts';
import { isTable } from './expand.ts';
import { canonical } from './keys.ts';
import { resolvePaths } from './paths.ts';
import { problemsOf, type Path, type Problem } from './problems.ts';
import type { BranchTable, ResourceTable } from './schema.ts';
import { resolveFallbacks, splitTable, toSinkOptions } from './sink-options.ts';

interface WrittenTable {
  /** `[]` for the top level. */
  readonly path: Path;
  readonly table: Readonly<Record<string, unknown>>;
}

/** A chain or branch as written in the file, possibly with mistakes: the rest is still checked. */
export interface WrittenChain extends WrittenTable {
  /** For a branch, prefixed by its chain's: `default/ops`. */
  readonly name: string;
  readonly branches: readonly WrittenChain[];
}

export interface ChainSurroundings {
  readonly loadHandler: (name: string) => Promise<HandlerDefinition>;
  readonly isSecret: (path: Path) => boolean;
  /** Paths in options are relative to it. */
  readonly folder: string;
  /** The `quiet` tables that apply: those at the top of the file, and for a branch those of the chains around it. */
  readonly quiet: readonly WrittenTable[];
  /** `config.toml:12` */
  readonly at: (path: Path) => string;
  readonly problems: Problem[];
}

/** The top level, unless there are only `[[chain]]`s, then the others in order. */
export function writtenChains(file: Readonly<Record<string, unknown>>): readonly WrittenChain[] {
  const others = tablesIn(file['chain'], ['chain']).map(({ table, path }) => written(nameOf(table), path, table));
  const hasDefault = others.length === 0 || ['resource', 'handler', 'branch'].some((part) => file[part] !== undefined);
  return hasDefault ? [written('default', [], file), ...others] : others;
}

function written(name: string, path: Path, table: WrittenChain['table']): WrittenChain {
  const branches = tablesIn(table['branch'], [...path, 'branch']).map((branch) =>
    written(`${name}/${nameOf(branch.table)}`, branch.path, branch.table),
  );
  return { name, path, table, branches };
}

function tablesIn(list: unknown, path: Path): readonly WrittenTable[] {
  const tables: readonly unknown[] = Array.isArray(list) ? list : [];
  return tables.flatMap((table, index) => (isTable(table) ? [{ path: [...path, index], table }] : []));
}

function nameOf({ name }: Readonly<Record<string, unknown>>): string {
  return typeof name === 'string' ? name : '';
}

/** Checks what the schema cannot: nothing to watch, nothing to do, a name used twice. */
export function checkChains(chains: readonly WrittenChain[], problems: Problem[], targets: readonly string[]): void {
  const taken = new Set<string>();
  for (const { name, path, table, branches } of chains) {
    const isBranch = path.at(-2) === 'branch';
    const kind = isBranch ? 'branch' : 'chain';
    const own = isBranch ? nameOf(table) : name;
    const prefix = path.map((part) => (typeof part === 'string' ? `${part}.` : '')).join('');
    const needs = (part: string) =>
      `is missing: ${own === '' ? `a ${kind}` : `${kind} "${own}"`} needs at least one [[${prefix}${part}]]`;
    if (table['resource'] === undefined && !isBranch && !targets.includes(name))
      problems.push({ path: [...path, 'resource'], message: needs('resource') });
    if (table['handler'] === undefined && table['branch'] === undefined)
      problems.push({ path: [...path, 'handler'], message: needs('handler') });
    if (taken.has(name))
      problems.push({ path: [...path, 'name'], message: `must be unique: another ${kind} is named "${own}"` });
    taken.add(name);
    checkChains(branches, problems, targets);
  }
}

/** The chains that receive dead letters; an unknown name is a problem. */
export function deadLetterChains(
  file: Readonly<Record<string, unknown>>,
  chains: readonly WrittenChain[],
  problems: Problem[],
): readonly string[] {
  const names = chains.map(({ name }) => name);
  const everywhere = [{ path: [], table: file }, ...chains.flatMap(withBranches).filter(({ path }) => path.length > 0)];
  return everywhere.flatMap(({ path, table: { deadLetters } }) => {
    if (typeof deadLetters !== 'string') return [];
    if (names.includes(deadLetters)) return [deadLetters];
    const near = didYouMean(deadLetters, names);
    problems.push({ path: [...path, 'deadLetters'], message: `there is no chain "${deadLetters}"${near}` });
    return [];
  });
}

function withBranches(chain: WrittenChain): readonly WrittenChain[] {
  return [chain, ...chain.branches.flatMap(withBranches)];
}

/** What a chain and its branches do. */
export interface LoadedChain {
  readonly handlers: readonly HandlerConfig[];
  readonly branches: readonly LoadedChain[];
}

export async function loadChain(chain: WrittenChain, around: ChainSurroundings): Promise<LoadedChain> {
  const own = quietIn(chain);
  // At the top level the two are the same.
  const surroundings = { ...around, quiet: chain.path.length === 0 ? own : [...around.quiet, ...own] };
  const handlers = await loadHandlers(chain, surroundings);
  return { handlers, branches: await Promise.all(chain.branches.map((branch) => loadChain(branch, surroundings))) };
}

export function quietIn({ path, table }: WrittenTable): readonly WrittenTable[] {
  return tablesIn(table['quiet'], [...path, 'quiet']);
}

/** The handlers of one chain. Mistakes are added to the problems; a handler that cannot be loaded is left out. */
async function loadHandlers(chain: WrittenChain, surroundings: ChainSurroundings): Promise<readonly HandlerConfig[]> {
  const written = writtenHandlers(chain, surroundings.quiet);
  const loaded = await Promise.all(written.map((handler) => loadOne(chain.name, handler, surroundings)));
  const handlers = numbered(loaded.filter((handler) => handler !== undefined));
  const taken = new Set<string>();
  for (const { config, path } of handlers) {
    if (taken.has(config.id)) {
      const id = config.id.slice(chain.name.length + 1);
      surroundings.problems.push({
        path: [...path, 'id'],
        message: `must be unique: another handler has the id "${id}"`,
      });
    }
    taken.add(config.id);
  }
  return resolveFallbacks(chain.name, handlers, surroundings.problems);
}

/** Handlers of the same name without an id are numbered in order, as in kwatchman: `slack`, `slack-2`. */
function numbered(handlers: readonly LoadedHandler[]): readonly LoadedHandler[] {
  const given = new Set(handlers.filter(({ isNamed }) => isNamed).map(({ config }) => config.id));
  const free = (id: string): string => {
    const numbers = Array.from({ length: handlers.length }, (_, n) => `${id}-${n + 2}`);
    const found = [id, ...numbers].find((one) => !given.has(one)) ?? id;
    given.add(found);
    return found;
  };
  return handlers.map((one) => (one.isNamed ? one : { ...one, config: { ...one.config, id: free(one.config.id) } }));
}

/** A handler as written in the file. */
interface WrittenHandler {
  readonly name: string;
  /** Unique within the chain; undefined: the handler's name. */
  readonly id: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly path: Path;
}

/** The `[[quiet]]` tables, then the `[[handler]]`s. A branch repeats those of its chain, for what a timer inside it reports. */
function writtenHandlers({ path, table }: WrittenChain, quiet: readonly WrittenTable[]): readonly WrittenHandler[] {
  const quieting = quiet.map((one): WrittenHandler => {
    return { name: 'quiet', id: undefined, options: one.table, path: one.path };
  });
  const handlers = tablesIn(table['handler'], [...path, 'handler']).flatMap((one): readonly WrittenHandler[] => {
    const { name, id, ...options } = one.table;
    return typeof name === 'string' && name !== '' ? [{ name, id, options, path: one.path }] : [];
  });
  return [...quieting, ...handlers];
}

interface LoadedHandler {
  readonly config: HandlerConfig;
  readonly path: Path;
  /** The file gives it an id. */
  readonly isNamed: boolean;
}

async function loadOne(
  chain: string,
  { name, id, options: written, path }: WrittenHandler,
  { loadHandler, isSecret, folder, at, problems }: ChainSurroundings,
): Promise<LoadedHandler | undefined> {
  let definition: HandlerDefinition;
  try {
    definition = await loadHandler(name);
  } catch (thrown) {
    if (!isConfigError(thrown)) throw thrown;
    problems.push(...thrown.problems.map((message) => ({ path: [...path, 'name'], message })));
    return undefined;
  }
  const { own: ofHandler, common } = splitTable(written);
  const spelled = canonical(ofHandler, definition.options, path, problems);
  const options = resolvePaths(spelled, definition.options, folder);
  const checked = definition.options.safeParse(options);
  if (!checked.success) problems.push(...problemsOf(checked.error, options, path, isSecret));
  const own = typeof id === 'string' ? id : definition.name;
  const config = {
    id: `${chain}/${own}`,
    definition,
    options: checked.data ?? {},
    at: at(path),
    ...toSinkOptions(common, definition, path, problems),
  };
  return { config, path, isNamed: typeof id === 'string' };
}

/** Defaults for resources, from `--namespace` and `--label-selector`. */
export interface ResourceDefaults {
  readonly namespaces: readonly string[];
  readonly labelSelector: string;
}

/** Resources that would be watched twice are watched once: kwatchman doubled every notification. */
export function toResources(
  tables: readonly ResourceTable[],
  defaults: ResourceDefaults,
  at: (index: number) => string,
): readonly ResourceConfig[] {
  const resources = tables.map((table, index) => toResource(table, defaults, at(index)));
  const seen = new Set<string>();
  const firstTime = (key: string): boolean => !seen.has(key) && seen.add(key).size > 0;
  const alike = Map.groupBy(resources, selectionKey);
  return resources.flatMap((one) => {
    const key = selectionKey(one);
    const together = alike.get(key) ?? [];
    const events = one.events && together.flatMap((other) => other.events ?? []);
    const isEverywhere = together.some(({ namespaces }) => namespaces.length === 0);
    if (isEverywhere) return one.namespaces.length === 0 && firstTime(key) ? [{ ...one, events }] : [];
    const patterns = together.flatMap(({ namespaces }) => namespaces.filter(isPattern));
    const namespaces = one.namespaces
      // Two patterns may match the same namespace: they are watched together, by the first resource that has one.
      .flatMap((name) => (isPattern(name) ? patterns : name))
      .filter((name) => isPattern(name) || !patterns.some((pattern) => coversNamespace(pattern, name)))
      .filter((name) => firstTime(`${key} ${name}`));
    return namespaces.length === 0 ? [] : [{ ...one, namespaces, events }];
  });
}

function toResource(table: ResourceTable, defaults: ResourceDefaults, at: string): ResourceConfig {
  const namespaces = withoutAll(table.namespaces ?? defaults.namespaces);
  return {
    kind: table.kind,
    apiVersion: table.apiVersion,
    namespaces,
    labelSelector: table.labelSelector ?? defaults.labelSelector,
    fieldSelector: table.fieldSelector ?? '',
    events: toEvents(table, namespaces),
    at,
  };
}

/** `*` means all namespaces, such as for one resource in spite of `--namespace`. */
function withoutAll(namespaces: readonly string[]): readonly string[] {
  return namespaces.includes('*') ? [] : namespaces;
}

function toEvents(
  { kind, apiVersion, repeats = 'powers', maxAge }: ResourceTable,
  namespaces: readonly string[],
): readonly EventConfig[] | undefined {
  if (!isEventName(kind, apiVersion)) return undefined;
  return [{ namespaces, repeats, maxAgeMs: maxAge === undefined ? undefined : durationMs(maxAge, Infinity) }];
}

/** Both API groups serve the same Events: each chain watches only the first one it names. */
function selectionKey({ kind, apiVersion, labelSelector, fieldSelector, events }: ResourceConfig): string {
  const what = events === undefined ? nameOfKind(kind, apiVersion) : ['event', null];
  return JSON.stringify([...what, labelSelector, fieldSelector]);
}

/** `deploy`, `Deployments` and `deployments.apps` are one kind; for kinds that only a cluster knows, each spelling is a kind. */
function nameOfKind(kind: string, apiVersion: string | undefined): readonly unknown[] {
  const known = resolveBuiltIn(kind, apiVersion);
  return known.kind === 'found' ? [known.resource.group, known.resource.resource] : [kind.toLowerCase(), apiVersion];
}

/** Settings that a chain inherits unless it has its own. */
type Manner = Pick<BranchTable, 'coalesce' | 'retry' | 'concurrency' | 'deadLetters'>;

/** The chain of a table: its own settings, then those `around` it: for a branch its chain's, then the top level's. */
export function toChain(
  { name, branches: written }: WrittenChain,
  table: BranchTable,
  { handlers, branches }: LoadedChain,
  around: Manner & Pick<ChainConfig, 'fingerprint' | 'resources' | 'awayFrom'>,
): ChainConfig {
  const { fingerprint, resources, awayFrom } = around;
  const manner = {
    retry: { ...around.retry, ...table.retry },
    concurrency: table.concurrency ?? around.concurrency,
    deadLetters: table.deadLetters ?? around.deadLetters,
    coalesce: table.coalesce ?? around.coalesce,
  };
  return {
    name,
    fingerprint,
    resources,
    handlers,
    branches: written.map((branch, n) => {
      const inner = { ...manner, fingerprint, awayFrom, resources: [] };
      return toChain(branch, table.branch?.[n] ?? {}, branches[n] ?? { handlers: [], branches: [] }, inner);
    }),
    retry: toRetry(manner.retry),
    concurrency: manner.concurrency ?? 8,
    // A dead letter of the dead-letter chain itself must not go round in circles.
    deadLettersTo: name.split('/')[0] === manner.deadLetters ? undefined : manner.deadLetters,
    awayFrom,
    coalesce: manner.coalesce ?? true,
  };
}

function toRetry({
  retries = 3,
  minTimeout = '1s',
  factor = 5,
  deferFor = '15m',
}: NonNullable<Manner['retry']>): RetryConfig {
  return { retries, minTimeoutMs: durationMs(minTimeout), factor, deferForMs: durationMs(deferFor) };
}
