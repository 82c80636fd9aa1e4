/** The values that field paths lead to. */
import type { Manifest } from '../../src/change.ts';
import { isList, isMap, toJson, type Json } from '../../src/json.ts';
import { pairItems } from '../diff/lists.ts';
import { below, KEEP, SKIP, type Mask } from '../diff/mask.ts';

/** The values a path leads to, as text. Uses an explicit stack: an object may nest too deeply for recursion. */
export function* valuesAt(manifest: Json | Manifest, whole: Mask): Generator<string> {
  const pending: FieldNode[] = [{ field: undefined, value: manifest, mask: whole }];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const { value, mask } = node;
    if (value === null || value === undefined || mask === SKIP) continue;
    if (mask === KEEP) yield* asText(value);
    else pending.push(...childrenOf(node).toReversed());
  }
}

/** A note may hold what JSON lacks: a date is the text that a branch finds in the store, a function is absent as it is there. */
function asText(value: Json): readonly string[] {
  if (typeof value === 'string') return [value];
  const json = toJson(value) as string | undefined;
  return json === undefined ? [] : [json.startsWith('"') ? (JSON.parse(json) as string) : json];
}

interface FieldNode {
  /** The field that holds the value; undefined for the root and for list items. */
  readonly field: string | undefined;
  readonly value: Json | undefined;
  readonly mask: Mask;
}

function childrenOf({ field, value, mask }: FieldNode): FieldNode[] {
  if (isMap(value)) {
    // A note may compute a field when it is read.
    const wanted = Object.keys(value).filter((key) => below(mask, key) !== SKIP);
    return wanted.map((key) => ({ field: key, value: value[key], mask: below(mask, key) }));
  }
  if (!isList(value)) return [];
  return pairItems(field, value, value).map(({ label, after = 0 }) => {
    return { field: undefined, value: value[after], mask: below(mask, label) };
  });
}
