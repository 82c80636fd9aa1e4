/** Turns a file into a checked {@link Config}, or reports everything that is wrong with it, with line numbers. */
import { createHash } from 'node:crypto';
import { delimiter, dirname, resolve } from 'node:path';
import { eventRules } from '../chain/event-rules.ts';
import type { HandlerDefinition } from '../chain/handler.ts';
import { starvedHandlers } from '../chain/interest.ts';
import { ConfigError } from '../errors.ts';
import type { Repeats } from '../event.ts';
import { SECRET_ENV_NAMES } from '../source/name-matcher.ts';
import { DEFAULT_RETENTION } from '../store/looking-back.ts';
import {
  checkChains,
  deadLetterChains,
  loadChain,
  quietTablesOf,
  toChain,
  toResources,
  chainSourcesIn,
  type ChainContext,
} from './chains.ts';
import { complete } from './complete.ts';
import type { Config, DirectAccess } from './config.ts';
import { durationMs } from './duration.ts';
import { holdsCredentials } from './exposed-files.ts';
import { bytesOf } from './fields.ts';
import { misspeltSecrets } from './misspelt-secrets.ts';
import { leaseName, namespace, namespaces } from './names.ts';
import { oversizedIntegers } from './parse-toml.ts';
import { pathText, problemsOf, valueAt, type Path, type Problem } from './problems.ts';
import { readConfigFile, type Finding, type NamedTool, type SourceFile } from './read.ts';
import { configFile, type ConfigFile } from './schema.ts';
import { labelSelector } from './selector.ts';
import { stateLocation } from './state-location.ts';

/** From flags and variables; all override the file, except for the two that fill in what a resource leaves out. */
export interface Overrides {
  /** For resources that name no namespaces; several are separated by commas. */
  readonly namespace?: string;
  /** For resources without a label selector. */
  readonly labelSelector?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Folder of the state. */
  readonly state?: string;
  /** `[NAMESPACE/]NAME` of the Lease to hold. */
  readonly lease?: string;
}

export interface LoadOptions {
  readonly env: NodeJS.ProcessEnv;
  /** By name, or by path relative to a folder; rejects with a ConfigError if there is none. */
  readonly loadHandler: (name: string, configDir: string) => Promise<HandlerDefinition>;
  readonly overrides?: Overrides;
  /** For another tool's file: leave out what is not supported. Default: refuse it. */
  readonly lenient?: boolean;
  /** For another tool's file: which occurrences of an Event are reported. Default: the first. */
  readonly repeats?: Repeats;
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
  const { value, expanded, files } = complete(written.value, { env, folder, onFile }, problems);

  const isSecret = secretPaths(expanded);
  const structure = configFile.safeParse(value);
  if (!structure.success) problems.push(...problemsOf(structure.error, value, [], isSecret));
  const chains = chainSourcesIn(value);
  checkChains(chains, problems, deadLetterChains(value, chains, problems));
  const context: ChainContext = {
    async loadHandler(name) {
      try {
        return await options.loadHandler(name, folder);
      } catch (thrown) {
        // A loaded handler stays the same until a restart; one that could not be loaded may be fixed.
        onFile?.(resolve(folder, name));
        throw thrown;
      }
    },
    isSecret,
    folder,
    quiet: quietTablesOf({ path: [], table: value }),
    at: (path) => `${file}:${written.find({ path, message: '' }).line}`,
    problems,
  };
  const loaded = await Promise.all(chains.map((chain) => loadChain(chain, context)));

