/** One run of a chain for one change: the core of the program. */
import type { Logger } from 'winston';
import type { Change } from '../change.ts';
import type { Clock } from '../clock.ts';
import type { Enricher } from '../enrich/involved.ts';
import { withInvolved } from '../enrich/needs.ts';
import { editsOf } from '../edits.ts';
import type { Json } from '../json.ts';
import type { Delivery, StateWrites } from '../store/store.ts';
import { withDeadline, type RunningCalls } from './deadline.ts';
import { HandlerFailure } from './failure.ts';
import type { Passage } from './fate.ts';
import {
  isHalt,
  type Halt,
  type HandlerContext,
  type SinkInstance,
  type StatefulContext,
  type StatefulInstance,
} from './handler.ts';
import type { Observer } from './observe.ts';
import { contextOf, type Step } from './step.ts';

export interface AttemptOptions {
  readonly steps: readonly Step[];
  /** Other chains get what this one passes. */
  readonly hasBranches: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer: Observer;
  readonly calls: RunningCalls;
  readonly enricher: Enricher;
  /** Makes it durable that a sink has delivered. Never rejects. */
  checkpoint(handler: string): Promise<void>;
}

type Verdict = Change | Halt;
type WakeUp = NonNullable<StateWrites['wakeUps']>[number];
interface Memory {
  readonly states: Map<string, Json>;
  readonly wakeUps: WakeUp[];
}

/**
 * Runs the change through the handlers, strictly in order, each seeing what the one before it passed. Sinks that have
 * delivered it already are passed over.
 * @throws HandlerFailure when a handler throws; sinks that succeeded before it are checkpointed
 */
export async function attempt(delivery: Delivery, options: AttemptOptions): Promise<Passage> {
  const { steps, observer } = options;
  const memory: Memory = { states: new Map(), wakeUps: [] };
  const checkpoints: Promise<void>[] = [];
  let change = delivery.change;
  try {
    for (const step of stepsOf(delivery, steps)) {
      const verdict = await call(step, change, delivery, memory, options);
      observer.verdict(step.id, isHalt(verdict) ? 'halt' : 'pass');
      if (isHalt(verdict)) return { end: { kind: 'halted', by: step.id, reason: verdict.reason }, writes: memory };
      change = verdict;
      // The end of the delivery implies the last one's success.
      if (step.type === 'sink' && step !== steps.at(-1)) checkpoints.push(options.checkpoint(step.id));
    }
    const edits = options.hasBranches ? editsFor(delivery, change, steps) : undefined;
    return { end: { kind: 'completed' }, writes: memory, edits };
  } finally {
    await Promise.all(checkpoints);
  }
}

/** @throws HandlerFailure when a note cannot be kept: without it the branches would see another change than they were promised */
function editsFor({ change, edited }: Delivery, passed: Change, steps: readonly Step[]): string | undefined {
  try {
    return editsOf(change, passed, edited);
  } catch (cause) {
    const problem = new Error('a note that it or a handler before it left cannot be written as JSON', { cause });
    throw new HandlerFailure(steps.at(-1)?.id ?? '', problem);
  }
}

/** What still has to run; a timer starts at the handler that asked for it. */
function stepsOf({ delivered, timerOf }: Delivery, steps: readonly Step[]): readonly Step[] {
  const from = timerOf === undefined ? 0 : steps.findIndex(({ id }) => id === timerOf);
  // Its handler has left the configuration: nobody waits for it any more.
  if (from === -1) return [];
  return steps.slice(from).filter(({ id }) => !delivered.includes(id));
}

async function call(
  step: Step,
  change: Change,
  delivery: Delivery,
  memory: Memory,
  { clock, log, calls, observer, enricher }: AttemptOptions,
): Promise<Verdict> {
  const handle = (given: Change, context: HandlerContext): Verdict | Promise<Verdict> => {
    if (step.type === 'transform') return step.instance.handle(given, context);
    if (step.type === 'sink') return deliver(step.instance, given, context);
    return remember(step.id, memory, (wakeAt) => {
      const more = { state: delivery.states.get(step.id), now: clock.steady(), wakeAt };
      return step.instance.handle(given, Object.assign(context, more));
    });
  };
  const work = (signal: AbortSignal): Verdict | Promise<Verdict> => {
    const context = contextOf(step, change, { attempt: delivery.attempts + 1, signal, log, enricher });
    if (step.need === undefined) return handle(change, context);
    return withInvolved(change, step.need, context).then((known) => handle(known, context));
  };
  try {
    return checked(await withDeadline(work, { clock, ms: step.deadlineMs, calls }));
  } catch (thrown) {
    observer.verdict(step.id, 'error');
    throw new HandlerFailure(step.id, thrown);
  }
}

/** A sink passes on what it was given. */
async function deliver(sink: SinkInstance, change: Change, context: HandlerContext): Promise<Change> {
  await sink.deliver(change, context);
  return change;
}

/** Keeps what a stateful handler decided until the delivery ends; a failed attempt's is forgotten with it. */
async function remember(
  handler: string,
  memory: Memory,
  handle: (wakeAt: StatefulContext<Json>['wakeAt']) => ReturnType<StatefulInstance<Json>['handle']>,
): Promise<Verdict> {
  const wakeUps: WakeUp[] = [];
  const answer: Awaited<ReturnType<typeof handle>> | undefined = await handle((key, at) => {
    wakeUps.push({ handler, key, at });
  });
  if (answer === undefined) throw new Error('it returned undefined: probably a missing return or await');
  memory.states.set(handler, answer.state);
  memory.wakeUps.push(...wakeUps);
  return answer.verdict;
}

/** The types promise a verdict; a handler in JavaScript may answer anything. */
function checked(answer: Verdict | undefined): Verdict {
  if (isHalt(answer) || (typeof answer === 'object' && answer !== null && 'action' in answer)) return answer;
  const found = answer === undefined ? 'undefined' : JSON.stringify(answer)?.slice(0, 100);
  throw new Error(`it returned ${found}, wanted the change or halt(reason): probably a missing return or await`);
}
