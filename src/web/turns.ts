/** Long work that other work waits for no longer than a few milliseconds. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long it holds up everything else at most, but for one step that takes longer. */
const TURN_MS = 4;

/** What `work` makes of each, in the same order; other work goes on in between. */
export async function inTurns<A, B>(all: Iterable<A>, work: (one: A) => B): Promise<readonly B[]> {
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
