/** Starts handlers in chain order and stops them in reverse. */
import type { Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { RunningCalls, withDeadline } from './deadline.ts';
import type { HandlerLife } from './handler.ts';
import type { Step } from './step.ts';

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 5_000;

interface StartOptions {
  readonly clock: Clock;
  /** Aborted to cut off a handler that is starting. */
  readonly calls: RunningCalls;
}

interface StopOptions {
  readonly clock: Clock;
  readonly log: Logger;
}

/** @throws Error if a handler's `start` threw, or was cut off; none is stopped */
export async function startAll(steps: readonly Step[], options: StartOptions): Promise<void> {
  for (const { id, instance } of steps) {
    try {
      await withDeadline(() => instance.start?.(), { ...options, ms: START_DEADLINE_MS });
    } catch (thrown) {
      throw new Error(`Handler ${id} did not start: ${toError(thrown).message}`, { cause: thrown });
    }
  }
}

/** Stops every handler, even if another one's `stop` fails. */
export async function stopAll(steps: readonly Step[], { clock, log }: StopOptions): Promise<void> {
  for (const { id, instance } of steps.toReversed()) {
    try {
      await withDeadline(() => instance.stop?.(), { clock, ms: STOP_DEADLINE_MS, calls: new RunningCalls() });
    } catch (thrown) {
      log.warn('Handler did not stop cleanly', { handler: id, error: toError(thrown).message });
    }
  }
}

/** For a handler around another: its life is that of the inner one. */
export function lifeOf(instance: HandlerLife): Required<HandlerLife> {
  return { start: async () => instance.start?.(), stop: async () => instance.stop?.() };
}
