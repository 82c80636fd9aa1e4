/** Checks what handlers return: a handler in JavaScript may return anything. */
import { inspect } from 'node:util';
import type { Change } from '../change.ts';
import type { Json } from '../json.ts';
import { shortened } from '../text/printable.ts';
import { halt, isHalt, type Halt, type HandlerLife } from './handler.ts';

const LIKELY_CAUSE = 'probably a missing return or await';
const MAX_QUOTED_CHARS = 100;

/** @throws Error if it is neither a change nor a halt */
export function checkedVerdict(answer: unknown): Change | Halt {
  if (isHalt(answer)) return withReason(answer);
  if (isChange(answer)) return answer;
  throw new Error(`it returned ${quoted(answer)}, expected the change or halt(reason): ${LIKELY_CAUSE}`);
}

/** A stateful handler's decision, with the state as the store will return it. @throws Error if it has no verdict or no state */
export function checkedDecision(answer: unknown): { readonly verdict: Change | Halt; readonly state: Json | null } {
  if (isHalt(answer) || isChange(answer)) throw new Error('it returned only its verdict, expected { verdict, state }');
  if (typeof answer !== 'object' || answer === null)
    throw new Error(`it returned ${quoted(answer)}, expected { verdict, state }: ${LIKELY_CAUSE}`);
  const { verdict, state } = answer as { readonly verdict?: unknown; readonly state?: unknown };
  return { verdict: checkedVerdict(verdict), state: checkedState(state) };
}

/** What `create` returned. @throws Error if it lacks its method */
export function checkedInstance<T extends HandlerLife>(instance: T, method: 'handle' | 'deliver'): T {
  const value: unknown = instance;
  if (typeof value === 'object' && value !== null) {
    if (typeof Reflect.get(value, method) === 'function') return instance;
    if (value instanceof Promise)
      throw new Error(`its create() returned a promise, expected { ${method}(change, context) }: wait in start()`);
  }
  throw new Error(`its create() returned nothing that has ${method}(), expected { ${method}(change, context) }`);
}

/** What `deadlineMs` and `batch` made of the options. @throws Error that names what is no number, with which a change waits forever */
export function checkNumbers(values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (isNumber(value)) continue;
    const found = typeof value === 'string' ? JSON.stringify(value) : String(value);
    throw new Error(`its ${name} must be a number: current value is ${found}`);
  }
}

/** A sink passes on what it was given unless it returns a verdict; anything else is ignored, as it has delivered. */
export function sinkVerdict(answer: unknown, change: Change): Change | Halt {
  return isHalt(answer) || isChange(answer) ? checkedVerdict(answer) : change;
}

/** @throws Error if it is neither a name nor a halt */
export function checkedGroup(answer: unknown): string | Halt {
  if (isHalt(answer)) return withReason(answer);
  if (typeof answer === 'string' && answer !== '') return answer;
  throw new Error(`it returned no group: expected a string or halt(reason), ${LIKELY_CAUSE}`);
}

/** How many changes fit into a message: at least one. @throws Error if it is not a number */
export function checkedCount(answer: unknown): number {
  if (isNumber(answer)) return Math.max(1, answer);
  const found = answer instanceof Promise ? 'a promise' : String(answer);
  throw new Error(`fits() returned ${found}, expected a number: it cannot wait`);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && !Number.isNaN(value);
}

/** The state as the store will return it. @throws Error if it cannot be stored, as the chain would wait for the store forever */
function checkedState(state: unknown): Json | null {
  const text = JSON.stringify(state) as string | undefined;
  if (text === undefined) throw new Error(`its state is ${typeof state}, expected a JSON value, or null to forget it`);
  return JSON.parse(text) as Json | null;
}

/** @throws Error if the time is invalid, such as that of an unreadable date, or nanoseconds. Infinity means never. */
export function checkWakeUp(key: unknown, time: unknown): void {
  if (typeof key !== 'string') throw new Error(`wakeAt() expects the key of an object, got ${typeof key}`);
  if (time === null || time === Infinity) return;
  if (typeof time === 'number' && !Number.isNaN(new Date(time).getTime())) return;
  const found = typeof time === 'number' ? time : typeof time;
  throw new Error(`wakeAt() expects milliseconds since the epoch or null, got ${found}`);
}

/** As Node shows it: JSON refuses what contains itself, such as an HTTP client's response. */
function quoted(answer: unknown): string {
  return shortened(inspect(answer, { depth: 1, breakLength: Infinity }), MAX_QUOTED_CHARS);
}

function withReason(answer: Halt): Halt {
  return typeof answer.reason === 'string' ? answer : halt('it gave no reason');
}

function isChange(answer: unknown): answer is Change {
  return typeof answer === 'object' && answer !== null && ['action', 'key', 'notes'].every((part) => part in answer);
}
