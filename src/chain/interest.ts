/** What a chain reads of its resources, told by its handlers. */
import type { HandlerConfig } from '../config/config.ts';
import { EVERYTHING, unionOfInterests, type Interest } from '../interest.ts';

/**
 * The fields that can make a difference to what this chain does. Sinks and stateful handlers see each change that comes
 * to them, so what they read counts; a transform only decides what comes after it. A gate halts every update outside what
 * it reads, so nothing behind it counts. A chain without a gate tells of every update: everything is read.
 */
export function interestOf(handlers: readonly HandlerConfig[]): Interest {
  const gate = handlers.findIndex(({ definition }) => definition.type === 'transform' && definition.gate === true);
  if (gate === -1) return EVERYTHING;
  const seeing = handlers.slice(0, gate).filter(({ definition }) => definition.type !== 'transform');
  return unionOfInterests([...seeing, ...handlers.slice(gate, gate + 1)].map(readsOf));
}

function readsOf({ definition, options }: HandlerConfig): Interest {
  return definition.reads?.(options) ?? EVERYTHING;
}
