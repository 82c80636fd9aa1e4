/** Who changed the fields, according to managedFields. */
import type { Actor } from '../../src/change.ts';
import { managersIn } from '../../src/change/remarks.ts';
import type { FieldChange } from './field-change.ts';
import { parseFieldPath } from '../../src/field-path.ts';
import { formatPath, type Step } from './path.ts';

/**
 * The managers that own a changed field or something inside it, each once, in the order of `by`; failing that, those that own
 * what contains the field (an atomic block, or a list item whose field was removed); failing that, those that wrote anything but
 * the status. In this order, because the creator of a list item keeps owning it, and its entry changes when somebody takes over
 * one of its fields.
 */
export function managersOf(fields: readonly FieldChange[], by: readonly Actor[]): readonly string[] {
  if (by.length === 0) return [];
  const changed = fields.map(({ steps }): FieldLocation => ({ begin: prefixOf(steps), steps: stepLabels(steps) }));
  const owners = (owns: (path: string, location: FieldLocation) => boolean) =>
    by.filter(({ paths }) => paths.some((path) => changed.some((location) => owns(path, location))));
  const actors = [owners(isAtOrBelow), owners(contains), by.filter(({ subresource }) => subresource !== 'status')];
  return managersIn(actors.find((some) => some.length > 0) ?? []);
}

interface FieldLocation {
  /** The path up to the first list item, as text: rules out most paths without parsing them. */
  readonly begin: string;
  readonly steps: readonly string[];
}

/** Whether the path is the field itself or a leaf below it: managedFields list the leaves of a block that was added whole. */
function isAtOrBelow(path: string, { begin, steps }: FieldLocation): boolean {
  if (!path.startsWith(begin)) return false;
  const owned = stepsOf(path);
  return owned !== undefined && steps.every((step, n) => step === owned[n]);
}

/** Whether the path contains the field. */
function contains(path: string, { begin, steps }: FieldLocation): boolean {
  if (!path.startsWith(begin) && !begin.startsWith(path)) return false;
  return stepsOf(path)?.every((step, n) => step === steps[n]) ?? false;
}

/** Undefined if a step has no name, which a non-standard API server may write: such a path says nothing about ownership. */
function stepsOf(path: string): readonly string[] | undefined {
  try {
    return parseFieldPath(path);
  } catch {
    return undefined;
  }
}

function prefixOf(steps: readonly Step[]): string {
  const item = steps.findIndex((step) => typeof step !== 'string');
  return formatPath(item < 0 ? steps : steps.slice(0, item));
}

function stepLabels(steps: readonly Step[]): readonly string[] {
  return steps.map((step) => (typeof step === 'string' ? step : step.item));
}
