/** Checks that the state belongs to the cluster we are connected to. */
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';
import type { Connection } from './connect.ts';
import { addressId } from './cluster-identity.ts';

type Recognisable = Pick<Connection, 'identity' | 'address' | 'clusterName'>;

/** Forgets the baselines if the state belongs to another cluster, and records which cluster this is. */
export async function recogniseCluster(store: Store, connection: Recognisable, log: Logger): Promise<void> {
  const { identity, address, clusterName } = connection;
  const [known, knownAddress] = [await store.getFact('cluster'), await store.getFact('clusterAddress')];
  const gainedRights = knownAddress === address && known === addressId(address);
  if (known !== undefined && known !== identity.id && !gainedRights && identity.by === 'kube-system') {
    log.warn('This state belongs to another cluster: starting from a new baseline, nothing is reported for it', {
      was: known,
      is: identity.id,
    });
    // Pending deliveries, dead letters and history keep belonging to the other cluster.
    await store.leaveCluster({ id: known, name: (await store.getFact('clusterName')) ?? known });
    for (const scope of await store.scopes()) await store.forgetScope(scope.id);
  }
  // Losing the right to read kube-system does not make it another cluster.
  const lostRights = knownAddress === address && identity.by === 'address' && known !== undefined;
  await store.setFact('cluster', lostRights ? known : identity.id);
  await store.setFact('clusterAddress', address);
  await store.setFact('clusterName', clusterName);
}
