import type { ChainConfig } from './config.ts';

/** The chain or branch of that name, at any depth. */
export function findChain(chains: readonly ChainConfig[], name: string): ChainConfig | undefined {
  for (const chain of chains) {
    const found = chain.name === name ? chain : findChain(chain.branches, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
