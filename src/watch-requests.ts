/** From the configuration to what the source is asked for. */
import { interestOf } from './chain/interest.ts';
import type { Config } from './config/config.ts';
import type { WatchRequest } from './source/source.ts';

/** One request per chain, resource and namespace; what they read is what their chain's handlers read. */
export function watchRequests(config: Config): WatchRequest[] {
  return config.chains.flatMap((chain) => {
    const read = interestOf(chain);
    return chain.resources.flatMap(({ namespaces, events, ...resource }) => {
      const interest = events === undefined ? read : { ...read, repeats: events.repeats };
      return (namespaces.length === 0 ? [''] : namespaces).map((namespace) => {
        return { ...resource, namespace, chains: [chain.name], interest };
      });
    });
  });
}
