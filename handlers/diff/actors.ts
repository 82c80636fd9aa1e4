/** Who changed the fields, by managedFields. */
import type { Actor } from '../../src/change.ts';
import { managersIn } from '../../src/remarks.ts';
import type { FieldChange } from './field-change.ts';
import { formatPath, parsePath, type Step } from './path.ts';

/**
 * The managers that own a changed field or something in it, each once, in the order of `by`; else those that own what the field
 * is in (an atomic block, or a list item whose field was removed); else those that wrote anything but the status. In this order,
 * because who created a list item goes on owning the item, and its entry changes when somebody takes a field of it over.
 */
export function managersOf(fields: readonly FieldChange[], by: readonly Actor[]): readonly string[] {
  if (by.length === 0) return [];
  const changed = fields.map(({ steps }): Place => ({ begin: beginningOf(steps), steps: plainSteps(steps) }));
  const owners = (owns: (path: string, place: Place) => boolean) =>
    by.filter(({ paths }) => paths.some((path) => changed.some((place) => owns(path, place))));
  const actors = [owners(isIn), owners(isAround), by.filter(({ subresource }) => subresource !== 'status')];
  return managersIn(actors.find((some) => some.length > 0) ?? []);
}

interface Place {
  /** Up to the first list item, as text: tells most paths apart without reading them. */
  readonly begin: string;
  readonly steps: readonly string[];
}

/** The field itself or, of a block that came whole, a leaf of it: managedFields own the leaves. */
function isIn(path: string, { begin, steps }: Place): boolean {
  if (!path.startsWith(begin)) return false;
  const owned = stepsOf(path);
  return owned !== undefined && steps.every((step, n) => step === owned[n]);
}

/** What the field is in. */
function isAround(path: string, { begin, steps }: Place): boolean {
  if (!path.startsWith(begin) && !begin.startsWith(path)) return false;
  return stepsOf(path)?.every((step, n) => step === steps[n]) ?? false;
}

/** Undefined of a step without a name, which an API server of its own making may write: it says of nothing whose it is. */
function stepsOf(path: string): readonly string[] | undefined {
  try {
    return parsePath(path);
  } catch {
    return undefined;
  }
}

function beginningOf(steps: readonly Step[]): string {
  const item = steps.findIndex((step) => typeof step !== 'string');
  return formatPath(item < 0 ? steps : steps.slice(0, item));
}

function plainSteps(steps: readonly Step[]): readonly string[] {
  return steps.map((step) => (typeof step === 'string' ? step : step.item));
}
