/** What a change is about: for a Kubernetes Event the object that it involves, otherwise the changed object itself. */
import { apiVersionOf, manifestOf, type Change } from '../change.ts';
import { eventFact, isEvent } from '../event.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';

/** An object as named by `involvedObject` or `ownerReferences`. */
export interface ObjectReference {
  /** `apps/v1`; empty if the reference has none. */
  readonly apiVersion: string;
  readonly kind: string;
  /** Undefined for a cluster-scoped object. */
  readonly namespace: string | undefined;
  readonly name: string;
  /** Undefined if the reference has none: then any object of that name matches. */
  readonly uid: string | undefined;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  /** At most one owner manages the object. */
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** What is known about an object besides its name. */
export interface ObjectFacts {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerReferences: readonly OwnerReference[];
  /** It is gone or being deleted; the other facts may be empty. */
  readonly deleted: boolean;
  /** False if it could not be read (forbidden, kind not served, lookups switched off). */
  readonly known: boolean;
}

export interface Involved extends ObjectReference, ObjectFacts {}

/** Answers for any change, from baselines or from the cluster. See `HandlerContext.involved`. */
export interface Enricher {
  involved(change: Change, signal: AbortSignal): Promise<Involved | undefined>;
  topOwner(change: Change, signal: AbortSignal): Promise<ObjectReference | undefined>;
  namespaceOf(change: Change, signal: AbortSignal): Promise<Involved | undefined>;
}

export const UNKNOWN: ObjectFacts = {
  labels: {},
  annotations: {},
  ownerReferences: [],
  deleted: false,
  known: false,
};

/** The object that an Event names; undefined if it names none. */
function involvedReference(event: Change): ObjectReference | undefined {
  const [kind, name] = [eventFact(event, 'involvedKind'), eventFact(event, 'involvedName')];
  if (kind === undefined || name === undefined) return undefined;
  const uid = eventFact(event, 'involvedUid');
  return {
    apiVersion: eventFact(event, 'involvedApiVersion') ?? '',
    kind,
    namespace: eventFact(event, 'involvedNamespace'),
    name,
    // For nodes, the kubelet puts the name in place of the uid.
    uid: uid === name ? undefined : uid,
  };
}

/** What the change is about, judged by the change alone; for an Event this lacks what only the cluster knows. */
export function involvedFromChange(change: Change): Involved | undefined {
  if (isEvent(change.gvk)) {
    const reference = involvedReference(change);
    return reference && { ...reference, ...UNKNOWN };
  }
  const { gvk, namespace, name, uid, action } = change;
  const apiVersion = apiVersionOf(gvk);
  const facts = factsOf(asObject(manifestOf(change))['metadata']);
  return { apiVersion, kind: gvk.kind, namespace, name, uid, ...facts, deleted: facts.deleted || action === 'deleted' };
}

/** @param metadata of a manifest */
export function factsOf(metadata: Json | undefined): ObjectFacts {
  const { labels, annotations, ownerReferences, deletionTimestamp } = asObject(metadata);
  return {
    labels: textValues(labels),
    annotations: textValues(annotations),
    ownerReferences: Array.isArray(ownerReferences) ? ownerReferences.filter(isOwner) : [],
    deleted: nonEmptyText(deletionTimestamp) !== undefined,
    known: true,
  };
}

/** The uid by which Events name an object: for a static pod this hash, as the kubelet has no other. @param metadata of it */
export function uidInEvents(metadata: Json | undefined): string | undefined {
  const { uid, annotations } = asObject(metadata);
  return nonEmptyText(asObject(annotations)['kubernetes.io/config.hash']) ?? nonEmptyText(uid);
}

/** The owner that manages the object, else its first owner. */
export function ownerOfFacts({ ownerReferences }: Pick<ObjectFacts, 'ownerReferences'>): OwnerReference | undefined {
  return ownerReferences.find(({ controller }) => controller === true) ?? ownerReferences[0];
}

/** Whether none of its parts is missing. */
function isOwner(reference: Json): reference is JsonObject & OwnerReference {
  const owner = asObject(reference);
  return ['apiVersion', 'kind', 'name', 'uid'].every((part) => typeof owner[part] === 'string');
}

function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

/** The API writes unknown values as `""`. */
function nonEmptyText(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function textValues(value: Json | undefined): Readonly<Record<string, string>> {
  const found = Object.entries(asObject(value)).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(found);
}
