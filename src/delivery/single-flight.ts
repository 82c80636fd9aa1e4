/** One lookup per name at a time. */
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';

type Callback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

/**
 * A resolver that shares one lookup among all who ask for the same name at the same time. The system's resolver blocks a thread
 * of the pool shared with file access, for many seconds if a name server is dead: one dead receiver must not take them all.
 * Caches nothing: the next connection asks again.
 */
export function singleFlight(resolve: LookupFunction): LookupFunction {
  const inFlight = new Map<string, Callback[]>();
  return (hostname, options, callback) => {
    const key = JSON.stringify([hostname, options.family, options.hints, options.all, options.order]);
    const others = inFlight.get(key);
    if (others !== undefined) return void others.push(callback);
    const callbacks = [callback];
    inFlight.set(key, callbacks);
    resolve(hostname, options, (error, address, family) => {
      inFlight.delete(key);
      for (const one of callbacks) one(error, address, family);
    });
  };
}
