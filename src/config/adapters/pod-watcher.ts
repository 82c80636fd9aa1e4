/** Translates the environment of OpenShift's Pod Watcher, which is its whole configuration. */
import { join } from 'node:path';
import { ConfigError } from '../../errors.ts';
import { hostAndPort, SERVICE_ACCOUNT_DIR } from '../../source/in-cluster.ts';
import { isThere } from '../paths.ts';
import type { Adapted, AdapterOptions } from './adapter.ts';

/** Mounted manually, as the Pod Watcher's README says. */
const SECRET_TOKEN = '/etc/secret/token';
const DEFAULT_HOST = '192.168.99.101:8443';

/** Every variable that we read; from OPENSHIFT_CA on, those that the Pod Watcher lacks. */
type Name =
  | 'OPENSHIFT_HOST'
  | 'OPENSHIFT_NAMESPACE'
  | 'OPENSHIFT_NAMEPACE'
  | 'OPENSHIFT_TOKEN'
  | 'PODMONITOR_FILEPATH'
  | 'RESTART_THRESHOLD'
  | 'RESTART_TIMEFRAME'
  | 'PODMONITOR_INCLUDE_EVENTS'
  | 'PODMONITOR_LOGLEVEL'
  | 'PM_PAGEREFRESH_SECONDS'
  | 'PM_PAGEREFERSH_SECONDS'
  | 'GUNICORN_PROCESSES'
  | 'GUNICORN_THREADS'
  | 'OPENSHIFT_CA'
  | 'OPENSHIFT_INSECURE'
  | 'PODMONITOR_IGNORE_IMAGES'
  | 'PODMONITOR_TIMEZONE'
  | 'PODMONITOR_WEB_TOKEN'
  | 'PODMONITOR_OPEN'
  | 'PODMONITOR_HOSTS';

const LEVELS: Readonly<Record<string, string>> = { INFO: 'info', WARN: 'warning', DEBUG: 'debug', ERROR: 'error' };

/** The variable that each of our paths comes from. */
const ORIGINS: Readonly<Record<string, Name>> = {
  'cluster.server': 'OPENSHIFT_HOST',
  'cluster.caFile': 'OPENSHIFT_CA',
  'web.token': 'PODMONITOR_WEB_TOKEN',
  'web.podWatcher.timeZone': 'PODMONITOR_TIMEZONE',
  'resource.namespaces': 'OPENSHIFT_NAMESPACE',
  'handler.window': 'RESTART_TIMEFRAME',
};

/** @throws ConfigError with every invalid value, by its name */
export function adaptPodWatcher({
  env,
  serviceAccountDir = SERVICE_ACCOUNT_DIR,
  secretTokenFile = SECRET_TOKEN,
}: AdapterOptions & { readonly secretTokenFile?: string | undefined }): Adapted {
  // The README spells the name without an S: ignoring it would widen the watch to the whole cluster.
  const { OPENSHIFT_NAMEPACE: misspelt, OPENSHIFT_NAMESPACE: namespace = misspelt } = env;
  const given = new Environment({ ...env, OPENSHIFT_NAMESPACE: namespace });
  if (namespace !== env['OPENSHIFT_NAMESPACE'])
    given.warnings.push('OPENSHIFT_NAMEPACE is read as OPENSHIFT_NAMESPACE, its correct name');
  const value = valueOf(given, serviceAccountDir, secretTokenFile);
  if (given.problems.length > 0) throw new ConfigError(given.problems);
  return {
    tool: "OpenShift's Pod Watcher",
    value,
    problems: [],
    warnings: given.warnings.map((message) => ({ path: [], message })),
    origin: (path) => [ORIGINS[path.filter((part) => typeof part === 'string').join('.')] ?? 'the environment'],
    locate: () => 1,
  };
}

function valueOf(given: Environment, serviceAccountDir: string, secretTokenFile: string): Adapted['value'] {
  const namespaces = given.list('OPENSHIFT_NAMESPACE');
  const folder = given.text('PODMONITOR_FILEPATH') ?? '/var/tmp/';
  for (const name of ['GUNICORN_PROCESSES', 'GUNICORN_THREADS'] as const)
    if (given.wholeNumber(name, 1) > 1)
      given.warnings.push(`${name}: one process is enough, and two would alert twice: it has no effect`);
  return {
    cluster: clusterOf(given, serviceAccountDir, secretTokenFile),
    state: { path: join(folder, 'watchchain'), name: 'pod-watcher' },
    log: { level: given.oneOf('PODMONITOR_LOGLEVEL', LEVELS, 'info') },
    web: webOf(given),
    // As in the Pod Watcher: what already fails at the start is an alert, too.
    existing: 'added',
    resource: [{ kind: 'pod', ...(namespaces.length === 0 ? {} : { namespaces }) }],
    handler: [alertsOf(given)],
  };
}

