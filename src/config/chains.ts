/** The chains of a configuration, their handlers with checked options. */
import type { HandlerDefinition } from '../chain/handler.ts';
import { isConfigError } from '../errors.ts';
import type { ChainConfig, HandlerConfig, RetryConfig } from './config.ts';
import { didYouMean } from '../text/near.ts';
import { nameOf, quietTablesOf, tablesOf, type ChainSource, type SourceTable } from './chain-sources.ts';
import { durationMs } from './duration.ts';
import { canonicalize } from './keys.ts';
import { withOtherwise } from './otherwise.ts';
import { resolvePaths } from './paths.ts';
import { problemsOf, type Path, type Problem } from './problems.ts';
import type { BranchTable } from './chain-schema.ts';
import { resolveFallbacks, splitTable, toSinkOptions } from './sink-options.ts';

export interface ChainContext {
  readonly loadHandler: (name: string) => Promise<HandlerDefinition>;
  readonly isSecret: (path: Path) => boolean;
  /** See {@link HandlerConfig.secrets}. */
  readonly secrets: readonly string[];
  /** Paths in options are relative to it. */
  readonly folder: string;
  /** The `quiet` tables that apply: those at the top of the file, and for a branch those of the chains around it. */
  readonly quiet: readonly SourceTable[];
  /** `config.toml:12` */
  readonly at: (path: Path) => string;
  readonly problems: Problem[];
}

