/** What a test is once it is compiled, and several of them as one. */
import type { Change } from '../../src/change.ts';
import type { Lookups } from '../../src/enrich/needs.ts';

/** Whether a test holds, and why: `namespace "kube-system" does not match ^team-`. A promise if the cluster has to be asked. */
export type Condition = (change: Change, context: Lookups) => Outcome | Promise<Outcome>;

export interface Outcome {
  readonly holds: boolean;
  readonly why: string;
}

/** Holds if all do, with the reasons of all. Otherwise it has the outcome of the first that does not, and tests no further. */
export function allOf(conditions: readonly Condition[]): Condition {
  return (change, context) => {
    const reasons: string[] = [];
    /** A promise only if the cluster has to be asked: what is decided at once needs no deadline. */
    const testFrom = (index: number): Outcome | Promise<Outcome> => {
      const condition = conditions[index];
      if (condition === undefined) return { holds: true, why: reasons.join(', ') };
      const next = (outcome: Outcome): Outcome | Promise<Outcome> => {
        if (!outcome.holds) return outcome;
        reasons.push(outcome.why);
        return testFrom(index + 1);
      };
      const outcome = condition(change, context);
      return outcome instanceof Promise ? outcome.then(next) : next(outcome);
    };
    return testFrom(0);
  };
}
