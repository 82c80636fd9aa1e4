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
  const lookup = new ObjectLookup({ ...options, kinds: new Kinds(discovery, options.clock) });
  return enricherOf((reference, signal) => lookup.find(reference, signal));
}

/** Uses only the change itself: for when lookups are switched off, or there is no cluster. */
export const OFFLINE_ENRICHER: Enricher = enricherOf(() => Promise.resolve(UNKNOWN));

type Find = (reference: ObjectReference, signal: AbortSignal) => Promise<ObjectFacts>;

function enricherOf(find: Find): Enricher {
  async function involved(change: Change, signal: AbortSignal): Promise<Involved | undefined> {
    const named = involvedFromChange(change);
    return named !== undefined && isEvent(change.gvk) ? { ...named, ...(await find(named, signal)) } : named;
  }
  return {
    involved,
    async topOwner(change, signal) {
      const object = await involved(change, signal);
      return object && topOwner(object, find, signal);
    },
    async namespaceOf(change, signal) {
      const named = involvedFromChange(change);
      if (named === undefined) return undefined;
      const isNamespace = named.kind === 'Namespace' && ['', 'v1'].includes(named.apiVersion);
      if (isNamespace) return involved(change, signal);
      const { namespace: name } = named;
      if (name === undefined) return undefined;
      const reference = { apiVersion: 'v1', kind: 'Namespace', namespace: undefined, name, uid: undefined };
      return { ...reference, ...(await find(reference, signal)) };
    },
  };
}

/** Goes up to the first object that has no owner or cannot be read; the latter is known by its dependent's reference. */
async function topOwner(object: Involved, find: Find, signal: AbortSignal): Promise<ObjectReference> {
  const { apiVersion, kind, namespace, name, uid } = object;
  let top: ObjectReference = { apiVersion, kind, namespace, name, uid };
  let facts: ObjectFacts = object;
  for (let step = 0; step < MAX_OWNERS; step++) {
    const owner = ownerOfFacts(facts);
    if (owner === undefined) break;
    top = { apiVersion: owner.apiVersion, kind: owner.kind, namespace, name: owner.name, uid: owner.uid || undefined };
    facts = await find(top, signal);
  }
  return top;
}
