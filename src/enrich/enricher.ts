/** What a change is about, and whose it is: asked for only by handlers and templates that want to know. */
import type { Change } from '../change.ts';
import { isEvent } from '../event.ts';
import { Kinds } from './kinds.ts';
import {
  namedBy,
  ownerOfFacts,
  UNKNOWN,
  type Enricher,
  type Involved,
  type ObjectFacts,
  type ObjectReference,
} from './involved.ts';
import { ObjectLookup, type LookupOptions } from './object-lookup.ts';
import type { Discovery } from '../source/discovery.ts';

export interface EnricherOptions extends Omit<LookupOptions, 'kinds'> {
  readonly discovery: Pick<Discovery, 'resolve'>;
}

/** pod -> replica set -> deployment is two steps, operators add some; a circle ends here. */
const MAX_OWNERS = 8;

/** Asks the cluster; at most so often, see {@link LookupOptions}. */
export function createEnricher({ discovery, ...options }: EnricherOptions): Enricher {
  const lookup = new ObjectLookup({ ...options, kinds: new Kinds(discovery, options.clock) });
  return enricherOf((reference, signal) => lookup.find(reference, signal));
}

/** Knows what the change itself says, and asks nobody: lookups are switched off, or there is no cluster. */
export const UNASKING: Enricher = enricherOf(() => Promise.resolve(UNKNOWN));

type Find = (reference: ObjectReference, signal: AbortSignal) => Promise<ObjectFacts>;

function enricherOf(find: Find): Enricher {
  async function involved(change: Change, signal: AbortSignal): Promise<Involved | undefined> {
    const named = namedBy(change);
    return named !== undefined && isEvent(change.gvk) ? { ...named, ...(await find(named, signal)) } : named;
  }
  return {
    involved,
    async topOwner(change, signal) {
      const object = await involved(change, signal);
      return object && topOwner(object, find, signal);
    },
    async namespaceOf(change, signal) {
      const named = namedBy(change);
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

/** Up to the first object that nobody owns, or that cannot be looked at: its dependent names it. */
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
