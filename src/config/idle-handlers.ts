import type { WatchedKind } from '../chain/handler.ts';
import { resolveBuiltIn } from '../source/built-in-kinds.ts';
import type { ChainConfig } from './config.ts';

/**
 * Warnings about handlers that have nothing to do with the kinds their chain watches: such a chain would report nothing, and
 * nobody would notice. Not errors, since the rest of the file works.
 * @param chain none that also gets the dead letters of others
 */
export function idleHandlers(chain: ChainConfig): readonly string[] {
  const kinds = watchedKinds(chain);
  return kinds === undefined ? [] : idleIn(chain, kinds);
}

function idleIn({ handlers, branches }: ChainConfig, kinds: readonly WatchedKind[]): readonly string[] {
  const watched = `this chain watches ${kinds.map(({ kind }) => kind).join(', ')}`;
  const own = handlers.flatMap(({ at, definition, options }) => {
    const idle = definition.idle?.(options, kinds) ?? [];
    return idle.map((what) => `${at}: "${definition.name}" ${what}, but ${watched}`);
  });
  return [...own, ...branches.flatMap((branch) => idleIn(branch, kinds))];
}

/** Undefined if one of them is not built in: only the cluster knows how a custom kind is spelt. */
function watchedKinds({ resources }: ChainConfig): readonly WatchedKind[] | undefined {
  const kinds = new Set<WatchedKind>();
  for (const { kind, apiVersion } of resources) {
    const resolution = resolveBuiltIn(kind, apiVersion);
    if (resolution.kind !== 'found') return undefined;
    kinds.add(resolution.resource);
  }
  return [...kinds];
}
