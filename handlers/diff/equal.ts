/** Whether two values are the same. Uses an explicit stack: an object may nest too deeply for recursion. */
import { isList, isMap, own, sameNumber, type Json, type JsonObject } from '../../src/json.ts';

type Maybe = Json | undefined;

/** Key order does not count; a null field counts as absent unless `nulls`. Linear in the size of the smaller value. */
export function equal(a: Maybe, b: Maybe, nulls = false): boolean {
  const pending: Maybe[] = [a, b];
  while (pending.length > 0) {
    const right = pending.pop();
    const left = pending.pop();
    if (left === right) continue;
    if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
    if (isList(left) && isList(right)) {
      if (!pushItems(left, right, pending)) return false;
    } else if (isMap(left) && isMap(right)) {
      if (!pushFields(left, right, pending, nulls)) return false;
    } else if (!sameNumber(left, right)) return false;
  }
  return true;
}

/** False if they are known to differ; what is left to compare goes on `pending`. */
function pushItems(left: readonly Json[], right: readonly Json[], pending: Maybe[]): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) {
    if (left[i] !== right[i] && !push(left[i], right[i], pending)) return false;
  }
  return true;
}

function pushFields(left: JsonObject, right: JsonObject, pending: Maybe[], nulls: boolean): boolean {
  const read = (value: Maybe) => (nulls ? value : (value ?? undefined));
  const keys = Object.keys(left);
  const others = Object.keys(right);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const x = read(left[key]);
    // The server writes keys in a fixed order, so the same position nearly always has the same key.
    const y = read(others[i] === key ? right[key] : own(right, key));
    if (x !== y && !push(x, y, pending)) return false;
  }
  for (let i = 0; i < others.length; i++) {
    const key = others[i] as string;
    if (keys[i] !== key && !Object.hasOwn(left, key) && read(right[key]) !== undefined) return false;
  }
  return true;
}

function push(x: Maybe, y: Maybe, pending: Maybe[]): boolean {
  if (typeof x !== 'object' || typeof y !== 'object') return false;
  pending.push(x, y);
  return true;
}
