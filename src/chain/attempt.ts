/** One run of a chain for one change: the core of the program. */
import type { Change } from '../change.ts';
import { withInvolved } from '../enrich/needs.ts';
import { editsOf } from '../change/edits.ts';
import type { Json } from '../json.ts';
import type { Delivery, StateWrites } from '../store/delivery.ts';
import { CallContext, type CallEnvironment } from './call.ts';
import { withDeadline, type Call } from './deadline.ts';
import { isWait, HandlerFailure, waitUntilOf } from './failure.ts';
import type { Arrival, Outcome } from './fate.ts';
import type { Gather } from './gathering.ts';
import {
  isHalt,
  type Halt,
  type HandlerContext,
  type SinkInstance,
  type StatefulContext,
  type StatefulInstance,
} from './handler.ts';
import type { Observer } from './observe.ts';
import { deliverWithFallback, type Fallbacks } from './fallback.ts';
import { canGather, type SinkStep, type Step } from './step.ts';
import { checkedGroup, checkedDecision, checkedVerdict, checkWakeUp, sinkVerdict } from './verdict.ts';

export interface AttemptOptions {
  readonly steps: readonly Step[];
  /** Whether branches get what this chain passes. */
  readonly hasBranches: boolean;
  readonly environment: CallEnvironment;
  readonly observer: Observer;
  readonly gather: Gather;
  /** See `Store.join`; returns the state of this handler. @throws HandlerFailure if the process is stopping */
  join(handler: string, group: string): Promise<ReadonlyMap<string, Json> | undefined>;
  /** Sinks that are not steps: they deliver only as fallbacks. */
  readonly fallbacks: Fallbacks;
  /** Records durably that a sink has delivered. Never rejects. */
  checkpoint(handler: string): Promise<void>;
}

type Verdict = Change | Halt;
type WakeUp = NonNullable<StateWrites['wakeUps']>[number];
interface Memory {
  readonly states: Map<string, Json>;
  readonly wakeUps: WakeUp[];
}

/**
 * Runs the change through the handlers, strictly in order, each seeing what the one before it passed. Skips sinks that have
 * already delivered it. May stop early at a sink where the change waits for others, or at a group that is busy.
 * @throws HandlerFailure if a handler throws; sinks that succeeded before it are checkpointed
 */
export async function attempt(delivery: Delivery, options: AttemptOptions): Promise<Outcome> {
  const { change, timerOf } = delivery;
  const memory: Memory = { states: new Map(), wakeUps: [] };
  // The handler that asked for this wake-up is gone; passed on, it would reach the branches without any handler's doing.
  if (timerOf !== undefined && !options.steps.some(({ id }) => id === timerOf)) {
    // Nobody else would ever remove its state, and one that missed changes misleads the handler if it is configured again.
    memory.states.set(timerOf, null);
    return {
      kind: 'ended',
      end: { kind: 'halted', by: timerOf, reason: 'set by a handler that is no longer configured' },
      writes: memory,
    };
  }
  return runSteps(stepsOf(delivery, options.steps), change, { delivery, options, memory });
}

interface Run {
  readonly delivery: Delivery;
  readonly options: AttemptOptions;
  readonly memory: Memory;
  /** The sink whose fallback is being used. */
  readonly insteadOf?: string;
}

async function runSteps(steps: readonly Step[], initial: Change, initialRun: Run): Promise<Outcome> {
  const { delivery, options, memory } = initialRun;
  const checkpoints: Promise<void>[] = [];
  let change = initial;
  let run = initialRun;
  try {
    for (const [n, step] of steps.entries()) {
      const entry = isGrouping(step, run.delivery) ? await enterGroup(step, change, run) : run;
      if (entry === undefined) return { kind: 'moved' };
      if (!isHalt(entry)) run = entry;
      const verdict = isHalt(entry) ? entry : await runOrGather(step, change, run);
      if (isWaiting(verdict)) {
        const resume = () => runSteps(steps.slice(n + 1), verdict.change, run);
        return { kind: 'arrived', at: step.id, ...verdict, resume };
      }
      options.observer.verdict(step.id, isHalt(verdict) ? 'halt' : 'pass');
      if (isHalt(verdict)) {
        const end = { kind: 'halted', by: step.id, reason: step.hide(verdict.reason) } as const;
        return { kind: 'ended', end, writes: memory };
      }
      // The end of the delivery implies success of the last step. A sink that added notes is not checkpointed: they are not
      // stored, so on a retry it must run again.
      const isCheckpointed = step.type === 'sink' && verdict === change;
      if (isCheckpointed && step !== steps.at(-1)) checkpoints.push(options.checkpoint(step.id));
      change = verdict;
    }
    const edits = options.hasBranches ? editsFor(delivery, change, options.steps) : undefined;
    return { kind: 'ended', end: { kind: 'completed' }, writes: memory, edits };
  } finally {
    await Promise.all(checkpoints);
  }
}

type Grouping = Extract<Step, { type: 'stateful' }>;

function isGrouping(step: Step, { group }: Delivery): step is Grouping {
  return step.type === 'stateful' && step.instance.group !== undefined && group === undefined;
}

/** The run with the state of its group; why the change halts; or undefined if the group is busy, and the change waits for it. */
async function enterGroup(step: Grouping, change: Change, run: Run): Promise<Run | Halt | undefined> {
  const group = await callHandler(
    step,
    change,
    run,
    (given, context) => step.instance.group?.(given, context),
    checkedGroup,
  );
  if (isHalt(group)) return group;
  const states = await run.options.join(step.id, group);
  return states === undefined ? undefined : { ...run, delivery: { ...run.delivery, group, states } };
}

type Waiting = Pick<Arrival, 'change' | 'wait'>;

