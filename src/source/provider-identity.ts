/** The older `auth-provider` users (OIDC, GCP, Azure), whose tokens client-node can refresh. */
import type { RequestOptions } from 'node:https';
import type { Cluster, User } from '@kubernetes/client-node/dist/config_types.js';
import { toError } from '../errors.ts';
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
      try {
        await kubeconfig.applyToHTTPSOptions(options);
      } catch (cause) {
        throw noToken(this.#user, cause);
      }
      return tokenOf(options, this.#user);
    };
  }
}

function tokenOf({ headers = {} }: RequestOptions, user: User): Record<string, string> {
  const { Authorization: authorization } = headers as Readonly<Record<string, unknown>>;
  if (typeof authorization === 'string') return { authorization };
  throw noToken(user);
}

/** The plug-ins of the providers that kubectl no longer supports. */
const SUCCESSORS: Readonly<Record<string, string>> = { gcp: 'gke-gcloud-auth-plugin', azure: 'kubelogin' };

function noToken({ name, authProvider }: User, cause?: unknown): Error {
  const { name: provider } = authProvider as { readonly name?: unknown };
  const reason = cause === undefined ? '' : ` (${toError(cause).message})`;
  const plugin = SUCCESSORS[String(provider)] ?? 'a credential plug-in';
  return new Error(
    `The auth-provider "${String(provider)}" of user "${name}" gave no token${reason}; use ${plugin} (exec) instead`,
    { cause },
  );
}
