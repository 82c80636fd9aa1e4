/** Is the state that of the cluster we talk to? */
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';
import type { Connection } from './connect.ts';

/** Another cluster behind the same state: its baseline says nothing about this one. */
export async function recogniseCluster(store: Store, connection: Connection, log: Logger): Promise<void> {
  const { identity, address, clusterName } = connection;
  const [known, knownAddress] = [await store.getFact('cluster'), await store.getFact('clusterAddress')];
  const gainedRights = knownAddress === address && known !== undefined && known.startsWith('address-');
  if (known !== undefined && known !== identity.id && !gainedRights && identity.by === 'kube-system') {
    log.warn('This state belongs to another cluster: starting from a new baseline, nothing is reported for it', {
      was: known,
      is: identity.id,
    });
    for (const scope of await store.scopes()) await store.forgetScope(scope.id);
  }
  await store.setFact('cluster', identity.id);
  await store.setFact('clusterAddress', address);
  await store.setFact('clusterName', clusterName);
}
