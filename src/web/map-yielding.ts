/** Runs long work so that other work waits no longer than a few milliseconds. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** The longest it blocks everything else, unless a single step takes longer. */
const TURN_MS = 4;

/** The result of `work` for each, in the same order. Lets other work run in between. */
export async function mapYielding<A, B>(all: Iterable<A>, work: (one: A) => B): Promise<readonly B[]> {
  const done: B[] = [];
  let turnAt = performance.now();
  for (const one of all) {
    if (performance.now() - turnAt > TURN_MS) {
      await nextTurn();
      turnAt = performance.now();
    }
    done.push(work(one));
  }
  return done;
}
