/** Connects to the configured cluster: credentials, client, identity. */
import { pause, type Clock } from '../clock.ts';
import type { ClusterConfig } from '../config/config.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { createApiClient } from './api-client.ts';
import type { ApiClient } from './api.ts';
import { Backoff } from './backoff.ts';
import { addressOf, clusterIdentity, type ClusterIdentity } from './cluster-identity.ts';
import { loadCredentials } from './credentials.ts';

export interface Connection {
  readonly api: ApiClient;
  readonly identity: ClusterIdentity;
  /** The cluster that answers now, which may be another one. Rejects if none answers. */
  identify(): Promise<ClusterIdentity>;
  /** CA and host: identifies the cluster if `kube-system` may not be read. */
  readonly address: string;
  /** Shown in every message. */
  readonly clusterName: string;
  /** The pod's own, or that of the kubeconfig's context. */
  readonly namespace: string | undefined;
}

/**
 * Keeps trying while the cluster cannot be reached, logging one line per attempt; rejects when `signal` aborts.
 * Throws ConfigError if no credentials are found.
 */
export async function connect(options: {
  readonly config: ClusterConfig;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<Connection> {
  const { config, env, log, clock, signal } = options;
  const credentials = await loadCredentials({ ...config, env });
  for (const warning of credentials.warnings) log.warn(warning);
  const api = createApiClient(credentials);
  const identify = (): Promise<ClusterIdentity> => clusterIdentity(api, credentials, signal);
  const backoff = new Backoff({ clock });
  while (!signal.aborted) {
    try {
      const identity = await identify();
      const address = addressOf(credentials);
      const { clusterName, namespace } = credentials;
      return { api, identity, identify, address, clusterName: config.name ?? clusterName, namespace };
    } catch (thrown) {
      if (signal.aborted) break;
      const waitMs = backoff.next();
      log.warn('Cannot connect to the cluster, trying again', {
        problem: toError(thrown).message,
        retryInMs: Math.round(waitMs),
      });
      await pause(clock, waitMs, signal);
    }
  }
  await api.close();
  throw signal.reason;
}
