/** Searches chains and their branches, at any depth. */
import type { ChainConfig, HandlerConfig } from './config.ts';

/** The chain or branch with this name. */
export function findChain(chains: readonly ChainConfig[], name: string): ChainConfig | undefined {
  for (const chain of chains) {
    const found = chain.name === name ? chain : findChain(chain.branches, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

export interface Removed {
  readonly part: 'chain' | 'handler';
  /** For people: `chain "ops"`. */
  readonly what: string;
}

/**
 * What of a dead letter's place has left the configuration, if anything. If replayed anyway, the letter would wait for its chain, or run
 * through the chain without its handler and count as delivered.
 */
export function removedIn(
  chains: readonly ChainConfig[],
  { chain, handler }: { readonly chain: string; readonly handler: string },
): Removed | undefined {
  const now = findChain(chains, chain);
  if (now === undefined) return { part: 'chain', what: `chain "${chain}"` };
  if (now.handlers.some(({ id }) => id === handler)) return undefined;
  return { part: 'handler', what: `handler ${handler}` };
}

/** All handlers, a chain's own before those of its branches. */
export function handlersIn(chains: readonly ChainConfig[]): readonly HandlerConfig[] {
  return chains.flatMap(({ handlers, branches }) => [...handlers, ...handlersIn(branches)]);
}
