/**
 * Interest: which fields of a resource the chains of a scope read. An update outside it is noise: it only moves the
 * cursor and is counted. Serialised as JSON in the store, so that a changed interest is noticed.
 */
import { REPEATS, type Repeats } from './event.ts';

/**
 * Field roots that are left out; everything else is read (an empty list means everything). A root is a dotted path of plain keys
 * (`status`, `metadata.generation`), or for a single annotation `metadata.annotations["deployment.kubernetes.io/revision"]`.
 */
export interface Interest {
  readonly except: readonly string[];
  /** For Kubernetes Events: which repeats count as a change. Default: every one. */
  readonly repeats?: Repeats;
}

/** Everything is read: only `resourceVersion` and `managedFields`, which change with every write, are noise. */
export const EVERYTHING: Interest = { except: [] };

/** What at least one of the interests reads: a root is left out only if all of them leave it out. */
export function unionOfInterests(interests: readonly Interest[]): Interest {
  const [first, ...others] = interests;
  if (first === undefined) return EVERYTHING;
  const except = first.except.filter((root) => others.every((other) => other.except.includes(root)));
  const repeats = interests.map(repeatsOf).reduce((a, b) => (REPEATS.indexOf(a) > REPEATS.indexOf(b) ? a : b));
  return { except: [...new Set(except)].toSorted(), ...(repeats === 'every' ? {} : { repeats }) };
}

export function isSameInterest(a: Interest, b: Interest): boolean {
  const isSame = JSON.stringify(a.except.toSorted()) === JSON.stringify(b.except.toSorted());
  return isSame && repeatsOf(a) === repeatsOf(b);
}

function repeatsOf({ repeats = 'every' }: Interest): Repeats {
  return repeats;
}
