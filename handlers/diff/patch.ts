/** The same differences as an RFC 6902 patch. */
import jsonPatch, { type Operation } from 'fast-json-patch';
import { isEmpty, isList, isMap, isRawNumber, own, sameNumber, type Json, type JsonObject } from '../../src/json.ts';
import { isEmptyAsAbsent, type FieldRules } from './fields.ts';
import { isReordered, pairItems } from './lists.ts';
import { below, isPending, KEEP, SKIP, type Mask } from './mask.ts';

/**
 * Turns {@link normalize} `before` into {@link normalize} `after`. A list item added or removed is one operation, not one for each
 * item behind it; a reordered list is replaced whole, and so is a manifest nested deeper than the stack allows.
 */
export function patchOf(before: JsonObject, after: JsonObject, rules: FieldRules): readonly Operation[] {
  try {
    const target = normalize(after, rules);
    const edits: Operation[] = [];
    const aligned = align(normalize(before, rules), target, '', edits);
    // The library clones values through JSON, where large numbers lose digits: take them from the target again.
    const rest = jsonPatch.compare(aligned as object, target as object);
    return [...edits, ...rest.map((op) => ('value' in op ? { ...op, value: valueAt(target, op.path) } : op))];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [{ op: 'replace', path: '', value: after }];
  }
}

/**
 * `before` after the edits that give its lists the items of `after`, in their positions; exact numbers are handled along the way.
 * Its maps are edited in place.
 */
function align(before: Json, after: Json, at: string, edits: Operation[]): Json {
  if (isMap(before) && isMap(after)) {
    for (const [key, value] of Object.entries(before)) {
      const other = own(after, key);
      if (typeof value !== 'object' || value === null || other === undefined) continue;
      const path = `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      (before as Record<string, Json>)[key] = align(value, other, path, edits);
    }
    return before;
  }
  if (isList(before) && isList(after)) return alignItems(before, after, at, edits);
  // The library takes a raw number for an object.
  if (!isRawNumber(before) && !isRawNumber(after)) return before;
  if (!sameNumber(before, after)) edits.push({ op: 'replace', path: at, value: after });
  return after;
}

function alignItems(before: readonly Json[], after: readonly Json[], at: string, edits: Operation[]): Json {
  const pairs = pairItems(at.slice(at.lastIndexOf('/') + 1), before, after);
  if (isReordered(pairs)) {
    edits.push({ op: 'replace', path: at, value: after });
    return after;
  }
  const removed = pairs.flatMap((pair) => (pair.after === undefined ? [pair.before ?? 0] : []));
  for (const i of removed.sort((a, b) => b - a)) edits.push({ op: 'remove', path: `${at}/${i}` });
  const kept = pairs.filter((pair) => pair.after !== undefined);
  for (const { before: i, after: j = 0 } of kept) {
    if (i === undefined) edits.push({ op: 'add', path: `${at}/${j}`, value: after[j] });
  }
  return kept.map(({ before: i, after: j = 0 }) => {
    const target = after[j] ?? null;
    return i === undefined ? target : align(before[i] ?? null, target, `${at}/${j}`, edits);
  });
}

function valueAt(document: Json, pointer: string): Json | undefined {
  const keys = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return keys.reduce<Json | undefined>((value, key) => own(value as JsonObject, key), document);
}

/** A copy without the fields that do not count or that the rules treat as absent. Maps have no prototype: every key is data. */
export function normalize(manifest: JsonObject, rules: FieldRules): Json {
  return clean(manifest, rules.mask, []) ?? {};

  function clean(value: Json, mask: Mask, path: readonly string[]): Json | undefined {
    if (!isMap(value) && !isList(value)) return isPending(mask) ? undefined : value;
    const isNothing = isEmpty(value, rules.nulls);
    if (isNothing && (isPending(mask) || (!rules.emptyMetadata && isEmptyAsAbsent(path)))) return undefined;
    const copy = isList(value) ? items(value, mask, path) : fields(value, mask, path);
    // It held only fields that do not count, so it does not count either.
    return mask !== KEEP && !isNothing && isEmpty(copy) ? undefined : copy;
  }

  function fields(map: JsonObject, mask: Mask, path: readonly string[]): JsonObject {
    const copy = Object.create(null) as Record<string, Json>;
    for (const [key, field] of Object.entries(map)) {
      const inner = below(mask, key);
      if (inner === SKIP || field === undefined || (field === null && !rules.nulls)) continue;
      const kept = clean(field, inner, [...path, key]);
      if (kept !== undefined) copy[key] = kept;
    }
    return copy;
  }

  function items(list: readonly Json[], mask: Mask, path: readonly string[]): Json[] {
    const labels = new Map(pairItems(path.at(-1), list, list).map(({ label, after = 0 }) => [after, label]));
    return list.flatMap((item, index) => {
      const inner = below(mask, labels.get(index) ?? '');
      const kept = inner === SKIP ? undefined : clean(item, inner, [...path, '']);
      return kept === undefined ? [] : [kept];
    });
  }
}
