/** The service account of the pod we run in. Needs no library and no kubeconfig. */
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { FreshFile } from '../fresh-file.ts';
import type { Access } from './access.ts';
import { bearer } from './identity.ts';

/** Where the kubelet mounts it. */
export const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/** For a URL: an IPv6 address is put in brackets. */
export function hostAndPort(host: string, port: string | undefined): string {
  return [isIPv6(host) ? `[${host}]` : host, port].filter(Boolean).join(':');
}

/** Undefined outside a pod. The kubelet renews the token file; it is read again whenever it changes. */
export async function serviceAccount(env: NodeJS.ProcessEnv, folder: string): Promise<Access | undefined> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port) return undefined;
  return {
    server: new URL(`https://${hostAndPort(host, port)}`),
    clusterName: 'in-cluster',
    namespace: await readFile(join(folder, 'namespace'), 'utf8').then(
      (text) => text.trim() || undefined,
      () => undefined,
    ),
    ca: new FreshFile(join(folder, 'ca.crt')),
    identities: [bearer(new FreshFile(join(folder, 'token')))],
  };
}
