/** What handlers answer, checked: the types promise it, and a handler in JavaScript may answer anything. */
import type { Change } from '../change.ts';
import type { Json } from '../json.ts';
import { halt, isHalt, type Halt } from './handler.ts';

/** @throws Error for what is neither a change nor a halt */
export function checkedVerdict(answer: unknown): Change | Halt {
  if (isHalt(answer)) return withReason(answer);
  if (isChange(answer)) return answer;
  const found = answer === undefined ? 'undefined' : JSON.stringify(answer)?.slice(0, 100);
  throw new Error(`it returned ${found}, wanted the change or halt(reason): probably a missing return or await`);
}

/** A sink passes on what it was given, unless it answers otherwise. What is no verdict is none: it has delivered. */
export function sinkVerdict(answer: unknown, change: Change): Change | Halt {
  return isHalt(answer) || isChange(answer) ? checkedVerdict(answer) : change;
}

/** @throws Error for what is neither a name nor a halt */
export function checkedGroup(answer: unknown): string | Halt {
  if (isHalt(answer)) return withReason(answer);
  if (typeof answer === 'string' && answer !== '') return answer;
  throw new Error('it names no group: wanted a text or halt(reason), probably a missing return or await');
}

/** As the store gives it back. @throws Error for what cannot be kept: the store would refuse it, and the chain wait for that */
export function checkedState(state: unknown): Json | null {
  const text = JSON.stringify(state) as string | undefined;
  if (text === undefined)
    throw new Error(`its state is ${typeof state}, wanted what JSON can say, or null to forget it`);
  return JSON.parse(text) as Json | null;
}

/** @throws Error for a time that there is none of, such as that of an unreadable date */
export function checkWakeUp(key: unknown, time: unknown): void {
  if (typeof key !== 'string') throw new Error(`wakeAt() wants the key of an object, got ${typeof key}`);
  if (time === null || (typeof time === 'number' && !Number.isNaN(time))) return;
  const found = Number.isNaN(time) ? 'NaN' : typeof time;
  throw new Error(`wakeAt() wants milliseconds since the epoch or null, got ${found}`);
}

function withReason(answer: Halt): Halt {
  return typeof answer.reason === 'string' ? answer : halt('it gave no reason');
}

function isChange(answer: unknown): answer is Change {
  return typeof answer === 'object' && answer !== null && ['action', 'key', 'notes'].every((part) => part in answer);
}
