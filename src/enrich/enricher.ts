/** Finds what a change is about, and its owner, for the handlers and templates that ask. */
import type { Change } from '../change.ts';
import { isEvent } from '../event.ts';
import type { Discovery } from '../source/discovery.ts';
import {
  involvedFromChange,
  ownerOfFacts,
  UNKNOWN,
  type Enricher,
  type Involved,
  type ObjectFacts,
  type ObjectReference,
} from './involved.ts';
import { Kinds } from './kinds.ts';
import { ObjectLookup, type LookupOptions } from './object-lookup.ts';

export interface EnricherOptions extends Omit<LookupOptions, 'kinds'> {
  readonly discovery: Pick<Discovery, 'resolve'>;
}

/** pod -> replica set -> deployment is two steps, operators add more; this also ends cycles. */
const MAX_OWNERS = 8;

/** Asks the cluster at a limited rate; see {@link LookupOptions}. */
export function createEnricher({ discovery, ...options }: EnricherOptions): Enricher {
  const kinds = new Kinds(discovery, options.clock);
  const lookup = new ObjectLookup({ ...options, kinds });
  return enricherOf({
    find: (reference, signal) => lookup.find(reference, signal),
    isNamespaced: async (reference) => (await kinds.resourceOf(reference))?.namespaced ?? true,
  });
}

/** Uses only the change itself: for when lookups are switched off, or there is no cluster. */
export const OFFLINE_ENRICHER: Enricher = enricherOf({
  find: () => Promise.resolve(UNKNOWN),
  isNamespaced: () => Promise.resolve(true),
});

interface Cluster {
  find(reference: ObjectReference, signal: AbortSignal): Promise<ObjectFacts>;
  /** True also for an unknown kind. */
  isNamespaced(reference: Pick<ObjectReference, 'apiVersion' | 'kind'>): Promise<boolean>;
}

function enricherOf(cluster: Cluster): Enricher {
  async function involved(change: Change, signal: AbortSignal): Promise<Involved | undefined> {
    const named = involvedFromChange(change);
    return named !== undefined && isEvent(change.gvk) ? { ...named, ...(await cluster.find(named, signal)) } : named;
  }
  return {
    involved,
    async topOwner(change, signal) {
      const object = await involved(change, signal);
      return object && topOwner(object, cluster, signal);
    },
    async namespaceOf(change, signal) {
      const named = involvedFromChange(change);
      if (named === undefined) return undefined;
      const isNamespace = named.kind === 'Namespace' && ['', 'v1'].includes(named.apiVersion);
      if (isNamespace) return involved(change, signal);
      const { namespace: name } = named;
      if (name === undefined) return undefined;
      const reference = { apiVersion: 'v1', kind: 'Namespace', namespace: undefined, name, uid: undefined };
      return { ...reference, ...(await cluster.find(reference, signal)) };
    },
  };
}

/** Goes up to the first object that has no owner or cannot be read; the latter is known by its dependent's reference. */
async function topOwner(object: Involved, cluster: Cluster, signal: AbortSignal): Promise<ObjectReference> {
  const { apiVersion, kind, namespace, name, uid } = object;
  let top: ObjectReference = { apiVersion, kind, namespace, name, uid };
  let facts: ObjectFacts = object;
  for (let step = 0; step < MAX_OWNERS; step++) {
    const owner = ownerOfFacts(facts);
    if (owner === undefined) break;
    top = {
      apiVersion: owner.apiVersion,
      kind: owner.kind,
      namespace: (await cluster.isNamespaced(owner)) ? namespace : undefined,
      name: owner.name,
      uid: owner.uid || undefined,
    };
    facts = await cluster.find(top, signal);
  }
  return top;
}
