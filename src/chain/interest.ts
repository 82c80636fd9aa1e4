/** What a chain reads of its resources, told by its handlers. */
import type { ChainConfig, HandlerConfig } from '../config/config.ts';
import { EVERYTHING, unionOfInterests, type Interest } from '../interest.ts';

/**
 * The fields that can make a difference to what this chain does. Sinks and stateful handlers see each change that comes
 * to them, so what they read counts; a transform only decides what comes after it. A gate halts every update outside what
 * it reads, so nothing behind it counts, branches included. A chain without a gate leaves it to its branches; without those,
 * it tells of every update: everything is read.
 */
export function interestOf({ handlers, branches }: Pick<ChainConfig, 'handlers' | 'branches'>): Interest {
  const gate = handlers.findIndex(({ definition }) => definition.type === 'transform' && definition.gate === true);
  if (gate === -1 && branches.length === 0) return EVERYTHING;
  const reached = gate === -1 ? handlers : handlers.slice(0, gate);
  const seeing = reached.filter(({ definition }) => definition.type !== 'transform');
  const behind = gate === -1 ? branches.map(interestOf) : handlers.slice(gate, gate + 1).map(readsOf);
  return unionOfInterests([...seeing.map(readsOf), ...behind]);
}

function readsOf({ definition, options }: HandlerConfig): Interest {
  return definition.reads?.(options) ?? EVERYTHING;
}