/** Judged by what every change and every halt has, as a handler may return additional properties. */
function isWaiting(verdict: Verdict | Waiting): verdict is Waiting {
  return !isHalt(verdict) && !('action' in verdict);
}

/** The handler's verdict, or that the change waits here for others: before it is sent, or due to the receiver's rate limit. */
async function runOrGather(step: Step, change: Change, run: Run): Promise<Verdict | Waiting> {
  if (!canGather(step) || run.delivery.isAlone) return deliverOrFallBack(step, change, run);
  const { gather, environment } = run.options;
  const wait = gather.wait(step.id, change);
  if (wait !== undefined) return { change, wait };
  try {
    return await deliverOrFallBack(step, change, run);
  } catch (thrown) {
    if (!isWait(thrown)) throw thrown;
    const limitedUntil = waitUntilOf(thrown, environment.clock.steady());
    gather.rateLimited(step.id, limitedUntil);
    return { change, wait: { until: limitedUntil } };
  }
}

/** @throws HandlerFailure if a note cannot be stored, as the branches would see a different change without it */
function editsFor({ change, edited }: Delivery, passed: Change, steps: readonly Step[]): string | undefined {
  try {
    return editsOf(change, passed, edited);
  } catch (cause) {
    const problem = new Error('a note left by it or by an earlier handler cannot be written as JSON', { cause });
    throw new HandlerFailure(steps.at(-1)?.id ?? '', problem);
  }
}

/** The steps that still have to run. */
function stepsOf({ delivered, timerOf }: Delivery, steps: readonly Step[]): readonly Step[] {
  const applicable = timerOf === undefined ? steps : stepsOfTimer(timerOf, steps);
  return applicable.filter(({ id }) => !delivered.includes(id));
}

/** A wake-up starts at the handler that asked for it; then come those before it that must also see what wake-ups lead to. */
function stepsOfTimer(timerOf: string, steps: readonly Step[]): readonly Step[] {
  const from = steps.findIndex(({ id }) => id === timerOf);
  return [...steps.slice(from, from + 1), ...steps.slice(0, from).filter(holdsWakeUps), ...steps.slice(from + 1)];
}

function holdsWakeUps(step: Step): boolean {
  return step.type === 'transform' && step.holdsWakeUps;
}

function deliverOrFallBack(step: Step, change: Change, run: Run): Promise<Verdict> {
  if (step.type !== 'sink' || step.fallback === undefined) return callStep(step, change, run);
  const { observer, fallbacks } = run.options;
  const deliverBy = (sink: SinkStep, insteadOf?: string) =>
    callStep(sink, change, insteadOf === undefined ? run : { ...run, insteadOf });
  return deliverWithFallback(step, { fallbacks, observer, changes: 1, deliver: deliverBy });
}

function callStep(step: Step, change: Change, run: Run): Promise<Verdict> {
  const { delivery, memory, options } = run;
  const handle = (given: Change, context: HandlerContext): Verdict | Promise<Verdict> => {
    if (step.type === 'transform') return step.instance.handle(given, context);
    if (step.type === 'sink') return deliver(step.instance, given, context);
    return handleStateful(step.id, memory, (wakeAt) => {
      const { states, timerOf, attempts, crashes, perhapsSent, delivered, change } = delivery;
      const isRepeated = attempts > 0 || crashes > 0 || change.flags.replayed === true;
      const extras = {
        state: states.get(step.id),
        now: options.environment.clock.steady(),
        isWakeUp: timerOf === step.id,
        mayBeDelivered: isRepeated || perhapsSent || delivered.length > 0,
        wakeAt,
      };
      return step.instance.handle(given, Object.assign(context, extras));
    });
  };
  return callHandler(step, change, run, handle, checkedVerdict);
}

/** Makes one call within the handler's deadline, and returns its answer as converted by `read`. @throws HandlerFailure */
async function callHandler<A, T>(
  step: Step,
  change: Change,
  { delivery, options, insteadOf }: Run,
  work: (change: Change, context: HandlerContext) => A | Promise<A>,
  read: (answer: A) => T,
): Promise<T> {
  const { environment, observer } = options;
  const { clock, calls } = environment;
  const beginCall = (call: Call): A | Promise<A> => {
    const attempt = delivery.attempts + 1;
    const circumstances = { environment, call, attempt, insteadOf, traceparent: observer.traceparent() };
    const context = new CallContext(step, change, circumstances);
    if (step.need === undefined) return work(change, context);
    return withInvolved(change, step.need, context).then((known) => work(known, context));
  };
  try {
    return read(await withDeadline(beginCall, { clock, ms: step.deadlineMs, calls }));
  } catch (thrown) {
    const failure = new HandlerFailure(step.id, thrown, step.hide);
    observer.verdict(step.id, failure.code === 'WAIT' ? 'wait' : 'error');
    throw failure;
  }
}

async function deliver(sink: SinkInstance, change: Change, context: HandlerContext): Promise<Verdict> {
  return sinkVerdict(await sink.deliver(change, context), change);
}

/** Keeps what a stateful handler decided until the delivery ends; dropped if the attempt fails. */
async function handleStateful(
  handler: string,
  memory: Memory,
  handle: (wakeAt: StatefulContext<Json>['wakeAt']) => ReturnType<StatefulInstance<Json>['handle']>,
): Promise<Verdict> {
  const wakeUps: WakeUp[] = [];
  const answer = await handle((key, at) => {
    checkWakeUp(key, at);
    wakeUps.push({ handler, key, at });
  });
  const { verdict, state } = checkedDecision(answer);
  memory.states.set(handler, state);
  memory.wakeUps.push(...wakeUps);
  return verdict;
}
