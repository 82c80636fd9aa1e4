/** A configured handler, ready to work, as one step of a chain. */
import type { ChainConfig, FallbackConfig, HandlerConfig } from '../config/config.ts';
import type { ReceiverFactory } from '../delivery/receiver.ts';
import { hiderOf } from '../delivery/scrub.ts';
import { needOf, type Need } from '../enrich/needs.ts';
import { toError } from '../errors.ts';
import type {
  BatchWindow,
  HandlerEnvironment,
  SinkInstance,
  SinkMemory,
  StatefulInstance,
  TransformInstance,
} from './handler.ts';
import type { Json } from '../json.ts';
import type { Store } from '../store/store.ts';
import { checkedInstance, checkNumbers } from './verdict.ts';

const TRANSFORM_DEADLINE_MS = 10_000;
const SINK_DEADLINE_MS = 30_000;
/** The store's limit for one batch. */
const MAX_DIGEST = 1_000;

interface StepBase {
  /** `chain/name` or `chain/id`. */
  readonly id: string;
  /** Deadline of one call. */
  readonly deadlineMs: number;
  /** What its templates read besides the change. */
  readonly need: Need | undefined;
  /** Removes what no error may show. */
  readonly hide: (text: string) => string;
}

export type Step = StepBase &
  (
    | { readonly type: 'transform'; readonly instance: TransformInstance; readonly holdsWakeUps: boolean }
    | { readonly type: 'stateful'; readonly instance: StatefulInstance<Json> }
    | {
        readonly type: 'sink';
        readonly instance: SinkInstance;
        readonly window: BatchWindow | undefined;
        readonly fallback: FallbackConfig | undefined;
      }
  );

/** What all handlers share. */
export type StepEnvironment = Omit<HandlerEnvironment, 'id' | 'memory'> & {
  readonly store: Pick<Store, 'recall' | 'remember'>;
};

/**
 * Creates the handler at its place in the chain; starts nothing yet.
 * @throws Error that names the handler, with what its `create` threw as the cause
 */
export function createStep(handler: HandlerConfig, environment: StepEnvironment): Step {
  const hide = hiderOf(handler.secrets);
  try {
    return buildStep(handler, environment, hide);
  } catch (cause) {
    const why = hide(toError(cause).message);
    throw new Error(`Handler ${handler.id} (${handler.at}) cannot be used: ${why}`, { cause });
  }
}

function buildStep(
  { id, definition, options, secrets, digest, fallback }: HandlerConfig,
  { store, receivers, ...environment }: StepEnvironment,
  hide: Step['hide'],
): Step {
  const handlerEnvironment = {
    ...environment,
    id,
    receivers: hidingReceivers(receivers, secrets),
    log: environment.log.child({ handler: id }),
    memory: memoryOf(store, id),
  };
  const need = definition.looksUpInvolved === true ? undefined : needOf(options);
  if (definition.type === 'sink') {
    const deadlineMs = definition.deadlineMs?.(options) ?? SINK_DEADLINE_MS;
    const window = digest === undefined ? definition.batch?.(options) : { ...digest, max: MAX_DIGEST };
    checkNumbers({ deadlineMs });
    if (window !== undefined)
      checkNumbers({ 'batch.windowMs': window.windowMs, 'batch.over': window.over, 'batch.max': window.max });
    const instance = checkedInstance(definition.create(options, handlerEnvironment), 'deliver');
    return { id, need, hide, type: 'sink', deadlineMs, window, fallback, instance };
  }
  if (definition.type === 'stateful') {
    const instance = checkedInstance(definition.create(options, handlerEnvironment), 'handle');
    return { id, need, hide, deadlineMs: TRANSFORM_DEADLINE_MS, type: 'stateful', instance };
  }
  const deadlineMs = definition.deadlineMs?.(options) ?? TRANSFORM_DEADLINE_MS;
  checkNumbers({ deadlineMs });
  const holdsWakeUps = definition.holdsWakeUps === true;
  const instance = checkedInstance(definition.create(options, handlerEnvironment), 'handle');
  return { id, need, hide, deadlineMs, holdsWakeUps, type: 'transform', instance };
}

/** Receivers whose errors hide these texts, too: they are shown elsewhere than in the chain. */
function hidingReceivers(receivers: ReceiverFactory, hidden: readonly string[]): ReceiverFactory {
  return { receiver: (options) => receivers.receiver({ ...options, hidden }) };
}

function memoryOf(store: StepEnvironment['store'], handler: string): SinkMemory {
  return {
    get: (key) => store.recall(handler, key),
    set: (key, value) => store.remember(handler, key, value),
  };
}

/**
 * From a grouping handler on, changes are in the order of their group, so no other handler of the chain can keep state by object.
 * @throws Error that names both handlers
 */
export function checkGroups(steps: readonly Step[]): void {
  const stateful = steps.filter((step) => step.type === 'stateful');
  const grouping = stateful.find(({ instance }) => instance.group !== undefined);
  const other = stateful.find((step) => step !== grouping);
  if (grouping === undefined || other === undefined) return;
  throw new Error(
    `Handler ${grouping.id} keeps state by group, so no other handler of its chain can keep any: move ${other.id} to a branch, or to a chain of its own`,
  );
}

/** Problems that show only when the handlers of a chain and its branches are created. Starts nothing, and contacts nobody. */
export function problemsOfHandlers({ handlers, branches }: ChainConfig, environment: StepEnvironment): string[] {
  const steps: Step[] = [];
  const own = handlers.flatMap((handler) => problemsIn(() => steps.push(createStep(handler, environment))));
  const inBranches = branches.flatMap((branch) => problemsOfHandlers(branch, environment));
  return [...own, ...problemsIn(() => checkGroups(steps)), ...inBranches];
}

function problemsIn(check: () => void): string[] {
  try {
    check();
    return [];
  } catch (thrown) {
    return [toError(thrown).message];
  }
}

export type SinkStep = Extract<Step, { type: 'sink' }>;

/** Whether it can deliver several changes at once. */
export function canGather(step: Step): step is SinkStep {
  return step.type === 'sink' && step.instance.deliverMany !== undefined;
}
