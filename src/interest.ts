/**
 * Interest: which fields of a resource the chains of a scope read. An update outside it is noise: it moves the
 * cursor, is counted, and nothing else. Serialised as JSON in the store, so that a changed interest is noticed.
 */
import { REPEATS, type Repeats } from './event.ts';

/**
 * Field roots that are left out; everything else is read. A root is a dotted path of plain keys
 * (`status`, `metadata.generation`), or for one annotation `metadata.annotations["deployment.kubernetes.io/revision"]`.
 * An empty list: everything is read.
 */
export interface Interest {
  readonly except: readonly string[];
  /** Of Kubernetes Events: which repeats make a difference. Default: every one. */
  readonly repeats?: Repeats;
}

/** Everything is read: nothing is noise but `resourceVersion` and `managedFields`, which change with every write. */
export const EVERYTHING: Interest = { except: [] };

/** What at least one of them reads: only what all of them leave out stays left out. */
export function unionOfInterests(interests: readonly Interest[]): Interest {
  const [first, ...others] = interests;
  if (first === undefined) return EVERYTHING;
  const except = first.except.filter((root) => others.every((other) => other.except.includes(root)));
  const repeats = interests.map(repeatsOf).reduce((a, b) => (REPEATS.indexOf(a) > REPEATS.indexOf(b) ? a : b));
  return { except: [...new Set(except)].toSorted(), ...(repeats === 'every' ? {} : { repeats }) };
}

export function sameInterest(a: Interest, b: Interest): boolean {
  const isSame = JSON.stringify(a.except.toSorted()) === JSON.stringify(b.except.toSorted());
  return isSame && repeatsOf(a) === repeatsOf(b);
}

function repeatsOf({ repeats = 'every' }: Interest): Repeats {
  return repeats;
}