function clusterOf(given: Environment, serviceAccountDir: string, secretTokenFile: string): object {
  const host = given.text('OPENSHIFT_HOST') ?? hostInPod(given.env) ?? DEFAULT_HOST;
  const insecure = given.isTrue('OPENSHIFT_INSECURE', false);
  const mountedCa = join(serviceAccountDir, 'ca.crt');
  const caFile = given.text('OPENSHIFT_CA') ?? (isThere(mountedCa) ? mountedCa : undefined);
  return {
    server: /^https?:\/\//.test(host) ? host : `https://${host}`,
    ...tokenOf(given, [secretTokenFile, join(serviceAccountDir, 'token')]),
    ...(caFile === undefined ? {} : { caFile }),
    ...(insecure ? { insecure } : {}),
  };
}

function hostInPod({
  KUBERNETES_SERVICE_HOST: host,
  KUBERNETES_SERVICE_PORT: port,
}: NodeJS.ProcessEnv): string | undefined {
  return host ? hostAndPort(host, port) : undefined;
}

function tokenOf(given: Environment, files: readonly string[]): object {
  if (given.text('OPENSHIFT_TOKEN') !== undefined) return { token: '${OPENSHIFT_TOKEN}' };
  const tokenFile = files.find((file) => isThere(file));
  if (tokenFile !== undefined) return { tokenFile };
  given.problems.push(`OPENSHIFT_TOKEN: is not set, and there is no ${files.join(' and no ')}`);
  return {};
}

function webOf(given: Environment): object {
  const hosts = given.list('PODMONITOR_HOSTS');
  const timeZone = given.text('PODMONITOR_TIMEZONE');
  const [host, namespace] = [given.text('OPENSHIFT_HOST'), given.text('OPENSHIFT_NAMESPACE')];
  const misspelt = given.wholeNumber('PM_PAGEREFERSH_SECONDS', 60);
  return {
    ...(given.text('PODMONITOR_WEB_TOKEN') === undefined ? {} : { token: '${PODMONITOR_WEB_TOKEN}' }),
    open: given.isTrue('PODMONITOR_OPEN', false),
    ...(hosts.length === 0 ? {} : { hosts }),
    podWatcher: {
      resetOnRead: true,
      includeEvents: given.isTrue('PODMONITOR_INCLUDE_EVENTS', true),
      pageRefreshSeconds: given.wholeNumber('PM_PAGEREFRESH_SECONDS', misspelt),
      ...(timeZone === undefined ? {} : { timeZone }),
      ...(host === undefined ? {} : { host }),
      ...(namespace === undefined ? {} : { namespace }),
    },
  };
}

/** Alerts are fetched, not sent, so the details for messages are not looked up. Readiness means nothing to the Pod Watcher. */
function alertsOf(given: Environment): object {
  const parts = given.list('PODMONITOR_IGNORE_IMAGES', 'ose-');
  return {
    name: 'podAlerts',
    restarts: given.wholeNumber('RESTART_THRESHOLD', 5),
    window: `${given.wholeNumber('RESTART_TIMEFRAME', 240)}m`,
    notReadyFor: '0s',
    logLines: 0,
    events: 0,
    lastChanges: 0,
    mute: parts.map((part) => ({ image: `(^|/)${part.replace(/[^\w-]/g, String.raw`\$&`)}` })),
  };
}

/** Variables by name; an empty one counts as unset. */
class Environment {
  readonly env: NodeJS.ProcessEnv;
  readonly problems: string[] = [];
  readonly warnings: string[] = [];

  constructor(env: NodeJS.ProcessEnv) {
    this.env = env;
  }

  text(name: Name): string | undefined {
    return this.env[name]?.trim() || undefined;
  }

  /** Separated by commas; surrounding blanks are ignored. */
  list(name: Name, fallback = ''): readonly string[] {
    const parts = (this.env[name] ?? fallback).split(',').map((part) => part.trim());
    return parts.filter((part) => part !== '');
  }

  wholeNumber(name: Name, fallback: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    if (/^\d{1,9}$/.test(text) && Number(text) >= 1) return Number(text);
    this.problems.push(`${name}: must be a whole number of at least 1: current value is ${JSON.stringify(text)}`);
    return fallback;
  }

  /** Anything but `true` is off. */
  isTrue(name: Name, fallback: boolean): boolean {
    const text = this.text(name);
    return text === undefined ? fallback : /^true$/i.test(text);
  }

  oneOf(name: Name, values: Readonly<Record<string, string>>, fallback: string): string {
    const text = this.text(name);
    const value = text === undefined ? fallback : values[text.toUpperCase()];
    if (value === undefined)
      this.problems.push(
        `${name}: must be one of ${Object.keys(values).join(', ')}: current value is ${JSON.stringify(text)}`,
      );
    return value ?? fallback;
  }
}
