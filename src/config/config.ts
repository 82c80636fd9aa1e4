/**
 * The validated configuration: what the rest of the program reads. Made by `load.ts`; nothing here is a default still to be
 * filled in or a value still to be checked.
 */
import type { HandlerDefinition } from '../chain/handler.ts';
import type { LogFormat, LogLevel } from '../log.ts';
import type { Repeats } from '../event.ts';
import type { Retention } from '../store/store.ts';

export interface Config {
  /** As given on the command line, for messages; handler paths are relative to its folder. */
  readonly file: string;
  /** Absolute paths of those files that were read and hold credentials, as far as can be told. */
  readonly secretFiles: readonly string[];
  /** What another tool's file says that is left out or works otherwise here, each with file and line. */
  readonly warnings: readonly string[];
  /** Whole values that hold something of the environment or of another file: they are not shown. */
  readonly outside: readonly string[];
  /** Its handlers may run programs without `--enable-exec`: another tool's, which names its plug-in. */
  readonly mayRunPrograms: boolean;
  /** Of the service's own log; flags win. */
  readonly log: { readonly level: LogLevel | undefined; readonly format: LogFormat | undefined };
  readonly cluster: ClusterConfig;
  readonly state: {
    /** Undefined: the default folder of this cluster and name. */
    readonly path: string | undefined;
    /** By default the file's name without its extension. */
    readonly name: string;
  };
  /** For how long, and how much of it, what has ended is kept. */
  readonly history: Retention;
  /** What happened while nothing was watching: one change each, or none. How they are told: see {@link ChainConfig.awayFrom}. */
  readonly whileAway: 'each' | 'ignore';
  /** What exists when a scope is listed for the first time: nothing to tell, or added. */
  readonly existing: 'silent' | 'added';
  readonly redact: RedactConfig;
  readonly web: WebConfig;
  readonly lookup: LookupConfig;
  /** Undefined: whoever is started works. */
  readonly lease: LeaseConfig | undefined;
  /** Undefined: nobody is told that all is well. */
  readonly heartbeat: HeartbeatConfig | undefined;
  /** Undefined: changes are not traced. */
  readonly tracing: TracingConfig | undefined;
  /** At least one; the top level's is named `default`. Names are unique. */
  readonly chains: readonly ChainConfig[];
}

export interface ClusterConfig {
  /** Paths in the manner of KUBECONFIG: several are merged by client-node's rules. Undefined: the usual places. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Shown in every message; undefined: the kubeconfig's cluster name, or `in-cluster`. */
  readonly name: string | undefined;
  /** In the place of a kubeconfig. */
  readonly direct: DirectAccess | undefined;
  /** After so long without a byte a watch counts as dead, milliseconds. Undefined: after three bookmarks that did not come, 90 to 150 s. */
  readonly maxSilenceMs: number | undefined;
}

/** An API server and who to be there, without a kubeconfig. */
export interface DirectAccess {
  readonly server: string;
  readonly token: string | undefined;
  /** Absolute; read again when it changes. */
  readonly tokenFile: string | undefined;
  /** Absolute; undefined: the system's authorities. */
  readonly caFile: string | undefined;
  /** Its certificate is not checked. */
  readonly insecure: boolean;
}

/** Questions to the cluster about the objects that Events and changes involve. */
export interface LookupConfig {
  readonly enabled: boolean;
  /** On average; 0 is unlimited. */
  readonly requestsPerSecond: number;
  /** At once. */
  readonly burst: number;
}

/** `[lease]` of the configuration: of several processes only the one that holds this Lease works. */
export interface LeaseConfig {
  readonly name: string;
  /** Undefined: the pod's own, or that of the kubeconfig's context. */
  readonly namespace: string | undefined;
  /** Whole seconds, in milliseconds. */
  readonly durationMs: number;
}

/** A request now and then while all is well, to somebody who raises the alarm when it stays away. */
export interface HeartbeatConfig {
  /** A secret. */
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly everyMs: number;
}

/** Where the trips of changes are told as OpenTelemetry traces. */
export interface TracingConfig {
  /** Of the collector, without `/v1/traces`. May hold a secret. */
  readonly endpoint: string;
  /** Secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of all changes, 0 to 1. */
  readonly ratio: number;
}

/** `[web]` of the configuration. */
export interface WebConfig {
  /** Who knows it may see and do everything. */
  readonly token: string | undefined;
  /** Ask the cluster who a token is, and whether that one may see the path: TokenReview and SubjectAccessReview. */
  readonly clusterAccess: boolean;
  /** Names under which people reach us, beside loopback and addresses. */
  readonly hosts: readonly string[];
  /** Where a proxy serves us: `/watchchain`; empty: at the root. */
  readonly basePath: string;
  /** Whoever reaches the address may see and do everything. */
  readonly open: boolean;
  /** What stands before the names of kubernetes-event-exporter's metrics; undefined: they are not shown. */
  readonly exporterMetrics: string | undefined;
  readonly podWatcher: PodWatcherConfig;
}

