/** Which cluster this is. */
import { createHash } from 'node:crypto';
import type { ApiClient } from './api.ts';
import type { Credentials } from './credentials.ts';

export interface ClusterIdentity {
  readonly id: string;
  readonly by: 'kube-system' | 'address';
}

/**
 * Tells this cluster from another one behind the same address: the uid of namespace `kube-system`, or, if that may not
 * be read, CA and host.
 * @throws if the server does not answer or fails, which says nothing about its identity
 */
export async function clusterIdentity(
  api: ApiClient,
  credentials: Pick<Credentials, 'caFingerprint' | 'server'>,
  signal?: AbortSignal,
): Promise<ClusterIdentity> {
  const path = '/api/v1/namespaces/kube-system';
  const { status, body } = await api.request('GET', path, signal === undefined ? {} : { signal });
  if (status === 200) {
    const { metadata } = JSON.parse(body.toString('utf8')) as { metadata?: { uid?: string } };
    if (metadata?.uid) return { id: metadata.uid, by: 'kube-system' };
  } else if (status !== 403 && status !== 404) {
    const hint = status === 401 ? ', so it does not accept our credentials' : '';
    throw new Error(`Cannot GET ${path} on ${api.host}: it answered ${status}${hint}`);
  }
  return { id: addressId(addressOf(credentials)), by: 'address' };
}

/** CA and host. */
export function addressOf({ caFingerprint, server }: Pick<Credentials, 'caFingerprint' | 'server'>): string {
  return `${caFingerprint}@${server.host}`;
}

/** Identifies a cluster whose `kube-system` may not be read. @param address of {@link addressOf} */
export function addressId(address: string): string {
  return createHash('sha256').update(address).digest('hex').slice(0, 32);
}
