/** Turns a file into a checked {@link Config}, or reports everything that is wrong with it, with line numbers. */
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { eventRules } from '../chain/event-rules.ts';
import type { HandlerDefinition } from '../chain/handler.ts';
import { starvedHandlers } from '../chain/interest.ts';
import { ConfigError } from '../errors.ts';
import type { Repeats } from '../event.ts';
import { chainSourcesIn, quietTablesOf, type ChainSource } from './chain-sources.ts';
import {
  checkChains,
  checkQuiet,
  deadLetterChains,
  loadChain,
  toChain,
  type ChainContext,
  type LoadedChain,
} from './chains.ts';
import { complete } from './complete.ts';
import type { ChainConfig, Config } from './config.ts';
import { holdsCredentials } from './exposed-files.ts';
import { formatFindings, lineOf, redactQuotes, secretPaths } from './findings.ts';
import { idleHandlers } from './idle-handlers.ts';
import { idleNamespaces } from './idle-namespaces.ts';
import { misspeltSecrets } from './misspelt-secrets.ts';
import { defaultsOf, overrideProblems, type Overrides } from './overrides.ts';
import { oversizedIntegers } from './parse-toml.ts';
import { problemsOf, valueAt, type Path, type Problem } from './problems.ts';
import { readConfigFile, type NamedTool } from './read.ts';
import { toResources } from './resources.ts';
import { configFile, type ConfigFile } from './schema.ts';
import { secretTexts } from './secret-texts.ts';
import { settingsOf } from './settings.ts';

export interface LoadOptions {
  readonly env: NodeJS.ProcessEnv;
  /** By name, or by path relative to a folder; rejects with a ConfigError if there is none. */
  readonly loadHandler: (name: string, configDir: string) => Promise<HandlerDefinition>;
  readonly overrides?: Overrides;
  /** For another tool's file: leave out what is not supported. Default: refuse it. */
  readonly lenient?: boolean;
  /** For another tool's file: which occurrences of an Event are reported. Default: the first. */
  readonly repeats?: Repeats | undefined;
  /** The tool whose configuration it is, if the user said so. */
  readonly tool?: NamedTool | undefined;
  /** Where a pod's own token, namespace and CA are; default: where the kubelet mounts them. */
  readonly serviceAccountDir?: string;
  /** Called with the absolute path of each file right before it is read, or of a handler's file if it cannot be loaded. */
  readonly onFile?: ((path: string) => void) | undefined;
}

/**
 * Reads, completes and checks a configuration. Touches no cluster and no receiver.
 * @throws ConfigError with every mistake: `config.toml:12: handler[1].webhookURL: is missing: it must be the URL of a webhook`
 */
export async function loadConfig(file: string, options: LoadOptions): Promise<Config> {
  const { env, overrides = {}, lenient = false, repeats = 'first', tool, serviceAccountDir, onFile } = options;
  onFile?.(resolve(file));
  const written = await readConfigFile(file, { env, lenient, repeats, tool, serviceAccountDir, unset: 'empty' });
  if (Object.keys(written.value).length === 0 && written.problems.length > 0)
    throw new ConfigError(formatFindings([], written, file));
  const folder = dirname(resolve(file));
  const problems: Problem[] = [...oversizedIntegers(written.value)];
  const { value, expanded, resolved, files } = complete(written.value, { env, folder, onFile }, problems);

  const isSecret = secretPaths(expanded);
  const structure = configFile.safeParse(value);
  if (!structure.success) problems.push(...problemsOf(structure.error, value, [], isSecret));
  const chains = chainSourcesIn(value);
  const targets = deadLetterChains(value, chains, problems);
  checkChains(chains, problems, targets);
  // A dead letter brings its notes along.
  checkQuiet([{ path: [], table: value }, ...chains.filter(({ name }) => !targets.includes(name))], problems);
  const at = (path: Path) => `${file}:${written.find({ path, message: '' }).line}`;
  const loadHandler = reporting(options.loadHandler, folder, onFile);
  const quiet = quietTablesOf({ path: [], table: value });
  const context = { loadHandler, isSecret, secrets: secretTexts(value, resolved), folder, quiet, at, problems };
  const loaded = await Promise.all(chains.map(async (source) => ({ source, chain: await loadChain(source, context) })));

  const lines = [
    ...overrideProblems(overrides),
    ...formatFindings(problems.map(redactQuotes(value, expanded)), written, file),
  ];
  if (lines.length > 0 || !structure.success) throw new ConfigError(lines);
  const { data } = structure;
  const config = {
    ...settingsOf(data, file, folder, overrides),
    mayRunPrograms: written.allowsPrograms === true,
    outside: expanded.map((path) => valueAt(value, path)).filter((text) => typeof text === 'string'),
    secretFiles: [...(holdsCredentials(value, expanded) ? [resolve(file)] : []), ...new Set(files)],
    warnings: written.warnings.map((warning) => lineOf(warning, file)),
    chains: loaded.map(({ source, chain }) => chainConfigOf(source, chain, { data, value, overrides, at })),
  };
  const starved = config.chains.flatMap((chain) => starvedHandlers(chain));
  if (starved.length > 0) throw new ConfigError(starved);
  const watched = config.chains.flatMap(({ resources }) => resources);
  const idle = config.chains.filter(({ name }) => !targets.includes(name)).flatMap(idleHandlers);
  const warnings = [...misspeltSecrets(data.redact, watched, at), ...idleNamespaces(data, at), ...idle];
  return { ...config, warnings: [...config.warnings, ...warnings] };
}

/** A loaded handler stays the same until a restart; one that could not be loaded may be mended, so its file is reported. */
function reporting(
  loadHandler: LoadOptions['loadHandler'],
  folder: string,
  onFile: LoadOptions['onFile'],
): ChainContext['loadHandler'] {
  return async (name) => {
    try {
      return await loadHandler(name, folder);
    } catch (thrown) {
      onFile?.(resolve(folder, name));
      throw thrown;
    }
  };
}

interface CheckedFile {
  readonly data: ConfigFile;
  /** The same as written. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly overrides: Overrides;
  readonly at: (path: Path) => string;
}

function chainConfigOf(
  source: ChainSource,
  { handlers, branches }: LoadedChain,
  { data, value, overrides, at }: CheckedFile,
): ChainConfig {
  const table = source.path.length === 0 ? data : (data.chain?.[Number(source.path[1])] ?? {});
  const resources = toResources(table.resource ?? [], defaultsOf(overrides), (n) =>
    at([...source.path, 'resource', n]),
  );
  const { retry, concurrency, coalesce, deadLetters, whileAway = 'auto' } = data;
  const loaded = { handlers: [...eventRules(source.name, resources), ...handlers], branches };
  return toChain(source, table, loaded, {
    retry,
    concurrency,
    coalesce,
    deadLetters,
    resources,
    awayFrom: AWAY_FROM[whileAway],
    fingerprint: fingerprintOf(source.table, value),
  });
}

/** See `ChainConfig.awayFrom`. */
const AWAY_FROM = { auto: 20, summary: 1, each: undefined, ignore: undefined } as const;

/** Of a chain and of the settings for all chains. A hash, because they contain secrets. */
function fingerprintOf(chain: Readonly<Record<string, unknown>>, file: Readonly<Record<string, unknown>>): string {
  const { chain: _chains, ...own } = chain;
  const { chain: _others, resource: _resources, handler: _handlers, branch: _branches, ...common } = file;
  return createHash('sha256')
    .update(JSON.stringify([own, common]))
    .digest('base64url');
}
