import { resolveBuiltIn } from '../source/built-in-kinds.ts';
import type { ResourceTable } from './chain-schema.ts';
import { pathText, type Path } from './problems.ts';
import type { ConfigFile } from './schema.ts';

/**
 * Warnings about `namespaces` of kinds whose objects are in none: all of them are watched, and who wrote it expects fewer. Not errors,
 * since the rest of the file works.
 */
export function idleNamespaces(
  { resource = [], chain = [] }: Pick<ConfigFile, 'resource' | 'chain'>,
  at: (path: Path) => string,
): readonly string[] {
  return [
    ...idleIn(resource, ['resource'], at),
    ...chain.flatMap((one, n) => idleIn(one.resource ?? [], ['chain', n, 'resource'], at)),
  ];
}

function idleIn(tables: readonly ResourceTable[], path: Path, at: (path: Path) => string): readonly string[] {
  return tables.flatMap(({ kind, apiVersion, namespaces = ['*'] }, n) => {
    const known = resolveBuiltIn(kind, apiVersion);
    if (namespaces.includes('*') || known.kind !== 'found' || known.resource.namespaced) return [];
    const where = [...path, n, 'namespaces'];
    return [
      `${at(where)}: ${pathText(where)}: has no effect, since a ${known.resource.kind} is in no namespace: all are watched`,
    ];
  });
}
