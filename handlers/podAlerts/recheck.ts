/** Checks the baseline for the state of a workload's pods when no change reports it. */
import type { Evidence } from '../../src/enrich/evidence.ts';
import type { ClassifyOptions } from './classify.ts';
import { failingKindOf, findInBaseline } from './failing-kind.ts';
import type { RestartRule } from './restarts.ts';
import { asObserved, sightingOf, type ObservedChange } from './sighting.ts';
import { isPodFailing, withSighting, type GroupState } from './state.ts';

export interface RecheckOptions {
  readonly classify: ClassifyOptions;
  readonly restarts: RestartRule;
  readonly evidence: Pick<Evidence, 'held'>;
}

/**
 * The group with its pods and jobs, or its node, as the baseline has them now. What is no longer there is gone: its deletion
 * may not have come here, such as while the chain had other resources.
 */
export async function recheckPods(
  state: GroupState,
  now: number,
  { classify, restarts, evidence }: RecheckOptions,
): Promise<GroupState> {
  let current = state;
  for (const [uid, { key, problems }] of Object.entries(state.pods)) {
    const kind = failingKindOf(state.owner, ...problems);
    const manifest = await findInBaseline(kind, key, evidence);
    const observed: ObservedChange =
      manifest?.metadata.uid === uid
        ? asObserved(manifest)
        : { action: 'deleted', key, uid, before: undefined, after: undefined, flags: {} };
    current = withSighting(
      current,
      sightingOf(kind, observed, classify, isPodFailing(current, uid, now)),
      now,
      restarts,
    );
  }
  return current;
}
