/** Which of the changed fields a reader wants to know first. */
import type { FieldChange } from './field-change.ts';
import { isChecksum, isContainer, isImage, isTerminating } from './field-name.ts';
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
  const { steps } = field;
  const [root, second] = steps;
  if (isTerminating(field)) return 0;
  if (isImage(field)) return 1;
  if (SCALE.has(field.path)) return 2;
  if (isContainer(field)) return 3;
  if (DATA.has(root)) return 4;
  if (root === 'metadata') return second === 'annotations' ? 8 : 7;
  if (root === 'status') return statusRank(field);
  if (isOtherImage(field)) return 1;
  if (isChecksum(field)) return 7;
  // A pod template's metadata is more often a consequence than a cause; a new version of a CRD rewords more than it alters.
  return isTemplateLabel(steps) || steps.includes('annotations') || steps.at(-1) === 'description' ? 6 : 5;
}

/** Of an operator's resource, or in the values of a chart: `spec.image`, `spec.values.image.tag`. */
function isOtherImage({ steps, before, after }: FieldChange): boolean {
  const [owner, last] = steps.slice(-2);
  if (typeof (after ?? before) !== 'string') return false;
  return last === 'image' || (owner === 'image' && (last === 'repository' || last === 'tag' || last === 'digest'));
}

/** `spec.template.metadata.labels`, `spec.podMetadata.labels`; not the labels of an alert. */
function isTemplateLabel(steps: readonly Step[]): boolean {
  const owner = steps[steps.indexOf('labels') - 1];
  return typeof owner === 'string' && /metadata$/i.test(owner);
}

/** A condition's `status` before its reason, and both before the times at which they were written. */
function statusRank({ steps, after }: FieldChange): number {
  const last = steps.at(-1);
  if (last === 'status' || last === 'phase') return 9;
  const isBookkeeping = last === 'observedGeneration' || (typeof after === 'string' && TIME.test(after));
  return isBookkeeping ? 11 : 10;
}

const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
