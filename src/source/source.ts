/**
 * What the cluster says. A source watches scopes and brings what it sees to the store; it says nothing else to the rest of
 * the program but "these chains have work".
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
  /** Of OpenShift 3, whose own kinds have no group and lie beside `/api`. */
  readonly root?: '/oapi';
}

/** One row of the configuration after the handlers were read: which chains want it, and what they read of it. */
export interface WatchRequest {
  /** As written in the configuration. */
  readonly kind: string;
  readonly apiVersion: string | undefined;
  /** `""`: all namespaces; `shop`: one; `qa-*,team-*`: those that any of them matches. */
  readonly namespace: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
  /** Chains with an equal scope share it. */
  readonly chains: readonly string[];
  readonly interest: Interest;
  readonly at: string;
}

/** How one watched scope is doing. A degraded one does not hold up the others, and recovers alone. */
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
  /** Resolves once every scope has begun; the lists may still be under way. Throws ConfigError for kinds that the cluster surely does not serve. */
  start(): Promise<void>;
  /** Idempotent. What was read is accepted, nothing is read any more. */
  stop(): Promise<void>;
  health(): readonly ScopeHealth[];
  /** Resolves when each scope is watching or degraded. */
  settled(): Promise<void>;
}
