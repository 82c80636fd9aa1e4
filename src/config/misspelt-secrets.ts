import { resolveBuiltIn } from '../source/built-in-kinds.ts';
import type { ResourceConfig } from './config.ts';
import type { Path } from './problems.ts';
import type { ConfigFile } from './schema.ts';

/**
 * Warnings about `[redact] paths` that look misspelt: they would hide nothing, and nobody would notice before the secret is out.
 * Not errors, since the kind may be a custom one.
 */
export function misspeltSecrets(
  redact: ConfigFile['redact'],
  watched: readonly ResourceConfig[],
  at: (path: Path) => string,
): readonly string[] {
  const plain = (kind: string): string => kind.toLowerCase().replace(/s$/, '');
  const names = new Set(['*', ...watched.map(({ kind }) => plain(kind))]);
  return Object.keys(redact?.paths ?? {}).flatMap((kind) => {
    const known = names.has(plain(kind)) ? undefined : resolveBuiltIn(kind, undefined);
    const near = known?.kind === 'not-served' ? known.near[0] : undefined;
    if (near === undefined) return [];
    return [
      `${at(['redact', 'paths', kind])}: redact.paths.${kind}: is not a kind of Kubernetes; did you mean "${near}"?`,
    ];
  });
}
