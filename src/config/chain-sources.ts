/** The tables of a file's chains, as written. */
import { isTable } from './expand.ts';
import type { Path } from './problems.ts';

/** A table of the file, possibly with mistakes: the rest is still checked. */
export interface SourceTable {
  /** `[]` for the top level. */
  readonly path: Path;
  readonly table: Readonly<Record<string, unknown>>;
}

/** A chain or branch. */
export interface ChainSource extends SourceTable {
  /** For a branch, prefixed by its chain's: `default/ops`. */
  readonly name: string;
  readonly branches: readonly ChainSource[];
}

/** The top level, unless there are only `[[chain]]`s, then the others in order. */
export function chainSourcesIn(file: Readonly<Record<string, unknown>>): readonly ChainSource[] {
  const others = tablesOf(file['chain'], ['chain']).map(({ table, path }) => written(nameOf(table), path, table));
  const hasDefault = others.length === 0 || ['resource', 'handler', 'branch'].some((part) => file[part] !== undefined);
  return hasDefault ? [written('default', [], file), ...others] : others;
}

function written(name: string, path: Path, table: SourceTable['table']): ChainSource {
  const branches = tablesOf(table['branch'], [...path, 'branch']).map((branch) =>
    written(`${name}/${nameOf(branch.table)}`, branch.path, branch.table),
  );
  return { name, path, table, branches };
}

export function tablesOf(list: unknown, path: Path): readonly SourceTable[] {
  const tables: readonly unknown[] = Array.isArray(list) ? list : [];
  return tables.flatMap((table, index) => (isTable(table) ? [{ path: [...path, index], table }] : []));
}

export function nameOf({ name }: Readonly<Record<string, unknown>>): string {
  return typeof name === 'string' ? name : '';
}

export function quietTablesOf({ path, table }: SourceTable): readonly SourceTable[] {
  return tablesOf(table['quiet'], [...path, 'quiet']);
}
