/** What handlers answer, checked: the types promise it, and a handler in JavaScript may answer anything. */
import type { Change } from '../change.ts';
import type { Json } from '../json.ts';
import { halt, isHalt, type Halt, type HandlerLife } from './handler.ts';

const LIKELY = 'probably a missing return or await';

/** @throws Error for what is neither a change nor a halt */
export function checkedVerdict(answer: unknown): Change | Halt {
  if (isHalt(answer)) return withReason(answer);
  if (isChange(answer)) return answer;
  throw new Error(`it returned ${shown(answer)}, wanted the change or halt(reason): ${LIKELY}`);
}

/** What a stateful handler decided, its state as the store gives it back. @throws Error for what is no verdict with a state */
export function checkedDecision(answer: unknown): { readonly verdict: Change | Halt; readonly state: Json | null } {
  if (isHalt(answer) || isChange(answer)) throw new Error('it returned its verdict alone, wanted { verdict, state }');
  if (typeof answer !== 'object' || answer === null)
    throw new Error(`it returned ${shown(answer)}, wanted { verdict, state }: ${LIKELY}`);
  const { verdict, state } = answer as { readonly verdict?: unknown; readonly state?: unknown };
  return { verdict: checkedVerdict(verdict), state: checkedState(state) };
}

/** What `create` made of a definition. @throws Error for what cannot do its work */
export function checkedInstance<T extends HandlerLife>(instance: T, work: 'handle' | 'deliver'): T {
  const made: unknown = instance;
  if (typeof made === 'object' && made !== null) {
    if (typeof Reflect.get(made, work) === 'function') return instance;
    if (made instanceof Promise)
      throw new Error(`its create() returned a promise, wanted { ${work}(change, context) }: wait in start()`);
  }
  throw new Error(`its create() returned nothing that has ${work}(), wanted { ${work}(change, context) }`);
}

/** A sink passes on what it was given, unless it answers otherwise. What is no verdict is none: it has delivered. */
export function sinkVerdict(answer: unknown, change: Change): Change | Halt {
  return isHalt(answer) || isChange(answer) ? checkedVerdict(answer) : change;
}

/** @throws Error for what is neither a name nor a halt */
export function checkedGroup(answer: unknown): string | Halt {
  if (isHalt(answer)) return withReason(answer);
  if (typeof answer === 'string' && answer !== '') return answer;
  throw new Error(`it names no group: wanted a text or halt(reason), ${LIKELY}`);
}

/** As the store gives it back. @throws Error for what cannot be kept: the store would refuse it, and the chain wait for that */
function checkedState(state: unknown): Json | null {
  const text = JSON.stringify(state) as string | undefined;
  if (text === undefined)
    throw new Error(`its state is ${typeof state}, wanted what JSON can say, or null to forget it`);
  return JSON.parse(text) as Json | null;
}

/** @throws Error for a time that there is none of, such as that of an unreadable date, or nanoseconds. Infinity is never. */
export function checkWakeUp(key: unknown, time: unknown): void {
  if (typeof key !== 'string') throw new Error(`wakeAt() wants the key of an object, got ${typeof key}`);
  if (time === null || time === Infinity) return;
  if (typeof time === 'number' && !Number.isNaN(new Date(time).getTime())) return;
  const found = typeof time === 'number' ? time : typeof time;
  throw new Error(`wakeAt() wants milliseconds since the epoch or null, got ${found}`);
}

function shown(answer: unknown): string | undefined {
  return answer === undefined ? 'undefined' : JSON.stringify(answer)?.slice(0, 100);
}

function withReason(answer: Halt): Halt {
  return typeof answer.reason === 'string' ? answer : halt('it gave no reason');
}

function isChange(answer: unknown): answer is Change {
  return typeof answer === 'object' && answer !== null && ['action', 'key', 'notes'].every((part) => part in answer);
}
