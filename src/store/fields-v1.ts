/** The fields that an entry of managedFields owns, in the FieldsV1 format of structured-merge-diff. */
import { isObject, isSameJson, member, type Json, type JsonObject } from '../json.ts';

/** More leaf paths than this of one entry are of no use to people, and each path repeats its parents. */
const MAX_PATHS = 1000;

/** Also limits their total length: a key in a custom resource may be as long as the object, and each path below repeats it. */
const MAX_PATHS_CHARS = 128 * 1024;

/** An object may be nested 10,000 levels deep, which would overflow the stack: deeper fields count as their parent. */
const MAX_DEPTH = 200;

/** The paths of the owned fields, such as `spec.template.spec.containers[name="web"].image`; of very many, the first. */
export function leafPaths(fields: Json | undefined): readonly string[] {
  const leaves: Leaves = { paths: [], chars: 0 };
  if (isObject(fields)) collectLeaves(fields, '', leaves);
  return leaves.paths;
}

interface Leaves {
  readonly paths: string[];
  chars: number;
}

/** A leaf has no children; `.` means the item itself, in addition to its contents. */
function collectLeaves(fields: JsonObject, path: string, leaves: Leaves, depth = 1): void {
  for (const [step, children] of Object.entries(fields)) {
    if (leaves.paths.length >= MAX_PATHS || leaves.chars >= MAX_PATHS_CHARS) return;
    const here = step === '.' ? path : path + segmentOf(step, path);
    if (isObject(children) && Object.keys(children).length > 0 && depth < MAX_DEPTH) {
      collectLeaves(children, here, leaves, depth + 1);
    } else {
      leaves.paths.push(here);
      leaves.chars += here.length;
    }
  }
}

/**
 * Steps of the FieldsV1 format: `f:` a field, `k:` the merge keys of a list item, `v:` a value of a set, `i:` an index; written
 * as structured-merge-diff prints them, with fields that are not plain words in brackets. Values appear only within metadata, for
 * example finalizers: elsewhere they may be secret, and the redaction rules apply only to manifests.
 */
function segmentOf(step: string, parent: string): string {
  const rest = step.slice(2);
  switch (step.slice(0, 2)) {
    case 'f:':
      return /^[\w-]+$/.test(rest) ? `${parent === '' ? '' : '.'}${rest}` : `[${JSON.stringify(rest)}]`;
    case 'k:': {
      const pairs = mergeKeys(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
      return `[${pairs.join(',')}]`;
    }
    case 'v:':
      return parent.startsWith('metadata.') ? `[=${rest}]` : '[=*]';
    default:
      return `[${rest}]`;
  }
}

/**
 * Whether one of the fields has another value in `after`. One that appears or goes does not count: its owner's entry is altered.
 *
 * @param isNoisy whether a path, in the form of {@link leafPaths}, is of no interest
 */
export function ownsDifference(
  fields: Json | undefined,
  before: Json | undefined,
  after: Json | undefined,
  isNoisy: (path: string) => boolean,
): boolean {
  const differs = (
    owned: Json | undefined,
    from: Json | undefined,
    to: Json | undefined,
    { path, depth }: { readonly path: string; readonly depth: number },
  ): boolean => {
    if (!isObject(owned) || from === undefined || to === undefined || isSameJson(from, to)) return false;
    const steps = Object.entries(owned);
    if (steps.length === 0 || depth === MAX_DEPTH) return !isNoisy(path);
    return steps.some(
      ([step, inner]) =>
        step !== '.' &&
        differs(inner, valueAt(from, step), valueAt(to, step), {
          path: path + segmentOf(step, path),
          depth: depth + 1,
        }),
    );
  };
  return differs(fields, before, after, { path: '', depth: 1 });
}

/** What a step of the FieldsV1 format leads to; nothing for `v:`, as a value of a set cannot differ from itself. */
function valueAt(value: Json, step: string): Json | undefined {
  const rest = step.slice(2);
  switch (step.slice(0, 2)) {
    case 'f:':
      return member(value, rest);
    case 'k:': {
      const keys = mergeKeys(rest);
      const hasKeys = (item: Json): boolean =>
        isObject(item) && keys.every(([name, key]) => isSameJson(item[name], key));
      return Array.isArray(value) ? value.find(hasKeys) : undefined;
    }
    case 'i:':
      return Array.isArray(value) ? value[Number(rest)] : undefined;
    default:
      return undefined;
  }
}

/** The keys that a step such as `k:{"name":"web"}` names, without its prefix; none if it is malformed. */
function mergeKeys(keys: string): [string, Json | undefined][] {
  try {
    const parsed = JSON.parse(keys) as Json;
    return isObject(parsed) ? Object.entries(parsed) : [];
  } catch {
    return [];
  }
}
