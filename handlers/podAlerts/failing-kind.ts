/** What an alert can be about. */
import type { Gvk, Gvr, Manifest } from '../../src/change.ts';
import type { Evidence } from '../../src/enrich/evidence.ts';
import type { Owner } from './owner.ts';
import type { Problem } from './problem.ts';

export type FailingKind = 'Pod' | 'Node' | 'Job';

interface ResourceType {
  readonly gvk: Gvk;
  readonly gvr: Gvr;
}

export const RESOURCE_TYPES: Readonly<Record<FailingKind, ResourceType>> = {
  Pod: { gvk: { group: '', version: 'v1', kind: 'Pod' }, gvr: { group: '', version: 'v1', resource: 'pods' } },
  Node: { gvk: { group: '', version: 'v1', kind: 'Node' }, gvr: { group: '', version: 'v1', resource: 'nodes' } },
  Job: {
    gvk: { group: 'batch', version: 'v1', kind: 'Job' },
    gvr: { group: 'batch', version: 'v1', resource: 'jobs' },
  },
};

/** @param problems all of a pod's problems, or one of them */
export function failingKindOf(owner: Owner | undefined, ...problems: readonly Problem[]): FailingKind {
  if (owner?.kind === 'Node') return 'Node';
  return problems.some(({ job }) => job === true) ? 'Job' : 'Pod';
}

/** The object as it is known now; undefined if it is gone, or not watched. */
export function findInBaseline(
  kind: FailingKind,
  key: string,
  { held }: Pick<Evidence, 'held'>,
): Promise<Manifest | undefined> {
  const { group, resource } = RESOURCE_TYPES[kind].gvr;
  return held(group, resource, key);
}
