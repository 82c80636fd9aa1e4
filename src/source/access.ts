/** How to reach a cluster, and as whom. */
import type { Identity, Material } from './identity.ts';

/** What a kubeconfig and a service account both provide. */
export interface Access {
  readonly server: URL;
  readonly clusterName: string;
  readonly namespace: string | undefined;
  readonly ca: Material | undefined;
  readonly identities: readonly Identity[];
  readonly skipTlsVerify?: boolean;
  readonly tlsServerName?: string | undefined;
  readonly proxy?: URL | undefined;
  /** For after a 401: reads where this came from again. Undefined if nothing there has changed; rejects if it cannot be read. */
  readonly renew?: () => Promise<Access | undefined>;
}
