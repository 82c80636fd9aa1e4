/** Which workload a change is about, and what the alert that it leads to is a change of. */
import { manifestOf, withNote, withParts, type Change, type Manifest } from '../../src/change.ts';
import { halt, type Halt, type HandlerContext } from '../../src/chain/handler.ts';
import { factsOf, type Involved } from '../../src/enrich/involved.ts';
import { isEvent } from '../../src/event.ts';
import type { JsonObject } from '../../src/json.ts';
import type { AlertNote } from './alert.ts';
import type { ClassifyOptions } from './classify.ts';
import { ownerOf, ownerOfNode, type Owner } from './owner.ts';
import { matters, nodeMatters } from './sighting.ts';
import type { AlertState } from './state.ts';
import { problemToldBy } from './told.ts';

export function isCore({ gvk }: Change, kind: string): boolean {
  return gvk.group === '' && gvk.kind === kind;
}

/** The workload, or why the change is no news of any. */
export async function ownerBehind(
  change: Change,
  options: ClassifyOptions,
  context: Pick<HandlerContext, 'involved'>,
): Promise<Owner | Halt> {
  if (isEvent(change.gvk)) return ownerBehindEvent(change, context);
  if (isCore(change, 'Pod'))
    return matters(change, options) ? ownerOfPod(change) : halt('nothing is wrong with the pod');
  if (isCore(change, 'Node')) return nodeMatters(change) ? ownerOfNode(change) : halt('the node stays as it was');
  return halt(`a ${change.gvk.kind} is neither a pod, nor an Event of one, nor a node`);
}

async function ownerBehindEvent(change: Change, context: Pick<HandlerContext, 'involved'>): Promise<Owner | Halt> {
  if (problemToldBy(change) === undefined) return halt('the Event tells of no failing pod');
  const pod = await context.involved(change);
  if (pod === undefined || pod.kind !== 'Pod') return halt('the Event is not about a pod');
  return pod.deleted ? halt('the pod of the Event is gone') : ownerOf(pod);
}

function ownerOfPod(change: Change): Owner {
  const { namespace, name } = change;
  return ownerOf({ namespace, name, ...factsOf(manifestOf(change)?.metadata) });
}

/** The pod that an Event is about. */
export function podOf(involved: Involved): { readonly uid: string; readonly key: string } {
  const { namespace, name, uid = '' } = involved;
  return { uid, key: namespace === undefined ? name : `${namespace}/${name}` };
}

/** Of a manifest, what others choose by: `match`, the templates of a message. */
export function metadataOf(manifest: Manifest | undefined): JsonObject | undefined {
  if (manifest === undefined) return undefined;
  const { name, namespace, uid, labels, ownerReferences } = manifest.metadata;
  return Object.fromEntries(
    Object.entries({ name, namespace, uid, labels, ownerReferences }).filter(([, value]) => value !== undefined),
  );
}

/**
 * The change that is told: the one that led to the alert when it is of the pod, or the node, that the alert names. Else, as at a
 * wake-up or after an Event, it is made one: of the action `timer`, with the metadata as it was known in `before`.
 */
export function toldAs(change: Change, alert: AlertState, note: AlertNote): Change {
  if (change.action !== 'timer' && change.uid === alert.uid && !isEvent(change.gvk))
    return withNote(change, 'alert', note);
  const kind = note.owner.kind === 'Node' ? 'Node' : 'Pod';
  const [name = '', namespace] = alert.pod.split('/').toReversed();
  const about = {
    action: 'timer',
    gvk: { group: '', version: 'v1', kind },
    gvr: { group: '', version: 'v1', resource: `${kind.toLowerCase()}s` },
    key: alert.pod,
    namespace,
    name,
    uid: alert.uid,
    before: { apiVersion: 'v1', kind, metadata: { name, ...alert.metadata } } as Manifest,
    after: undefined,
    by: [],
  } as const;
  return withNote(withParts(change, about), 'alert', note);
}