/** How `/status` and `/pod-restart-alerts` answer. */
export interface PodWatcherConfig {
  /** Who reads the alerts has read them, as there; else they are marked by a POST. */
  readonly resetOnRead: boolean;
  /** Whether alerts carry the Events of their pods. */
  readonly includeEvents: boolean;
  readonly pageRefreshSeconds: number;
  /** IANA name: of the times that are no RFC 3339. */
  readonly timeZone: string;
  /** As they were given to pod-watcher. */
  readonly host: string | undefined;
  readonly namespace: string | undefined;
}

export interface RedactConfig {
  /** RE2, matched against the names of environment variables, unanchored. */
  readonly envNames: readonly string[];
  /** Field paths with wildcards, per kind (`"*"`: every kind). */
  readonly paths: readonly { readonly kind: string; readonly path: string }[];
}

export interface ChainConfig {
  readonly name: string;
  /** Equal for two chains that were written the same, references replaced. Tells nothing of what was written. */
  readonly fingerprint: string;
  readonly resources: readonly ResourceConfig[];
  readonly handlers: readonly HandlerConfig[];
  /** Chains `name/branch` without resources: each gets what passed the handlers. */
  readonly branches: readonly ChainConfig[];
  readonly retry: RetryConfig;
  /** Handlers of this chain that run at once. Default 8: it bounds what a crash can send twice. */
  readonly concurrency: number;
  /** The chain that is told of what this one gives up. */
  readonly deadLettersTo?: string | undefined;
  /** Whether changes of one object that waited for long are told as one. Default true. */
  readonly coalesce: boolean;
  /** From how many on, changes that happened while nothing was watching are told in one summary; undefined: each as any other. */
  readonly awayFrom: number | undefined;
}

export interface RetryConfig {
  /** After the first attempt. Default 3. */
  readonly retries: number;
  /** The first wait; each later one is `factor` times longer, and each is multiplied by a random 1 to 2. Default 1 s. */
  readonly minTimeoutMs: number;
  /** Default 5: 1 s, 5 s, 25 s. */
  readonly factor: number;
  /** How long a change may be deferred before deferrals count as attempts. Default 15 min. */
  readonly deferForMs: number;
}

export interface ResourceConfig {
  /** As written: kind, plural or short name, in any case. */
  readonly kind: string;
  /** `apps/v1`, `v1`, or a group without a version; undefined: by the rules of discovery. */
  readonly apiVersion: string | undefined;
  /** Exact names and patterns (`team-*`); empty: all namespaces. */
  readonly namespaces: readonly string[];
  readonly labelSelector: string;
  readonly fieldSelector: string;
  /** For Kubernetes Events only: what it says itself, and what those say that are watched together with it. */
  readonly events: readonly EventConfig[] | undefined;
  /** `config.toml:12`, for messages. */
  readonly at: string;
}

export interface EventConfig {
  /** For which it is said, as {@link ResourceConfig.namespaces}. */
  readonly namespaces: readonly string[];
  /** Which occurrences after the first are told. Default `powers`. */
  readonly repeats: Repeats;
  /** An Event that had happened longer ago when it was seen is not told; undefined: whatever its age. */
  readonly maxAgeMs: number | undefined;
}

export interface HandlerConfig {
  /** `chain/name` or `chain/id`: stable over reloads and reordering. */
  readonly id: string;
  readonly definition: HandlerDefinition;
  /** Checked by the definition's schema, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly at: string;
  /** Of a sink: when it tells of several changes at once. */
  readonly digest?: DigestConfig | undefined;
  /** Of a sink: another one of its chain, which tells in its place. */
  readonly fallback?: FallbackConfig | undefined;
}

export interface FallbackConfig {
  /** Its {@link HandlerConfig.id}; it does nothing in its own place. */
  readonly id: string;
  /** For how long the receiver's breaker must have been open. */
  readonly afterMs: number;
}

export interface DigestConfig {
  readonly windowMs: number;
  /** Changes in a window that are told one by one. */
  readonly over: number;
}

/** Sections that are read at the start only: a change of them needs a restart. The chart makes a new pod for them. */
export const READ_ONCE = [
  'cluster',
  'state',
  'web',
  'lookup',
  'tracing',
  'lease',
  'log',
] as const satisfies readonly (keyof Config)[];
