/** The Event Controller's configuration, and that of the Event Watcher before it: an ini file, the environment, or both. */
import { resolve } from 'node:path';
import type { LogLevel } from '../../../log.ts';
import { pythonLevel, type PythonLevel } from '../../../plugin/python-log.ts';
import { literal } from '../../expand.ts';
import type { Path } from '../../problems.ts';
import type { Adapted, AdapterOptions } from '../adapter.ts';
import { Report } from '../report.ts';
import { parseIni, type IniFile } from './ini.ts';
import { resourceOf, type WatchedResource } from './resource.ts';
import { checkRequired, clusterOf, NAMES, Settings, type ClusterTable, type Name } from './settings.ts';

const LEVELS: Readonly<Record<PythonLevel, LogLevel>> = {
  NOTSET: 'debug',
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warning',
  ERROR: 'error',
  CRITICAL: 'fatal',
};

/** The original waits forever for a silent server. */
const MAX_SILENCE = '60s';

/** Whether an ini file is an Event Controller's. */
export function isControllerFile(text: string): boolean {
  return /^[ \t]*\[global\]/m.test(text);
}

/**
 * @param text undefined: there is no file
 * @throws ConfigError with the Event Controller's exit code if something required is missing
 */
export function adaptController(
  text: string | undefined,
  options: AdapterOptions & { readonly file: string },
): Adapted {
  const report = new Report(options);
  const ini = parseIni(text ?? '');
  report.problems.push(...ini.problems);
  report.warnings.push(...ini.warnings);
  const global = ini.sections.get('global');
  const { env, serviceAccountDir, file } = options;
  const settings = new Settings({ env, global, serviceAccountDir });
  warnUnreadKeys(ini, env, report);
  const value = valueOf(settings, ini, {
    report,
    file: text === undefined ? 'the ini file' : file,
    hasFile: text !== undefined,
  });
  return {
    tool: 'the Event Controller',
    value: report.problems.length > 0 ? {} : value,
    problems: report.problems,
    warnings: report.warnings,
    // For Event Controller users, naming a plug-in is what allows it.
    allowsPrograms: true,
    origin: (path) => report.origin(value, path),
    locate: ini.locate,
  };
}

interface AdapterContext {
  readonly report: Report;
  readonly file: string;
  readonly hasFile: boolean;
}

function valueOf(
  settings: Settings,
  ini: IniFile,
  { report, file, hasFile }: AdapterContext,
): Readonly<Record<string, unknown>> {
  const isNamespaced = namespacedOf(settings, report);
  checkRequired(settings, isNamespaced, file);
  const cluster = clusterOf(settings, report);
  const resource = resourceOf(settings, isNamespaced, report);
  if (resource === undefined) return {};
  const keys = {
    server: ['k8s_api_endpoint'],
    token: ['k8s_token'],
    caFile: ['k8s_ca'],
    kind: ['k8s_resource'],
    apiVersion: ['k8s_api_group'],
    namespaces: ['k8s_namespace'],
    fieldSelector: ['k8s_api_path'],
    level: ['log_level'],
  };
  const from = <T extends object>(table: T): T => report.from(['global'], table, keys);
  return from({
    cluster: from({ ...cluster, maxSilence: MAX_SILENCE }),
    ...(hasFile ? {} : { state: { name: 'event-controller' } }),
    log: from({ level: levelOf(settings.value('LOG_LEVEL'), report), format: 'python' }),
    // As in the original: existing objects are reported once, as added; each change by itself, one after the other, never again.
    existing: 'added',
    whileAway: 'each',
    coalesce: false,
    concurrency: 1,
    retry: { retries: 0 },
    resource: [from(resource)],
    ...handlersFor(settings, ini, watcherOf(settings, cluster, resource), report),
  });
}

