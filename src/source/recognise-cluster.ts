/** Is the state that of the cluster we talk to? */
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';
import type { Connection } from './connect.ts';
import { addressId } from './discovery.ts';

type Recognisable = Pick<Connection, 'identity' | 'address' | 'clusterName'>;

/** Another cluster behind the same state: its baseline says nothing about this one. */
export async function recogniseCluster(store: Store, connection: Recognisable, log: Logger): Promise<void> {
  const { identity, address, clusterName } = connection;
  const [known, knownAddress] = [await store.getFact('cluster'), await store.getFact('clusterAddress')];
  const gainedRights = knownAddress === address && known === addressId(address);
  if (known !== undefined && known !== identity.id && !gainedRights && identity.by === 'kube-system') {
    log.warn('This state belongs to another cluster: starting from a new baseline, nothing is reported for it', {
      was: known,
      is: identity.id,
    });
    // What was seen there, owed, dead or recorded, stays of that one.
    await store.leaveCluster({ id: known, name: (await store.getFact('clusterName')) ?? known });
    for (const scope of await store.scopes()) await store.forgetScope(scope.id);
  }
  // Rights that are lost for a while say nothing about who it is.
  const lostRights = knownAddress === address && identity.by === 'address' && known !== undefined;
  await store.setFact('cluster', lostRights ? known : identity.id);
  await store.setFact('clusterAddress', address);
  await store.setFact('clusterName', clusterName);
}
