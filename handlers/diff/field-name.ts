/** What a field is called in a headline. */
import type { FieldChange } from './field-change.ts';
import { formatPath, type Step } from './path.ts';

const CONTAINERS: ReadonlySet<Step | undefined> = new Set(['containers', 'initContainers', 'ephemeralContainers']);

/** The shortest unambiguous name: `image web`, `replicas`, `container sidecar`, `env LOG_LEVEL`, `web resources.limits.cpu`. */
export function nameOf(field: FieldChange): string {
  const { steps } = field;
  const item = (at: number) => (steps.at(at) as { readonly item: string }).item;
  if (isImage(field)) return `image ${item(-2)}`;
  if (isContainer(field)) return `container ${item(-1)}`;
  if (typeof steps.at(-1) === 'object' && steps.at(-2) === 'env') return `env ${item(-1)}`;
  if (steps.at(-1) === 'value' && typeof steps.at(-2) === 'object' && steps.at(-3) === 'env') return `env ${item(-2)}`;
  if (steps.slice(0, -1).includes(SCHEMA)) return nameInSchema(steps);
  const last = steps.findLastIndex((step) => typeof step === 'object');
  // A bare number names nothing: `0 from`.
  if (last > 0 && last < steps.length - 1 && !/^\d+$/.test(item(last))) {
    const kind = steps[last - 1] === 'env' ? 'env ' : '';
    return `${kind}${item(last)} ${formatPath(steps.slice(last + 1))}`;
  }
  if (last > 0) return formatPath(steps.slice(last - 1));
  return formatPath(steps.slice(OBVIOUS.find((start) => isBegunBy(steps, start))?.length ?? 0));
}

const SCHEMA = 'openAPIV3Schema';

/** A field of a CRD's schema by its own path, without the schema's words around each step: `v1 spec.size.type`. */
function nameInSchema(steps: readonly Step[]): string {
  const start = steps.indexOf(SCHEMA);
  const path: Step[] = [];
  for (let i = start + 1; i < steps.length; i++) {
    // Whatever follows is a field's name, even if it is `properties` again.
    if (steps[i] === 'properties' && i < steps.length - 1) i++;
    path.push(steps[i] as Step);
  }
  const version = steps.slice(0, start).find((step) => typeof step === 'object');
  return [...(version === undefined ? [] : [version.item]), formatPath(path)].join(' ');
}

/** Its name where another field has the same short one: `containers[web].env[LOG_LEVEL].value`. */
export function fromFirstItem({ steps }: FieldChange): string {
  return formatPath(steps.slice(Math.max(0, steps.findIndex((step) => typeof step === 'object') - 1)));
}

/** Prefixes that go without saying. */
const OBVIOUS = ['spec.jobTemplate.spec.template.spec', 'spec.template.spec', 'spec', 'metadata'].map((path) =>
  path.split('.'),
);

function isBegunBy(steps: readonly Step[], start: readonly string[]): boolean {
  return start.length < steps.length && start.every((step, n) => steps[n] === step);
}

/** Whether somebody has asked for the object's deletion. */
export function isTerminating({ path, op }: FieldChange): boolean {
  return path === 'metadata.deletionTimestamp' && op === 'add';
}

/** Whether it is the image of a container. */
export function isImage({ steps }: FieldChange): boolean {
  return steps.at(-1) === 'image' && typeof steps.at(-2) === 'object' && CONTAINERS.has(steps.at(-3));
}

/** Whether a whole container was added or removed. */
export function isContainer({ steps, op }: FieldChange): boolean {
  return op !== 'replace' && typeof steps.at(-1) === 'object' && CONTAINERS.has(steps.at(-2));
}

/** Whether it only repeats that something else has changed: `checksum/config` on a pod template. */
export function isChecksum({ steps, before, after }: FieldChange): boolean {
  const last = steps.at(-1);
  return typeof last === 'string' && /checksum|hash$/i.test(last) && typeof (after ?? before) === 'string';
}
