/** Who changed the fields, by managedFields. */
import type { Actor } from '../../src/change.ts';
import type { FieldChange } from './fields.ts';
import { formatPath, parsePath, type Step } from './path.ts';

/**
 * The managers whose entries cover a changed field, each once, in the order of `by`. Where none does (a removed field has no
 * owner any more), those that wrote anything but the status.
 */
export function managersOf(fields: readonly FieldChange[], by: readonly Actor[]): readonly string[] {
  if (by.length === 0) return [];
  const changed = fields.map(({ steps }): Place => ({ begin: beginningOf(steps), steps: plainSteps(steps) }));
  const covering = by.filter(({ paths }) => paths.some((path) => changed.some((place) => covers(path, place))));
  const actors = covering.length > 0 ? covering : by.filter(({ subresource }) => subresource !== 'status');
  return [...new Set(actors.map(({ manager }) => manager))];
}

interface Place {
  /** Up to the first list item, as text: tells most paths apart without reading them. */
  readonly begin: string;
  readonly steps: readonly string[];
}

/** Owning a field means owning what is in it; of a block that came whole, managedFields own the leaves. */
function covers(path: string, { begin, steps }: Place): boolean {
  if (!path.startsWith(begin) && !begin.startsWith(path)) return false;
  const owned = parsePath(path);
  return owned.slice(0, steps.length).every((step, n) => step === steps[n]);
}

function beginningOf(steps: readonly Step[]): string {
  const item = steps.findIndex((step) => typeof step !== 'string');
  return formatPath(item < 0 ? steps : steps.slice(0, item));
}

function plainSteps(steps: readonly Step[]): readonly string[] {
  return steps.map((step) => (typeof step === 'string' ? step : step.item));
}
