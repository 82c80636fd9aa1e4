/** Which of the changed fields a reader wants to know first. */
import type { FieldChange } from './field-change.ts';
import { isContainer, isImage, isTerminating } from './field-name.ts';
import type { Step } from './path.ts';

/** The most important first; equally important ones stay in manifest order. */
export function byImportance(fields: readonly FieldChange[]): readonly FieldChange[] {
  if (fields.length < 2) return fields;
  return fields
    .map((field) => ({ field, rank: rankOf(field) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ field }) => field);
}

const SCALE: ReadonlySet<string> = new Set([
  'spec.replicas',
  'spec.minReplicas',
  'spec.maxReplicas',
  'spec.parallelism',
  'spec.suspend',
]);
const DATA: ReadonlySet<Step | undefined> = new Set(['data', 'stringData', 'binaryData']);

function rankOf(field: FieldChange): number {
  const [root, second] = field.steps;
  if (isTerminating(field)) return 0;
  if (isImage(field)) return 1;
  if (SCALE.has(field.path)) return 2;
  if (isContainer(field)) return 3;
  if (DATA.has(root)) return 4;
  if (root === 'metadata') return second === 'annotations' ? 8 : 7;
  if (root === 'status') return 9;
  // A pod template's metadata is more often a consequence than a cause; a new version of a CRD rewords more than it alters.
  return field.steps.includes('annotations') || field.steps.at(-1) === 'description' ? 6 : 5;
}
