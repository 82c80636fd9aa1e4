/** Which cluster this is. */
import { createHash } from 'node:crypto';
import type { ApiClient } from './api.ts';
import type { Credentials } from './credentials.ts';
import { describeResponse } from './failure.ts';

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
  const response = await api.request('GET', path, signal === undefined ? {} : { signal });
  const { status, body } = response;
  if (status === 403 || status === 404) return { id: addressId(addressOf(credentials)), by: 'address' };
  const uid = status === 200 ? uidIn(body) : undefined;
  if (uid !== undefined) return { id: uid, by: 'kube-system' };
  const why = status === 200 ? 'the answer is not a Namespace' : describeResponse(response);
  throw new Error(`Cannot GET ${path} on ${api.host}: ${why}`);
}

/** Undefined for anything but an object of the cluster, such as the login page of a gateway. */
function uidIn(body: Buffer): string | undefined {
  try {
    const { metadata } = JSON.parse(body.toString('utf8')) as { metadata?: { uid?: string } };
    return metadata?.uid || undefined;
  } catch {
    return undefined;
  }
}

/** CA and host. */
export function addressOf({ caFingerprint, server }: Pick<Credentials, 'caFingerprint' | 'server'>): string {
  return `${caFingerprint}@${server.host}`;
}

/** Identifies a cluster whose `kube-system` may not be read. @param address of {@link addressOf} */
export function addressId(address: string): string {
  return createHash('sha256').update(address).digest('hex').slice(0, 32);
}
