/**
 * The validated configuration: what the rest of the program reads. Made by `load.ts`; nothing here is a default still to be
 * filled in or a value still to be checked.
 */
import type { HandlerDefinition } from '../chain/handler.ts';
import type { LogFormat, LogLevel } from '../log.ts';
import type { Repeats } from '../event.ts';
import type { Retention } from '../store/looking-back.ts';

export interface Config {
  /** As given on the command line, for messages; handler paths are relative to its folder. */
  readonly file: string;
  /** Absolute paths of the files that were read and, as far as can be determined, hold credentials. */
  readonly secretFiles: readonly string[];
  /** What another tool's file says that is left out or works differently here, and what does nothing; each with file and line. */
  readonly warnings: readonly string[];
  /** Whole values that contain something from the environment or another file: they are not shown. */
  readonly outside: readonly string[];
  /** Its handlers may run programs without `--enable-exec`, since it is another tool's, which names its plug-in. */
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
  /** How long, and how much of, what has ended is kept. */
  readonly history: Retention;
  /** What happened while nothing was watching: one change each, or none. How they are sent: see {@link ChainConfig.awayFrom}. */
  readonly whileAway: 'each' | 'ignore';
  /** What exists when a scope is first listed: not reported, or reported as added. */
  readonly existing: 'silent' | 'added';
  readonly redact: RedactConfig;
  readonly web: WebConfig;
  readonly lookup: LookupConfig;
  /** Undefined: every process that is started works. */
  readonly lease: LeaseConfig | undefined;
  /** Undefined: no heartbeat is sent. */
  readonly heartbeat: HeartbeatConfig | undefined;
  /** Undefined: changes are not traced. */
  readonly tracing: TracingConfig | undefined;
  /** At least one; the top level's is named `default`. Names are unique. */
  readonly chains: readonly ChainConfig[];
}

export interface ClusterConfig {
  /** Paths as in KUBECONFIG: several are merged by client-node's rules. Undefined: the usual places. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Shown in every message; undefined: the kubeconfig's cluster name, or `in-cluster`. */
  readonly name: string | undefined;
  /** Instead of a kubeconfig. */
  readonly direct: DirectAccess | undefined;
  /** How long without a byte until a watch counts as dead, milliseconds. Undefined: three missing bookmarks, 90 to 150 s. */
  readonly maxSilenceMs: number | undefined;
}

/** An API server and its credentials, without a kubeconfig. */
export interface DirectAccess {
  readonly server: string;
  readonly token: string | undefined;
  /** Absolute; read again when it changes. */
  readonly tokenFile: string | undefined;
  /** Absolute; undefined: the system's authorities. */
  readonly caFile: string | undefined;
  /** Whether its certificate is not checked. */
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

/** `[lease]` of the configuration: among several processes, only the holder of this Lease works. */
export interface LeaseConfig {
  readonly name: string;
  /** Undefined: the pod's own namespace, or that of the kubeconfig's context. */
  readonly namespace: string | undefined;
  /** Whole seconds, in milliseconds. */
  readonly durationMs: number;
}

/** A regular request while all is well, to a service that raises the alarm if it does not come. */
export interface HeartbeatConfig {
  /** A secret. */
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly everyMs: number;
}

/** Where OpenTelemetry traces of changes are sent. */
export interface TracingConfig {
  /** Of the collector, without `/v1/traces`. May hold a secret. */
  readonly endpoint: string;
  /** Secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** The share of changes that are traced, 0 to 1. */
  readonly ratio: number;
}

/** `[web]` of the configuration. */
export interface WebConfig {
  /** Whoever knows it may see and do everything. */
  readonly token: string | undefined;
  /** Ask the cluster whose a token is, and whether that user may see the path: TokenReview and SubjectAccessReview. */
  readonly clusterAccess: boolean;
  /** Host names under which the service is reached, besides loopback and IP addresses. */
  readonly hosts: readonly string[];
  /** The path at which a proxy serves us: `/watchchain`; empty: the root. */
  readonly basePath: string;
  /** Whether everybody who reaches the address may see and do everything. */
  readonly open: boolean;
  /** The prefix of kubernetes-event-exporter's metrics; undefined: they are not exposed. */
  readonly exporterMetrics: string | undefined;
  readonly podWatcher: PodWatcherConfig;
}

/** How `/status` and `/pod-restart-alerts` answer. */
export interface PodWatcherConfig {
  /** Reading the alerts marks them as read, as in the Pod Watcher; otherwise a POST does. */
  readonly resetOnRead: boolean;
  /** Whether alerts carry the Events of their pods. */
  readonly includeEvents: boolean;
  readonly pageRefreshSeconds: number;
  /** IANA name, for the times that are not RFC 3339. */
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
  /** Equal for two chains with the same configuration, references resolved. Reveals nothing of it. */
  readonly fingerprint: string;
  readonly resources: readonly ResourceConfig[];
  readonly handlers: readonly HandlerConfig[];
  /** Chains named `name/branch` without resources: each gets what passed the handlers. */
  readonly branches: readonly ChainConfig[];
  readonly retry: RetryConfig;
  /** How many handlers of this chain run at once. Default 8: it bounds what a crash can send twice. */
  readonly concurrency: number;
  /** The chain that receives this one's dead letters. */
  readonly deadLettersTo?: string | undefined;
  /** Whether waiting changes of one object may be merged. Default true. */
  readonly coalesce: boolean;
  /** From this many on, changes that happened while nothing was watching are sent as one summary; undefined: like any others. */
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
  /** For Kubernetes Events only: its own rules, and those of the resources that are watched together with it. */
  readonly events: readonly EventConfig[] | undefined;
  /** `config.toml:12`, for messages. */
  readonly at: string;
}

export interface EventConfig {
  /** The namespaces it applies to, as {@link ResourceConfig.namespaces}. */
  readonly namespaces: readonly string[];
  /** Which occurrences after the first are reported. Default `powers`. */
  readonly repeats: Repeats;
  /** An Event that was older than this when it was seen is not reported; undefined: no limit. */
  readonly maxAgeMs: number | undefined;
}

export interface HandlerConfig {
  /** `chain/name` or `chain/id`: stable over reloads and reordering. */
  readonly id: string;
  readonly definition: HandlerDefinition;
  /** Checked by the definition's schema, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Texts that no error and no preview may show: from outside the file, or with a key that sounds like a secret. */
  readonly secrets: readonly string[];
  readonly at: string;
  /** Only for a sink: when it combines several changes in one message. */
  readonly digest?: DigestConfig | undefined;
  /** Only for a sink: another sink of its chain, which delivers in its place. */
  readonly fallback?: FallbackConfig | undefined;
}

export interface FallbackConfig {
  /** Its {@link HandlerConfig.id}; a fallback does nothing at its own place in the chain. */
  readonly id: string;
  /** For how long the receiver's breaker must have been open. */
  readonly afterMs: number;
}

export interface DigestConfig {
  readonly windowMs: number;
  /** How many changes in a window are sent one by one. */
  readonly over: number;
}

/** Sections that are read only at the start: changing them needs a restart. The chart makes a new pod for them. */
export const READ_ONCE = [
  'cluster',
  'state',
  'web',
  'lookup',
  'tracing',
  'lease',
  'log',
] as const satisfies readonly (keyof Config)[];
