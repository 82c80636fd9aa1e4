/**
 * A source watches scopes of a cluster and writes what it sees to the store. The only thing that it tells the rest of the
 * program is "these chains have work".
 */
import type { Interest } from '../interest.ts';

/** A kind as discovery found it. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** `["deploy"]`. */
  readonly shortNames: readonly string[];
  readonly singular: string;
  readonly verbs: readonly string[];
  /** For OpenShift 3, whose own kinds have no group and are served under a root of their own. */
  readonly root?: '/oapi';
}

/** What to watch for one configured resource: which chains want it, and which fields they read. */
export interface WatchRequest {
  /** As written in the configuration. */
  readonly kind: string;
  readonly apiVersion: string | undefined;
  /** `""`: all namespaces; `shop`: one; `qa-*,team-*`: those that any pattern matches. */
  readonly namespace: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
  /** Chains with an equal scope share it. */
  readonly chains: readonly string[];
  readonly interest: Interest;
  /** Where it is configured, for messages. */
  readonly at: string;
}

/** The health of one watched scope. A degraded one does not hold up the others, and recovers by itself. */
export interface ScopeHealth {
  readonly kind: string;
  /** `apps/v1/deployments`; undefined until discovery has found it. */
  readonly resource: string | undefined;
  readonly namespace: string;
  readonly state: 'starting' | 'listing' | 'watching' | 'degraded' | 'stopped';
  /** One line: host, verb, resource, namespace and what the server said. */
  readonly problem: string | undefined;
  readonly objects: number;
  /** When the server last said anything about this scope, milliseconds since the epoch. */
  readonly lastHeardAt: number | undefined;
}

export interface Source {
  /**
   * Resolves once every scope has begun; the lists may still be under way.
   * @throws ConfigError for kinds that the cluster surely does not serve
   */
  start(): Promise<void>;
  /** Resolves when reading has stopped and everything read has been accepted. Idempotent. */
  stop(): Promise<void>;
  health(): readonly ScopeHealth[];
  /** Resolves when each scope is watching or degraded. */
  settled(): Promise<void>;
}
