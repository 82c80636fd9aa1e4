/** Branches with `otherwise = true`, among those beside them. */
import { isSelective, otherwiseStep } from '../chain/otherwise.ts';
import type { ChainSource } from './chain-sources.ts';
import type { HandlerConfig } from './config.ts';
import type { Path, Problem } from './problems.ts';

/** Adds their first step. One that nothing could ever reach is a problem. @param branches as loaded from the `sources` */
export function withOtherwise<Branch extends { readonly handlers: readonly HandlerConfig[] }>(
  sources: readonly ChainSource[],
  branches: readonly Branch[],
  { at, problems }: { readonly at: (path: Path) => string; readonly problems: Problem[] },
): readonly Branch[] {
  const siblings = sources.flatMap(({ table }, n) =>
    table['otherwise'] === true ? [] : [{ name: String(table['name']), handlers: branches[n]?.handlers ?? [] }],
  );
  const greedy = siblings.find((sibling) => !isSelective(sibling));
  return branches.map((branch, n) => {
    const source = sources[n];
    if (source?.table['otherwise'] !== true) return branch;
    const path = [...source.path, 'otherwise'];
    if (siblings.length === 0) problems.push({ path, message: 'needs another branch beside this one' });
    if (greedy !== undefined) {
      const why = `"${greedy.name}" takes every change, as it does not begin with a match`;
      problems.push({ path, message: `nothing is left for this branch: ${why}` });
    }
    return { ...branch, handlers: [otherwiseStep(source.name, siblings, at(path)), ...branch.handlers] };
  });
}
