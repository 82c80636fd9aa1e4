/** Runs changes of one group in one go: a storm of a hundred pods of a workload becomes one message and a hundred halts. */
import type { Clock } from '../clock.ts';
import type { Json } from '../json.ts';
import type { Delivery, StateWrites } from '../store/delivery.ts';
import type { Outcome, Completion } from './fate.ts';
import type { RunResult } from './retry.ts';

/** A change halted by a handler, which is not durable yet. */
export interface HeldHalt {
  readonly delivery: Delivery;
  readonly completion: Completion;
}

export interface GroupRunParts {
  readonly clock: Clock;
  /** False if the process is stopping. */
  canContinue(): boolean;
  run(delivery: Delivery): Promise<RunResult<Outcome>>;
  /**
   * Makes these ends durable, with what handlers decided. `next`: the claimed delivery whose turn comes now. False if the process
   * stops first: then they are released.
   */
  endAll(halted: readonly HeldHalt[], writes: StateWrites, next: Delivery | undefined): Promise<boolean>;
  settle(delivery: Delivery, runResult: RunResult<Outcome>): Promise<void>;
  release(delivery: Delivery): Promise<void>;
}

/** The longest that ends are held back. */
const MAX_HELD_MS = 500;

/**
 * Runs the deliveries in order, each with the state that the one before it left. Halts are made durable together: nothing has
 * been sent by then, so a crash only repeats computation. The first that does not halt is settled by itself, and those after it
 * are released.
 */
export async function runGroup(deliveries: readonly Delivery[], parts: GroupRunParts): Promise<void> {
  const { clock } = parts;
  let held: HeldHalt[] = [];
  let heldSince = clock.monotonic();
  let states = deliveries[0]?.states ?? new Map<string, Json>();
  const flushHeld = async (next: Delivery | undefined): Promise<boolean> => {
    const isDurable = held.length === 0 || (await parts.endAll(held, writesOf(held), next));
    held = [];
    heldSince = clock.monotonic();
    return isDurable;
  };
  for (const [n, claimed] of deliveries.entries()) {
    const rest = deliveries.slice(n + 1);
    if (n > 0 && !parts.canContinue()) {
      await flushHeld(claimed);
      await Promise.all([claimed, ...rest].map((delivery) => parts.release(delivery)));
      return;
    }
    if (clock.monotonic() - heldSince > MAX_HELD_MS) await flushHeld(claimed);
    const delivery = { ...claimed, states };
    const runResult = await parts.run(delivery);
    const completion = haltOf(runResult);
    if (completion === undefined) {
      const isDurable = await flushHeld(claimed);
      await Promise.all(rest.map((other) => parts.release(other)));
      // Ended before those that run again, it would have overtaken them, and their state would count them twice.
      await (isDurable ? parts.settle(delivery, runResult) : parts.release(delivery));
      return;
    }
    held.push({ delivery, completion });
    states = statesAfter(states, completion.writes);
  }
  await flushHeld(undefined);
}

function haltOf(runResult: RunResult<Outcome>): Completion | undefined {
  if (runResult.kind !== 'done' || runResult.result.kind !== 'ended') return undefined;
  return runResult.result.end.kind === 'halted' ? runResult.result : undefined;
}

function statesAfter(before: ReadonlyMap<string, Json>, { states }: StateWrites): ReadonlyMap<string, Json> {
  const after = new Map([...before, ...(states ?? [])]);
  return new Map([...after].filter(([, value]) => value !== null));
}

/** The last decisions of the run, as states and wake-ups belong to the group. */
function writesOf(held: readonly HeldHalt[]): StateWrites {
  const all = held.map(({ completion }) => completion.writes);
  const wakeUps = all.flatMap(({ wakeUps: asked = [] }) => asked);
  return {
    states: new Map(all.flatMap(({ states }) => [...(states ?? [])])),
    wakeUps: [...new Map(wakeUps.map((wakeUp) => [wakeUp.handler, wakeUp])).values()],
  };
}
