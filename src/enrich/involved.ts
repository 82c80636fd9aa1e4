/** What a change is about: of a Kubernetes Event the object that it involves, of anything else the changed object itself. */
import { apiVersionOf, manifestOf, type Change } from '../change.ts';
import { isEvent } from '../event.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';

/** As `involvedObject` and `ownerReferences` name an object. */
export interface ObjectReference {
  /** `apps/v1`; empty when the reference says nothing. */
  readonly apiVersion: string;
  readonly kind: string;
  /** Undefined for what has none. */
  readonly namespace: string | undefined;
  readonly name: string;
  /** Undefined when the reference says none: then any object of that name is meant. */
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

/** What is known of an object beside its name. */
export interface ObjectFacts {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerReferences: readonly OwnerReference[];
  /** It is gone, or on its way: what is known of it may be nothing. */
  readonly deleted: boolean;
  /** False: the cluster does not show it (forbidden, a kind that it does not serve, lookups switched off). */
  readonly known: boolean;
}

export interface Involved extends ObjectReference, ObjectFacts {}

/** Answers for any change, from what is held already or from the cluster. See `HandlerContext.involved`. */
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

/** The object that an Event names; undefined when it names none. */
function involvedReference(event: Json | undefined): ObjectReference | undefined {
  const reference = table(table(event)['involvedObject'] ?? table(event)['regarding']);
  const [kind, name] = [text(reference['kind']), text(reference['name'])];
  if (kind === undefined || name === undefined) return undefined;
  const uid = text(reference['uid']);
  return {
    apiVersion: text(reference['apiVersion']) ?? '',
    kind,
    namespace: text(reference['namespace']),
    name,
    // The kubelet gives a node's name for its uid.
    uid: uid === name ? undefined : uid,
  };
}

/** What the change is about as the change itself says it; for an Event without what only the cluster knows. */
export function namedBy(change: Change): Involved | undefined {
  if (isEvent(change.gvk)) {
    const reference = involvedReference(manifestOf(change));
    return reference && { ...reference, ...UNKNOWN };
  }
  const { gvk, namespace, name, uid, action } = change;
  const apiVersion = apiVersionOf(gvk);
  const facts = factsOf(table(manifestOf(change))['metadata']);
  return { apiVersion, kind: gvk.kind, namespace, name, uid, ...facts, deleted: facts.deleted || action === 'deleted' };
}

/** @param metadata of a manifest */
export function factsOf(metadata: Json | undefined): ObjectFacts {
  const { labels, annotations, ownerReferences, deletionTimestamp } = table(metadata);
  return {
    labels: texts(labels),
    annotations: texts(annotations),
    ownerReferences: Array.isArray(ownerReferences) ? ownerReferences.flatMap(ownerOf) : [],
    deleted: text(deletionTimestamp) !== undefined,
    known: true,
  };
}

/** By which uid Events name the object: a static pod by this hash, for the kubelet knows no other. @param metadata of a manifest */
export function uidInEvents(metadata: Json | undefined): string | undefined {
  const { uid, annotations } = table(metadata);
  return text(table(annotations)['kubernetes.io/config.hash']) ?? text(uid);
}

/** Who manages the object; without a manager, its first owner. */
export function ownerOfFacts({ ownerReferences }: Pick<ObjectFacts, 'ownerReferences'>): OwnerReference | undefined {
  return ownerReferences.find(({ controller }) => controller === true) ?? ownerReferences[0];
}

/** As the manifest has it. */
function ownerOf(reference: Json): OwnerReference[] {
  const owner = table(reference);
  const isNamed = ['apiVersion', 'kind', 'name', 'uid'].every((part) => typeof owner[part] === 'string');
  return isNamed ? [owner as unknown as OwnerReference] : [];
}

function table(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

/** The API writes what it does not know as `""`. */
function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function texts(value: Json | undefined): Readonly<Record<string, string>> {
  const found = Object.entries(table(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(found);
}
