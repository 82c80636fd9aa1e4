/** What is held of the pods of a workload, for when no change tells how they stand. */
import type { Evidence } from '../../src/enrich/evidence.ts';
import type { ClassifyOptions } from './classify.ts';
import type { RestartRule } from './restarts.ts';
import { nodeSightingOf, sightingOf, type Shown } from './sighting.ts';
import { failsIn, seen, type GroupState } from './state.ts';

export interface LookAgainOptions {
  readonly classify: ClassifyOptions;
  readonly restarts: RestartRule;
  readonly evidence: Pick<Evidence, 'held'>;
}

/**
 * The group with its pods, or its node, as they are held now. What is not held any more is gone: its deletion may not have come
 * here, such as while the chain had other resources.
 */
export async function lookAgain(
  state: GroupState,
  now: number,
  { classify, restarts, evidence }: LookAgainOptions,
): Promise<GroupState> {
  const isNode = state.owner?.kind === 'Node';
  let current = state;
  for (const [uid, { key }] of Object.entries(state.pods)) {
    const manifest = await evidence.held('', isNode ? 'nodes' : 'pods', key);
    const isThere = manifest?.metadata.uid === uid;
    const shown: Shown = isThere
      ? { action: 'updated', key, uid, before: manifest, after: manifest, flags: {} }
      : { action: 'deleted', key, uid, before: undefined, after: undefined, flags: {} };
    current = seen(
      current,
      isNode ? nodeSightingOf(shown, classify, failsIn(current, uid, now)) : sightingOf(shown, classify),
      now,
      restarts,
    );
  }
  return current;
}
