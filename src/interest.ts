/**
 * Interest: which fields of a resource the chains of a scope read. An update outside it is noise: it moves the
 * cursor, is counted, and nothing else. Serialised as JSON in the store, so that a changed interest is noticed.
 */

/**
 * Field roots that are left out; everything else is read. A root is a dotted path of plain keys
 * (`status`, `metadata.generation`), or for one annotation `metadata.annotations["deployment.kubernetes.io/revision"]`.
 * An empty list: everything is read.
 */
export interface Interest {
  readonly except: readonly string[];
}

/** Everything is read: nothing is noise but `resourceVersion` and `managedFields`, which change with every write. */
export const EVERYTHING: Interest = { except: [] };

/** What at least one of them reads: only what all of them leave out stays left out. */
export function unionOfInterests(interests: readonly Interest[]): Interest {
  const [first, ...others] = interests;
  if (first === undefined) return EVERYTHING;
  const except = first.except.filter((root) => others.every((other) => other.except.includes(root)));
  return { except: [...new Set(except)].toSorted() };
}

export function sameInterest(a: Interest, b: Interest): boolean {
  return JSON.stringify(a.except.toSorted()) === JSON.stringify(b.except.toSorted());
}
