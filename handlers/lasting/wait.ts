/** What is remembered about an object while it meets the tests, and how it goes on. Pure: time is passed in. */

/** Kept in the store, so JSON: TypeScript takes types for that, but no interfaces. Manifests stay in the history. */
export type Wait = {
  readonly uid: string;
  /** When the object was first seen to meet the tests, milliseconds since the epoch. */
  readonly since: number;
  /** The id of that change, and of the last one so far. */
  readonly began: number;
  readonly last: number;
  /** When the next wake-up is due. */
  readonly due: number;
  /**
   * `surely`: it was reported, and from now on only the end is of interest. `perhaps`: it was over at a later attempt to report
   * it, but an earlier attempt may have reached some receivers, which have to hear of the end when its change comes.
   */
  readonly told?: 'surely' | 'perhaps';
};

/** How long a resumed watch may take to show what happened meanwhile. */
const CATCH_UP_MS = 10_000;

export function begin(change: { readonly id: number; readonly uid: string }, since: number, forMs: number): Wait {
  return { uid: change.uid, since, began: change.id, last: change.id, due: since + forMs };
}

/** After another change that meets the tests. The configuration may have made `forMs` shorter meanwhile. */
export function goOn(wait: Wait, change: { readonly id: number }, now: number, forMs: number): Wait {
  const soon = Math.max(wait.since + forMs, now + CATCH_UP_MS);
  // Its wake-up came already: if the end of it does not come either, what was perhaps told is told once more.
  const isAgain = wait.told === 'perhaps' && wait.due <= now;
  return { ...wait, last: change.id, due: isAgain ? soon : Math.min(wait.due, soon) };
}

interface Waking {
  /** When the wake-up came, which a retry does not change. */
  readonly woken: number;
  readonly now: number;
  readonly forMs: number;
  readonly startedAt: number;
}

/**
 * The wait with another wake-up, or undefined if it is over: the configuration may have made `forMs` longer; and what happened
 * while the service was stopped or suspended may still have to be seen.
 */
export function extended(wait: Wait, { woken, now, forMs, startedAt }: Waking): Wait | undefined {
  const due = wait.since + forMs;
  if (due > woken) return { ...wait, due };
  // A wake-up from before the start is a retry.
  const isResumed = wait.since < startedAt && woken >= startedAt && woken - startedAt < CATCH_UP_MS;
  // Only once: if too much waits in the chain, every wake-up is late.
  const isLate = woken - wait.due > CATCH_UP_MS && wait.due <= due;
  return isResumed || isLate ? { ...wait, due: now + CATCH_UP_MS } : undefined;
}
