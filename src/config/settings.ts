/** The settings of a checked file, apart from its chains, with flags applied and defaults filled in. */
import { createHash } from 'node:crypto';
import { delimiter, resolve } from 'node:path';
import { SECRET_ENV_NAMES } from '../source/name-matcher.ts';
import { DEFAULT_RETENTION } from '../store/looking-back.ts';
import type { Config, DirectAccess } from './config.ts';
import { durationMs } from './duration.ts';
import { bytesOf } from './fields.ts';
import type { Overrides } from './overrides.ts';
import type { ConfigFile } from './schema.ts';
import { stateLocation } from './state-location.ts';

/** Paths in the file are relative to it, those in flags to the working directory. */
export function settingsOf(
  data: ConfigFile,
  file: string,
  folder: string,
  overrides: Overrides,
): Omit<Config, 'chains' | 'secretFiles' | 'outside' | 'warnings' | 'mayRunPrograms'> {
  const { log, state, history, redact, lookup, heartbeat, tracing, whileAway, existing } = data;
  const statePath = stateLocation(state, file);
  return {
    file,
    log: { level: log?.level, format: log?.format },
    cluster: clusterOf(data.cluster ?? {}, folder, overrides),
    state: { ...statePath, path: overrides.state ?? statePath.path },
    history: {
      maxAgeMs: history?.maxAge === undefined ? DEFAULT_RETENTION.maxAgeMs : durationMs(history.maxAge, Infinity),
      maxBytes: history?.maxSize === undefined ? DEFAULT_RETENTION.maxBytes : bytesOf(history.maxSize),
    },
    whileAway: whileAway === 'ignore' ? 'ignore' : 'each',
    existing: existing ?? 'silent',
    web: webOf(data.web ?? {}),
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

type Table<K extends keyof ConfigFile> = NonNullable<ConfigFile[K]>;

function clusterOf(table: Table<'cluster'>, folder: string, overrides: Overrides): Config['cluster'] {
  const paths = table.kubeconfig?.split(delimiter).filter((path) => path !== '');
  const kubeconfig = paths?.map((path) => resolve(folder, path)).join(delimiter);
  // A flag wins over the file.
  const chosen = overrides.kubeconfig !== undefined || overrides.context !== undefined;
  return {
    kubeconfig: overrides.kubeconfig ?? kubeconfig,
    context: overrides.context ?? table.context,
    name: table.name,
    direct: table.server === undefined || chosen ? undefined : directAccess(table, table.server, folder),
    maxSilenceMs: table.maxSilence === undefined ? undefined : durationMs(table.maxSilence),
  };
}

function directAccess(cluster: Table<'cluster'>, server: string, folder: string): DirectAccess {
  const { token, tokenFile, caFile, insecure = false } = cluster;
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(folder, path));
  return { server, token, tokenFile: absolute(tokenFile), caFile: absolute(caFile), insecure };
}

function webOf({ podWatcher = {}, ...table }: Table<'web'>): Config['web'] {
  return {
    token: table.token,
    clusterAccess: table.clusterAccess ?? false,
    hosts: table.hosts ?? [],
    basePath: table.basePath ?? '',
    open: table.open ?? false,
    exporterMetrics: table.exporterMetrics,
    podWatcher: {
      resetOnRead: podWatcher.resetOnRead ?? false,
      includeEvents: podWatcher.includeEvents ?? true,
      pageRefreshSeconds: podWatcher.pageRefreshSeconds ?? 60,
      timeZone: podWatcher.timeZone ?? ownTimeZone(),
      host: podWatcher.host,
      namespace: podWatcher.namespace,
    },
  };
}

/** Intl calls an empty TZ, which means UTC, by a name that it does not accept itself. */
function ownTimeZone(): string {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return timeZone === 'Etc/Unknown' ? 'UTC' : timeZone;
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
