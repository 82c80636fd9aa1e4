import { expand, isTable, type ExpandResult, type ExpandOptions } from './expand.ts';
import { canonicalize } from './keys.ts';
import type { Problem } from './problems.ts';
import { configFile } from './schema.ts';

/** Keys in the schema's spelling, references replaced. */
export function complete(
  written: Readonly<Record<string, unknown>>,
  options: ExpandOptions,
  problems: Problem[],
): Pick<ExpandResult, 'expanded' | 'resolved' | 'files'> & { readonly value: Readonly<Record<string, unknown>> } {
  const canonicalized = canonicalize(written, configFile, [], problems) as Record<string, unknown>;
  if (Array.isArray(canonicalized['cluster'])) {
    problems.push({
      path: ['cluster'],
      message: '[[cluster]] is reserved for several clusters, which one process cannot watch yet: write [cluster]',
    });
    delete canonicalized['cluster'];
  }
  const { value, problems: unresolved, ...found } = expand(canonicalized, options);
  problems.push(...unresolved);
  return { value: isTable(value) ? value : {}, ...found };
}
