/** How a cluster is reached, and as whom: what a kubeconfig and a service account have in common. */
import type { Identity, Material } from './identity.ts';

/** What a kubeconfig or a service account comes down to. */
export interface Access {
  readonly server: URL;
  readonly clusterName: string;
  readonly namespace: string | undefined;
  readonly ca: Material | undefined;
  readonly identities: readonly Identity[];
  readonly skipTlsVerify?: boolean;
  readonly tlsServerName?: string | undefined;
  readonly proxy?: URL | undefined;
}
