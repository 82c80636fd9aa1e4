/** Turns the configuration into requests to the source. */
import { interestOf } from '../chain/interest.ts';
import type { Config, EventConfig } from '../config/config.ts';
import { type Interest, unionOfInterests } from '../interest.ts';
import { requestNamespaceOf, matchesNamespace, namespaceScopesOf } from '../namespaces.ts';
import type { WatchRequest } from '../source/source.ts';

/** One request per chain, resource and place; its interest is what the chain's handlers read. */
export function watchRequests(config: Config): WatchRequest[] {
  return config.chains.flatMap((chain) => {
    const read = interestOf(chain);
    return chain.resources.flatMap(({ namespaces, events, ...resource }) =>
      namespaceScopesOf(namespaces).map((namespace) => {
        const interest = events === undefined ? read : interestIn(events, namespace, read);
        return { ...resource, namespace, chains: [chain.name], interest };
      }),
    );
  });
}

/** The interest with the most repeats that any entry covering part of this place asks for. */
function interestIn(events: readonly EventConfig[], place: string, read: Interest): Interest {
  const requestNamespace = requestNamespaceOf(place);
  const covering = events.filter(
    ({ namespaces }) => requestNamespace === '' || matchesNamespace(namespaces, requestNamespace),
  );
  return unionOfInterests(covering.map(({ repeats }) => ({ ...read, repeats })));
}
