/** What is in chains and their branches, at any depth. */
import type { ChainConfig, HandlerConfig } from './config.ts';

/** The chain or branch of that name. */
export function findChain(chains: readonly ChainConfig[], name: string): ChainConfig | undefined {
  for (const chain of chains) {
    const found = chain.name === name ? chain : findChain(chain.branches, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A chain's own before those of its branches. */
export function handlersIn(chains: readonly ChainConfig[]): readonly HandlerConfig[] {
  return chains.flatMap(({ handlers, branches }) => [...handlers, ...handlersIn(branches)]);
}
