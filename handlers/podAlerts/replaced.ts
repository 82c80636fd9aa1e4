/** Pods that failed for good while nothing was watching, and were replaced by then. */
import type { Change, Manifest } from '../../src/change.ts';
import type { Evidence } from '../../src/enrich/evidence.ts';
import { RESOURCE_TYPES } from './failing-kind.ts';
import { groupOf, ownerOfPod } from './owner.ts';
import { conditionOf, containersOf } from './pod.ts';
import { rows, time } from './read.ts';
import { hasSucceeded, type Sighting } from './sighting.ts';

/** Changes read of pods whose names begin like the workload's. */
const CHANGES_READ = 100;

/**
 * The sighting without a pod that failed for good and was replaced while nothing was watching. A list shows both in the order of
 * their names: if the new pod came first, no later change would end the alert.
 */
export async function withoutReplaced(
  sighting: Sighting,
  { after, flags, namespace }: Change,
  evidence: Pick<Evidence, 'history'>,
): Promise<Sighting> {
  const others = sighting.problems.filter(({ final, job }) => final !== true || job === true);
  const mayBe = flags.whileAway === true && others.length < sighting.problems.length;
  if (!mayBe || after === undefined || namespace === undefined) return sighting;
  return (await wasReplaced(after, namespace, evidence)) ? { ...sighting, problems: others } : sighting;
}

/** Judged by the times that both pods say. */
async function wasReplaced(failed: Manifest, namespace: string, evidence: Pick<Evidence, 'history'>): Promise<boolean> {
  const owner = ownerOfPod(failed);
  const { group, resource } = RESOURCE_TYPES.Pod.gvr;
  const query = { group, resource, namespace, name: `${owner.name}-*`, newestFirst: true, limit: CHANGES_READ };
  const changes = await evidence.history(query);
  const failedAt = failureTimeOf(failed);
  return changes.some(
    ({ after, flags: { whileAway } }) =>
      whileAway === true &&
      after !== undefined &&
      hasSucceeded(after) &&
      groupOf(ownerOfPod(after)) === groupOf(owner) &&
      (conditionOf(after, 'Ready')?.since ?? -Infinity) > failedAt,
  );
}

/** Infinity if it is not known. */
function failureTimeOf(pod: Manifest): number {
  const transitions = rows(pod, 'status', 'conditions').map((condition) => time(condition, 'lastTransitionTime'));
  const ends = containersOf(pod).map(({ terminated }) => terminated?.endedAt);
  const known = [...transitions, ...ends].filter((at) => at !== undefined);
  return known.length === 0 ? Infinity : Math.max(...known);
}
