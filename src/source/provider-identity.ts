/** The older `auth-provider` users (OIDC, GCP, Azure), whose tokens client-node can refresh. */
import type { RequestOptions } from 'node:https';
import type { Cluster, User } from '@kubernetes/client-node/dist/config_types.js';
import type { Identity } from './identity.ts';

/** Loads the whole of client-node on first use; see kubeconfig.ts for what that costs. */
export class ProviderIdentity implements Identity {
  readonly #user: User;
  readonly #cluster: Cluster;
  #headers: Promise<() => Promise<Record<string, string>>> | undefined;

  constructor(user: User, cluster: Cluster) {
    this.#user = user;
    this.#cluster = cluster;
  }

  async headers(): Promise<Record<string, string>> {
    this.#headers ??= this.#load();
    return (await this.#headers)();
  }

  async #load(): Promise<() => Promise<Record<string, string>>> {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const kubeconfig = new KubeConfig();
    // Only the identity is used; the address is a placeholder that passes its check against plain HTTP.
    kubeconfig.loadFromClusterAndUser({ ...this.#cluster, server: 'https://localhost' }, this.#user);
    return async () => {
      const options: RequestOptions = {};
      await kubeconfig.applyToHTTPSOptions(options);
      return tokenOf(options, this.#user.name);
    };
  }
}

function tokenOf({ headers = {} }: RequestOptions, user: string): Record<string, string> {
  const { Authorization: authorization } = headers as Readonly<Record<string, unknown>>;
  if (typeof authorization === 'string') return { authorization };
  throw new Error(`The auth-provider of user "${user}" gave no token`);
}
