/** What a reader wants to know first. */
import type { FieldChange } from './field-change.ts';
import type { Step } from './path.ts';
import { formatPath } from './path.ts';
import { cut, formatValues, isShort } from './text.ts';

/** Changes named in the headline; the rest are counted. */
const MAX_NAMED = 3;
/** If a value is longer, the headline says only that it changed. */
const VALUE_WIDTH = 60;
const NAME_WIDTH = 80;

/** `image web nginx:1.7.9 -> nginx:1.9.1, replicas 1 -> 3`; the fields in the order of {@link byImportance}. */
export function headlineOf(fields: readonly FieldChange[]): string {
  const first = fields.slice(0, MAX_NAMED);
  const names = first.map(nameOf);
  // The same field of two containers: under their short name they would read as one thing said twice.
  const isShared = (name: string): boolean => names.indexOf(name) !== names.lastIndexOf(name);
  const named = first.map((field) => {
    const name = nameOf(field);
    return phrase(field, isShared(name) ? fromFirstItem(field) : name);
  });
  const more = fields.length - named.length;
  return [...named, ...(more > 0 ? [`+${more} more`] : [])].join(', ');
}

/** The most important first; equally important ones stay in manifest order. */
export function byImportance(fields: readonly FieldChange[]): readonly FieldChange[] {
  if (fields.length < 2) return fields;
  return fields
    .map((field) => ({ field, rank: rankOf(field) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ field }) => field);
}

const CONTAINERS: ReadonlySet<Step | undefined> = new Set(['containers', 'initContainers', 'ephemeralContainers']);
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

function isTerminating({ path, op }: FieldChange): boolean {
  return path === 'metadata.deletionTimestamp' && op === 'add';
}

function isImage({ steps }: FieldChange): boolean {
  return steps.at(-1) === 'image' && typeof steps.at(-2) === 'object' && CONTAINERS.has(steps.at(-3));
}

function isContainer({ steps, op }: FieldChange): boolean {
  return op !== 'replace' && typeof steps.at(-1) === 'object' && CONTAINERS.has(steps.at(-2));
}

function phrase(field: FieldChange, fullName: string): string {
  if (isTerminating(field)) return 'terminating';
  const name = cut(fullName, NAME_WIDTH);
  if (field.op === 'reorder') return `${name} reordered`;
  const isQuoted = isShort(field.before, VALUE_WIDTH) && isShort(field.after, VALUE_WIDTH) && !isContainer(field);
  // Cloud registry names alone take up half of this width, so for an image the part that differs is always shown.
  if (isQuoted || isImage(field)) return `${name} ${formatValues(field, VALUE_WIDTH)}`;
  return `${name} ${{ add: 'added', remove: 'removed', replace: 'changed' }[field.op]}`;
}

/** The shortest unambiguous name: `image web`, `replicas`, `container sidecar`, `env LOG_LEVEL`, `web resources.limits.cpu`. */
function nameOf(field: FieldChange): string {
  const { steps } = field;
  const item = (at: number) => (steps.at(at) as { readonly item: string }).item;
  if (isImage(field)) return `image ${item(-2)}`;
  if (isContainer(field)) return `container ${item(-1)}`;
  if (steps.at(-1) === 'value' && typeof steps.at(-2) === 'object' && steps.at(-3) === 'env') return `env ${item(-2)}`;
  const last = steps.findLastIndex((step) => typeof step === 'object');
  // A bare number names nothing: `0 from`.
  if (last > 0 && last < steps.length - 1 && !/^\d+$/.test(item(last))) {
    const kind = steps[last - 1] === 'env' ? 'env ' : '';
    return `${kind}${item(last)} ${formatPath(steps.slice(last + 1))}`;
  }
  if (last > 0) return formatPath(steps.slice(last - 1));
  return formatPath(steps.slice(OBVIOUS.find((start) => isBegunBy(steps, start))?.length ?? 0));
}

/** `containers[web].env[LOG_LEVEL].value` */
function fromFirstItem({ steps }: FieldChange): string {
  return formatPath(steps.slice(Math.max(0, steps.findIndex((step) => typeof step === 'object') - 1)));
}

/** Prefixes that go without saying. */
const OBVIOUS = ['spec.jobTemplate.spec.template.spec', 'spec.template.spec', 'spec', 'metadata'].map((path) =>
  path.split('.'),
);

function isBegunBy(steps: readonly Step[], start: readonly string[]): boolean {
  return start.length < steps.length && start.every((step, n) => steps[n] === step);
}
