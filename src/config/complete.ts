import { expand, isTable, type Expanded, type ExpandOptions } from './expand.ts';
import { canonical } from './keys.ts';
import type { Problem } from './problems.ts';
import { configFile } from './schema.ts';

/** Keys in the schema's spelling, references replaced. */
export function complete(
  written: Readonly<Record<string, unknown>>,
  options: ExpandOptions,
  problems: Problem[],
): Pick<Expanded, 'filled' | 'files'> & { readonly value: Readonly<Record<string, unknown>> } {
  const spelled = canonical(written, configFile, [], problems) as Record<string, unknown>;
  if (Array.isArray(spelled['cluster'])) {
    problems.push({
      path: ['cluster'],
      message: '[[cluster]] is reserved for several clusters, which one process cannot watch yet: write [cluster]',
    });
    delete spelled['cluster'];
  }
  const { value, problems: unresolved, ...found } = expand(spelled, options);
  problems.push(...unresolved);
  return { value: isTable(value) ? value : {}, ...found };
}