function namespacedOf(settings: Settings, report: Report): boolean {
  const written = settings.value('K8S_NAMESPACED');
  if (!/^(true|false)?$/i.test(written))
    report.warning(['global', 'k8s_namespaced'], `"${written}" is neither True nor False: watching all namespaces`);
  return /^true$/i.test(written);
}

function levelOf(written: string, report: Report): LogLevel {
  const level = pythonLevel(written);
  if (level === undefined && written !== '')
    report.warning(['global', 'log_level'], `unknown level "${written}": logging at INFO`);
  return LEVELS[level ?? 'INFO'];
}

const PLUGIN: Path = ['global', 'watcher_plugin'];

/** A single plug-in is the chain's handler; several, separated by commas, are branches, which do not wait for each other. */
function handlersFor(settings: Settings, ini: IniFile, watcher: object, report: Report): object {
  const written = settings
    .value('WATCHER_PLUGIN')
    .split(',')
    .map((name) => name.trim());
  const names = [...new Set(written.filter((name) => name !== ''))];
  const handlers = (names.length === 0 ? ['simple'] : names).map((name) => {
    const options = ini.sections.get(`plugin_${name}`) ?? new Map<string, string>();
    const table = name === 'simple' ? simple(options) : python(name, options, watcher);
    const section = [`plugin_${name}`];
    const keys = { id: PLUGIN, plugin: PLUGIN, section, level: [...section, 'message_log_level'] };
    return { name, table: report.from([], table, keys) };
  });
  const [first, ...others] = handlers;
  if (first !== undefined && others.length === 0) return { handler: [first.table] };
  return { branch: handlers.map(({ name, table }) => ({ name, handler: [table] })) };
}

function simple(section: ReadonlyMap<string, string>): object {
  const level = section.get('message_log_level');
  return { name: 'simple', ...(level === undefined || level === '' ? {} : { level: literal(level) }) };
}

function python(name: string, section: ReadonlyMap<string, string>, watcher: object): object {
  return {
    name: 'python',
    id: name,
    plugin: name,
    path: ['.', './src'].map((folder) => resolve(folder)),
    cwd: resolve('.'),
    inheritEnv: true,
    section: Object.fromEntries([...section].map(([key, value]) => [key, literal(value)])),
    watcher,
  };
}

/** The settings that `cluster` holds in another form. */
const OF_CLUSTER: ReadonlySet<Name> = new Set(['K8S_TOKEN', 'K8S_CA', 'K8S_INSECURE']);

/** What a plug-in finds in `watcher.config`. */
function watcherOf(
  settings: Settings,
  { token, tokenFile, caFile }: ClusterTable,
  { namespaces }: WatchedResource,
): Readonly<Record<string, string>> {
  const names = NAMES.filter((name) => !OF_CLUSTER.has(name));
  return {
    ...Object.fromEntries(names.map((name) => [name.toLowerCase(), literal(settings.value(name))])),
    k8s_endpoint: literal(settings.value('K8S_API_ENDPOINT')),
    ...(namespaces === undefined ? { k8s_namespace: '' } : {}),
    ...(token === undefined ? {} : { k8s_token: token }),
    ...(tokenFile === undefined ? {} : { token_file: tokenFile }),
    ...(caFile === undefined ? {} : { k8s_ca: caFile }),
  };
}

/** Warns of names that look like settings but have no effect. */
function warnUnreadKeys({ sections, defaults }: IniFile, env: NodeJS.ProcessEnv, report: Report): void {
  const known = new Set<string>(NAMES.map((name) => name.toLowerCase()));
  for (const key of sections.get('global')?.keys() ?? [])
    // `[DEFAULT]` may hold keys for other values to refer to, or for other sections.
    if (!known.has(key) && !defaults.has(key))
      report.warning(['global', key], 'is not a key of [global]: it has no effect');
  if (env['ENV_K8S_CA'] !== undefined && env['K8S_CA'] === undefined)
    report.warning([], 'ENV_K8S_CA is read as K8S_CA, its correct name');
}