/** Checks what the schema cannot: nothing to watch, nothing to do, a name used twice. */
export function checkChains(chains: readonly ChainSource[], problems: Problem[], targets: readonly string[]): void {
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

/** Refuses tests of notes in the `quiet` of these chains: it comes before all handlers, which leave the notes. */
export function checkQuiet(chains: readonly SourceTable[], problems: Problem[]): void {
  for (const { path, table } of chains.flatMap(quietTablesOf)) {
    const { notes, when } = table;
    const readsNotes = typeof when === 'string' && /\bchange\.notes\b/.test(when);
    const message =
      'comes before the handlers that leave notes: write it as [[handler]] name = "quiet" after them, or in a branch';
    if (notes !== undefined) problems.push({ path: [...path, 'notes'], message });
    if (readsNotes) problems.push({ path: [...path, 'when'], message });
  }
}

/** The chains that receive dead letters; an unknown name is a problem. */
export function deadLetterChains(
  file: Readonly<Record<string, unknown>>,
  chains: readonly ChainSource[],
  problems: Problem[],
): readonly string[] {
  const names = chains.map(({ name }) => name);
  const everywhere = [
    { path: [], table: file },
    ...chains.flatMap(chainAndBranches).filter(({ path }) => path.length > 0),
  ];
  return everywhere.flatMap(({ path, table: { deadLetters } }) => {
    if (typeof deadLetters !== 'string') return [];
    if (names.includes(deadLetters)) return [deadLetters];
    const near = didYouMean(deadLetters, names);
    problems.push({ path: [...path, 'deadLetters'], message: `there is no chain "${deadLetters}"${near}` });
    return [];
  });
}

function chainAndBranches(chain: ChainSource): readonly ChainSource[] {
  return [chain, ...chain.branches.flatMap(chainAndBranches)];
}

/** What a chain and its branches do. */
export interface LoadedChain {
  readonly handlers: readonly HandlerConfig[];
  readonly branches: readonly LoadedChain[];
}

export async function loadChain(chain: ChainSource, around: ChainContext): Promise<LoadedChain> {
  const own = quietTablesOf(chain);
  // At the top level the two are the same.
  const context = { ...around, quiet: chain.path.length === 0 ? own : [...around.quiet, ...own] };
  const handlers = await loadHandlers(chain, context);
  const branches = await Promise.all(chain.branches.map((branch) => loadChain(branch, context)));
  return { handlers, branches: withOtherwise(chain.branches, branches, context) };
}

/** The handlers of one chain. Mistakes are added to the problems; a handler that cannot be loaded is left out. */
async function loadHandlers(chain: ChainSource, context: ChainContext): Promise<readonly HandlerConfig[]> {
  const written = handlerSourcesIn(chain, context.quiet);
  const loaded = await Promise.all(written.map((handler) => loadHandlerConfig(chain.name, handler, context)));
  const handlers = numbered(loaded.filter((handler) => handler !== undefined));
  const taken = new Set<string>();
  for (const { config, path } of handlers) {
    if (taken.has(config.id)) {
      const id = config.id.slice(chain.name.length + 1);
      context.problems.push({
        path: [...path, 'id'],
        message: `must be unique: another handler has the id "${id}"`,
      });
    }
    taken.add(config.id);
  }
  return resolveFallbacks(chain.name, handlers, context.problems);
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
interface HandlerSource {
  readonly name: string;
  /** Unique within the chain; undefined: the handler's name. */
  readonly id: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly path: Path;
}

/** The `[[quiet]]` tables, then the `[[handler]]`s. A branch repeats those of its chain, for what a timer inside it reports. */
function handlerSourcesIn({ path, table }: ChainSource, quiet: readonly SourceTable[]): readonly HandlerSource[] {
  const quietHandlers = quiet.map((one): HandlerSource => {
    return { name: 'quiet', id: undefined, options: one.table, path: one.path };
  });
  const handlers = tablesOf(table['handler'], [...path, 'handler']).flatMap((one): readonly HandlerSource[] => {
    const { name, id, ...options } = one.table;
    return typeof name === 'string' && name !== '' ? [{ name, id, options, path: one.path }] : [];
  });
  return [...quietHandlers, ...handlers];
}

interface LoadedHandler {
  readonly config: HandlerConfig;
  readonly path: Path;
  /** The file gives it an id. */
  readonly isNamed: boolean;
}

async function loadHandlerConfig(
  chain: string,
  { name, id, options: written, path }: HandlerSource,
  { loadHandler, isSecret, secrets, folder, at, problems }: ChainContext,
): Promise<LoadedHandler | undefined> {
  let definition: HandlerDefinition;
  try {
    definition = await loadHandler(name);
  } catch (thrown) {
    if (!isConfigError(thrown)) throw thrown;
    problems.push(...thrown.problems.map((message) => ({ path: [...path, 'name'], message })));
    return undefined;
  }
  const { own: rawOptions, common } = splitTable(written);
  const normalized = canonicalize(rawOptions, definition.options, path, problems);
  const options = resolvePaths(normalized, definition.options, folder);
  const checked = definition.options.safeParse(options);
  if (!checked.success) problems.push(...problemsOf(checked.error, options, path, isSecret));
  const own = typeof id === 'string' ? id : definition.name;
  const config = {
    id: `${chain}/${own}`,
    definition,
    options: checked.data ?? {},
    secrets,
    at: at(path),
    ...toSinkOptions(common, definition, path, problems),
  };
  return { config, path, isNamed: typeof id === 'string' };
}

/** Settings that a chain inherits unless it has its own. */
type ChainSettings = Pick<BranchTable, 'coalesce' | 'retry' | 'concurrency' | 'deadLetters'>;

/** The chain of a table: its own settings, then the `inherited` ones: for a branch its chain's, then the top level's. */
export function toChain(
  { name, branches: written }: ChainSource,
  table: BranchTable,
  { handlers, branches }: LoadedChain,
  inherited: ChainSettings & Pick<ChainConfig, 'fingerprint' | 'resources' | 'awayFrom'>,
): ChainConfig {
  const { fingerprint, resources, awayFrom } = inherited;
  const settings = {
    retry: { ...inherited.retry, ...table.retry },
    concurrency: table.concurrency ?? inherited.concurrency,
    deadLetters: table.deadLetters ?? inherited.deadLetters,
    coalesce: table.coalesce ?? inherited.coalesce,
  };
  return {
    name,
    fingerprint,
    resources,
    handlers,
    branches: written.map((branch, n) => {
      const inner = { ...settings, fingerprint, awayFrom, resources: [] };
      return toChain(branch, table.branch?.[n] ?? {}, branches[n] ?? { handlers: [], branches: [] }, inner);
    }),
    retry: toRetry(settings.retry),
    concurrency: settings.concurrency ?? 8,
    // A dead letter of the dead-letter chain itself must not go round in circles.
    deadLettersTo: name.split('/')[0] === settings.deadLetters ? undefined : settings.deadLetters,
    awayFrom,
    coalesce: settings.coalesce ?? true,
  };
}

function toRetry({
  retries = 3,
  minTimeout = '1s',
  factor = 5,
  deferFor = '15m',
}: NonNullable<ChainSettings['retry']>): RetryConfig {
  return { retries, minTimeoutMs: durationMs(minTimeout), factor, deferForMs: durationMs(deferFor) };
}
