/** One question per name at a time. */
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';

type Callback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

/**
 * A resolver that asks once for all who want the same name at the same time. The system's own blocks one of the threads that all
 * files share, for many seconds when a name server is dead: one dead receiver must not take them all. Nothing is kept: the next
 * connection asks again.
 */
export function singleFlight(resolve: LookupFunction): LookupFunction {
  const waiting = new Map<string, Callback[]>();
  return (hostname, options, callback) => {
    const key = JSON.stringify([hostname, options.family, options.hints, options.all, options.order]);
    const others = waiting.get(key);
    if (others !== undefined) return void others.push(callback);
    const all = [callback];
    waiting.set(key, all);
    resolve(hostname, options, (error, address, family) => {
      waiting.delete(key);
      for (const one of all) one(error, address, family);
    });
  };
}
