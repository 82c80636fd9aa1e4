/** Starts handlers in chain order and stops them in reverse. */
import type { Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { RunningCalls, withDeadline } from './deadline.ts';
import type { HandlerLife } from './handler.ts';
import type { Step } from './step.ts';

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 5_000;

interface LifeOptions {
  readonly clock: Clock;
  readonly log: Logger;
}

/** @throws Error if a handler's `start` threw; none is stopped */
export async function startAll(steps: readonly Step[], options: LifeOptions): Promise<void> {
  for (const { id, instance } of steps) {
    try {
      await callWithin(() => instance.start?.(), START_DEADLINE_MS, options);
    } catch (thrown) {
      throw new Error(`Handler ${id} did not start: ${toError(thrown).message}`, { cause: thrown });
    }
  }
}

/** Stops every handler, even if another one's `stop` fails. */
export async function stopAll(steps: readonly Step[], options: LifeOptions): Promise<void> {
  for (const { id, instance } of steps.toReversed()) {
    try {
      await callWithin(() => instance.stop?.(), STOP_DEADLINE_MS, options);
    } catch (thrown) {
      options.log.warn('Handler did not stop cleanly', { handler: id, error: toError(thrown).message });
    }
  }
}

/** For a handler around another: its life is that of the inner one. */
export function lifeOf(instance: HandlerLife): Required<HandlerLife> {
  return { start: async () => instance.start?.(), stop: async () => instance.stop?.() };
}

async function callWithin(work: () => Promise<void> | undefined, ms: number, { clock }: LifeOptions): Promise<void> {
  await withDeadline(work, { clock, ms, calls: new RunningCalls() });
}
