/** Which workload a change is about, and which object the resulting alert is a change of. */
import { apiVersionOf, keyOf, splitKey, type Change, type Gvk, type Manifest } from '../../src/change.ts';
import { withNote, withParts } from '../../src/change/lazy-change.ts';
import { halt, isHalt, type Halt, type HandlerContext } from '../../src/chain/handler.ts';
import { factsOf, involvedFromChange, uidInEvents } from '../../src/enrich/involved.ts';
import { isEvent } from '../../src/event.ts';
import type { JsonObject } from '../../src/json.ts';
import type { AlertNote } from './alert.ts';
import type { ClassifyOptions } from './classify.ts';
import { RESOURCE_TYPES, failingKindOf, type FailingKind } from './failing-kind.ts';
import { ownerOf, ownerOfJob, ownerOfNode, ownerOfPod, type Owner } from './owner.ts';
import { expectedEndOf, isReady } from './pod.ts';
import { text } from './read.ts';
import { jobMatters, podMatters, nodeMatters, type Sighting } from './sighting.ts';
import type { AlertState } from './state.ts';
import { eventProblemOf, saysNotReady } from './event-problem.ts';

/** Undefined for a kind that no alert is about. */
export function failingKindIn({ group, kind }: Pick<Gvk, 'group' | 'kind'>): FailingKind | undefined {
  return KINDS.find((one) => RESOURCE_TYPES[one].gvk.group === group && one === kind);
}

const KINDS = Object.keys(RESOURCE_TYPES) as FailingKind[];

/** The workload, or why the change says nothing new about one. */
export async function findOwner(
  change: Change,
  options: ClassifyOptions,
  { evidence }: Pick<HandlerContext, 'evidence'>,
): Promise<Owner | Halt> {
  if (isEvent(change.gvk)) return findEventOwner(change, options, evidence);
  switch (failingKindIn(change.gvk)) {
    case 'Pod':
      return podMatters(change, options) ? previousOwnerOf(change) : halt('nothing is wrong with the pod');
    case 'Node':
      return nodeMatters(change, options) ? ownerOfNode(change) : halt('the condition of the node is unchanged');
    case 'Job':
      return jobMatters(change) ? ownerOfJob(change) : halt('the job does not fail with this change');
    case undefined:
      return halt(`a ${change.gvk.kind} is neither a pod, nor an Event of one, nor a node or a job`);
  }
}

/** For a pod that moves to another workload, the one that it leaves; the new one counts from its next change on. */
function previousOwnerOf({ before, after, namespace, name }: Change): Owner {
  const pod = before ?? after;
  return pod === undefined ? ownerOf({ namespace, name, ...factsOf(undefined) }) : ownerOfPod(pod);
}

async function findEventOwner(
  change: Change,
  { notReadyMs }: ClassifyOptions,
  evidence: BaselineReader,
): Promise<Owner | Halt> {
  const problem = eventProblemOf(change);
  if (problem === undefined && (notReadyMs === 0 || !saysNotReady(change)))
    return halt('the Event does not report a failing pod');
  const pod = await findEventPod(change, evidence);
  if (isHalt(pod)) return pod;
  if (expectedEndOf(pod) !== undefined) return halt('the pod of the Event is gone');
  const isPast = (problem === undefined || problem.container === '') && isReady(pod);
  return isPast ? halt('the pod of the Event is ready now') : ownerOfPod(pod);
}

type BaselineReader = Pick<HandlerContext['evidence'], 'held'>;

/** The pod that an Event is about, from the baseline. Halts if it is not there: we would not learn how it goes on. */
export async function findEventPod(event: Change, { held }: BaselineReader): Promise<Manifest | Halt> {
  const named = involvedFromChange(event);
  if (named?.kind !== 'Pod') return halt('the Event is not about a pod');
  const { uid } = named;
  const pod = await held('', 'pods', keyOf(named));
  const uids = [undefined, pod?.metadata.uid, uidInEvents(pod?.metadata)];
  return pod !== undefined && uids.includes(uid) ? pod : halt('the pod of the Event is gone, or not watched');
}

export function podRefOf(pod: Manifest): Pick<Sighting, 'uid' | 'key' | 'node'> {
  const { uid = '' } = pod.metadata;
  return { uid, key: keyOf(pod.metadata), node: text(pod, 'spec', 'nodeName') };
}

/** Annotations kept with the alert. Longer ones are data, not something to select by. */
const MAX_ANNOTATION_LENGTH = 1_000;

/** The parts of a manifest that `match` and message templates use. */
export function selectableParts(manifest: Manifest): JsonObject {
  const { apiVersion, kind } = manifest;
  const { name, namespace, uid, labels, ownerReferences } = manifest.metadata;
  const known = { name, namespace, uid, labels, annotations: annotationsOf(manifest), ownerReferences };
  const metadata = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
  return { apiVersion, kind, metadata };
}

function annotationsOf({ metadata: { annotations } }: Manifest): JsonObject | undefined {
  if (annotations === undefined) return undefined;
  return Object.fromEntries(Object.entries(annotations).filter(([, value]) => value.length <= MAX_ANNOTATION_LENGTH));
}

/**
 * The change to pass on: the one that led to the alert if it is of the pod, node or job that the alert names. Otherwise, as at a
 * wake-up or after an Event, a change with the action `timer` and the last known metadata in `before`.
 */
export function alertChange(change: Change, alert: AlertState, note: AlertNote): Change {
  if (change.action !== 'timer' && change.uid === alert.uid && !isEvent(change.gvk))
    return withNote(change, 'alert', note);
  const { gvk, gvr } = RESOURCE_TYPES[failingKindOf(note.owner, alert.lead)];
  const { namespace, name } = splitKey(alert.pod);
  const about = {
    action: 'timer',
    gvk,
    gvr,
    key: alert.pod,
    namespace,
    name,
    uid: alert.uid,
    before: {
      apiVersion: apiVersionOf(gvk),
      kind: gvk.kind,
      metadata: alert.manifest?.['metadata'] ?? { name },
    } as Manifest,
    after: undefined,
    by: [],
  } as const;
  return withNote(withParts(change, about), 'alert', note);
}