  const lines = [
    ...overrideProblems(overrides),
    ...formatFindings(problems.map(redactQuotes(value, expanded)), written, file),
  ];
  if (lines.length > 0 || !structure.success) throw new ConfigError(lines);
  const { data } = structure;
  const config = {
    ...settings(data, file, folder, overrides),
    mayRunPrograms: written.allowsPrograms === true,
    outside: expanded.map((path) => valueAt(value, path)).filter((text) => typeof text === 'string'),
    secretFiles: [...(holdsCredentials(value, expanded) ? [resolve(file)] : []), ...new Set(files)],
    warnings: written.warnings.map((warning) => lineOf(warning, file)),
    chains: chains.map((chain, index) => {
      const table = chain.path.length === 0 ? data : (data.chain?.[Number(chain.path[1])] ?? {});
      const resources = toResources(table.resource ?? [], defaultsOf(overrides), (n) =>
        context.at([...chain.path, 'resource', n]),
      );
      const { retry, concurrency, coalesce, deadLetters, whileAway = 'auto' } = data;
      const inherited = {
        retry,
        concurrency,
        coalesce,
        deadLetters,
        resources,
        awayFrom: AWAY_FROM[whileAway],
        fingerprint: fingerprintOf(chain.table, value),
      };
      const { handlers = [], branches = [] } = loaded[index] ?? {};
      return toChain(
        chain,
        table,
        { handlers: [...eventRules(chain.name, resources), ...handlers], branches },
        inherited,
      );
    }),
  };
  const starved = config.chains.flatMap((chain) => starvedHandlers(chain));
  if (starved.length > 0) throw new ConfigError(starved);
  const watched = config.chains.flatMap(({ resources }) => resources);
  return { ...config, warnings: [...config.warnings, ...misspeltSecrets(data.redact, watched, context.at)] };
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

/** A value that came from outside the file, or whose key suggests a secret, is never shown. */
function secretPaths(filled: readonly Path[]): (path: Path) => boolean {
  const expandedPaths = new Set(filled.map((path) => pathText(path).toLowerCase()));
  return (path) =>
    expandedPaths.has(pathText(path).toLowerCase()) ||
    path.some(
      (part) =>
        typeof part === 'string' && /url|endpoint|token|passw|secret|credential|auth|webhook|header/i.test(part),
    );
}

/** Removes quotes of a URL or of a value from outside the file: in `fallback = "${SPARE_URL}"` an unknown sink is a secret. */
function redactQuotes(value: unknown, filled: readonly Path[]): (problem: Problem) => Problem {
  const expandedPaths = new Set(filled.map(pathText));
  return (problem) => {
    const current = valueAt(value, problem.path);
    if (typeof current !== 'string' || current === '') return problem;
    if (!expandedPaths.has(pathText(problem.path)) && !current.includes('://')) return problem;
    return { ...problem, message: replaceQuoted(problem.message, current) };
  };
}

/** RE2 quotes the part of an expression that it cannot parse; the message for an unknown handler suggests a file of that name. */
function replaceQuoted(message: string, value: string): string {
  const whole = message.replaceAll(`"${value}"`, '"..."').replaceAll(`/${value}.`, '/NAME.');
  return whole.replaceAll(/`([^`]+)`/g, (quote, part: string) => (value.includes(part) ? '`...`' : quote));
}

/** In the order of the file. An unresolved reference leaves an empty value, so only the first problem of a value is kept. */
function formatFindings(problems: readonly Problem[], written: SourceFile, file: string): readonly string[] {
  const first = new Map(problems.toReversed().map((problem) => [pathText(problem.path).toLowerCase(), problem]));
  const findings = [...written.problems, ...[...first.values()].map(written.find)];
  const sorted = findings.toSorted((a, b) => a.line - b.line || (a.text < b.text ? -1 : 1));
  return [...new Set(sorted.map((one) => lineOf(one, file)))];
}

function lineOf({ line, text }: Finding, file: string): string {
  return `${file}:${line}: ${text}`;
}

function overrideProblems(overrides: Overrides): readonly string[] {
  const forAll = namespaces.safeParse(defaultsOf(overrides).namespaces);
  const labels = labelSelector.optional().safeParse(overrides.labelSelector || undefined);
  const [leaseAt = '', ...lease] = (overrides.lease ?? 'name').split('/').toReversed();
  const isLease = leaseName.safeParse(leaseAt).success && namespace.array().max(1).safeParse(lease).success;
  return [
    ...(isLease ? [] : [`--lease: must be [NAMESPACE/]NAME: current value is "${overrides.lease}"`]),
    ...(forAll.error?.issues ?? []).map(
      ({ message }) => `--namespace: ${message}: current value is "${overrides.namespace}"`,
    ),
    ...(labels.error?.issues ?? []).map(
      ({ message }) => `--label-selector: ${message}: current value is "${overrides.labelSelector}"`,
    ),
  ];
}

function defaultsOf({ namespace = '', labelSelector = '' }: Overrides): {
  namespaces: readonly string[];
  labelSelector: string;
} {
  const names = namespace.split(',').map((name) => name.trim());
  return { namespaces: names.filter((name) => name !== ''), labelSelector };
}

/** Paths in the file are relative to it, those in flags to the working directory. */
function settings(
  data: ConfigFile,
  file: string,
  folder: string,
  overrides: Overrides,
): Omit<Config, 'chains' | 'secretFiles' | 'outside' | 'warnings' | 'mayRunPrograms'> {
  const { cluster, log, state, history, redact, lookup, heartbeat, tracing, web, whileAway, existing } = data;
  const statePath = stateLocation(state, file);
  // A flag wins over the file.
  const chosen = overrides.kubeconfig !== undefined || overrides.context !== undefined;
  const kubeconfig = cluster?.kubeconfig?.split(delimiter).map((path) => resolve(folder, path));
  return {
    file,
    log: { level: log?.level, format: log?.format },
    cluster: {
      kubeconfig: overrides.kubeconfig ?? kubeconfig?.join(delimiter),
      context: overrides.context ?? cluster?.context,
      name: cluster?.name,
      direct: cluster?.server === undefined || chosen ? undefined : directAccess(cluster, cluster.server, folder),
      maxSilenceMs: cluster?.maxSilence === undefined ? undefined : durationMs(cluster.maxSilence),
    },
    state: { ...statePath, path: overrides.state ?? statePath.path },
    history: {
      maxAgeMs: history?.maxAge === undefined ? DEFAULT_RETENTION.maxAgeMs : durationMs(history.maxAge, Infinity),
      maxBytes: history?.maxSize === undefined ? DEFAULT_RETENTION.maxBytes : bytesOf(history.maxSize),
    },
    whileAway: whileAway === 'ignore' ? 'ignore' : 'each',
    existing: existing ?? 'silent',
    web: {
      token: web?.token,
      clusterAccess: web?.clusterAccess ?? false,
      hosts: web?.hosts ?? [],
      basePath: web?.basePath ?? '',
      open: web?.open ?? false,
      exporterMetrics: web?.exporterMetrics,
      podWatcher: {
        resetOnRead: web?.podWatcher?.resetOnRead ?? false,
        includeEvents: web?.podWatcher?.includeEvents ?? true,
        pageRefreshSeconds: web?.podWatcher?.pageRefreshSeconds ?? 60,
        timeZone: web?.podWatcher?.timeZone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone,
        host: web?.podWatcher?.host,
        namespace: web?.podWatcher?.namespace,
      },
    },
    lookup: {
      enabled: lookup?.enabled ?? true,
      requestsPerSecond: lookup?.requestsPerSecond ?? 5,
      burst: lookup?.burst ?? 10,
    },
    lease: leaseOf(data.lease, overrides.lease, statePath.name),
    heartbeat: heartbeat && {
      url: heartbeat.url,
      method: heartbeat.method ?? 'POST',
      everyMs: durationMs(heartbeat.every ?? '1m'),
    },
    tracing: tracing && { endpoint: tracing.endpoint, headers: tracing.headers ?? {}, ratio: tracing.ratio ?? 1 },
    redact: {
      envNames: [...SECRET_ENV_NAMES, ...(redact?.envNames ?? [])],
      paths: Object.entries(redact?.paths ?? {}).flatMap(([kind, paths]) => paths.map((path) => ({ kind, path }))),
    },
  };
}

/** The default of client-go. */
const DEFAULT_LEASE_DURATION_MS = 15_000;

/** The flag, `[NAMESPACE/]NAME`, turns it on like the table does, and overrides it. */
function leaseOf(table: ConfigFile['lease'], flag: string | undefined, stateName: string): Config['lease'] {
  if (table === undefined && flag === undefined) return undefined;
  const [name, namespace] = (flag ?? '').split('/').toReversed();
  return {
    name: name || (table?.name ?? `watchchain-${dnsName(stateName)}`),
    namespace: namespace ?? table?.namespace,
    durationMs: table?.duration === undefined ? DEFAULT_LEASE_DURATION_MS : durationMs(table.duration),
  };
}

/** Reduced to what a Kubernetes name may contain, with a hash if anything is lost, so that two configurations have two Leases. */
function dnsName(text: string): string {
  const allowed = text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const name = allowed.slice(0, 200).replaceAll(/^-|-$/g, '') || 'config';
  return name === text ? name : `${name}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`;
}

function directAccess(cluster: NonNullable<ConfigFile['cluster']>, server: string, folder: string): DirectAccess {
  const { token, tokenFile, caFile, insecure = false } = cluster;
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(folder, path));
  return { server, token, tokenFile: absolute(tokenFile), caFile: absolute(caFile), insecure };
}
