/** The differences between two manifests, field by field. */
import { isEmpty, isList, isMap, isScalar, own, sameNumber, type Json, type JsonObject } from '../../src/json.ts';
import { equal } from './equal.ts';
import type { FieldChange } from './field-change.ts';
import { isReordered, pairItems, type Pair } from './lists.ts';
import { below, isPending, KEEP, SKIP, type Mask } from './mask.ts';
import { formatPath, type Step } from './path.ts';

/** What counts as a difference. */
export interface FieldRules {
  readonly mask: Mask;
  /** Null differs from absent. */
  readonly nulls: boolean;
  /** In metadata, absent labels, annotations, finalizers or owners differ from an empty map or list of them. */
  readonly emptyMetadata: boolean;
}

/** In the order of `after`, removed fields last. Reads own properties only, changes neither manifest, linear in their size. */
export function diffFields(before: JsonObject, after: JsonObject, rules: FieldRules): readonly FieldChange[] {
  const walk = new Walk(rules);
  walk.maps(before, after, rules.mask);
  return walk.found;
}

const NOTHING: JsonObject = {};
/** Deeper than any real manifest, and far from a stack overflow: a value at this depth is one field. */
const MAX_DEPTH = 200;
/** An added or removed map of scalars is shown entry by entry up to this size; maps that are collections by nature always are. */
const SMALL_MAP = 8;
const ENTRIES: ReadonlySet<Step> = new Set(['labels', 'annotations', 'data', 'stringData', 'binaryData']);

type Maybe = Json | undefined;

class Walk {
  readonly found: FieldChange[] = [];
  readonly #steps: Step[] = [];
  readonly #rules: FieldRules;
  /** Added or removed values that {@link #hides} is true of: the level above has asked already, through all that is in them. */
  readonly #hiding = new Map<Json, Mask>();

  constructor(rules: FieldRules) {
    this.#rules = rules;
  }

  maps(before: JsonObject, after: JsonObject, mask: Mask): void {
    const keysBefore = Object.keys(before);
    const keysAfter = Object.keys(after);
    for (let i = 0; i < keysAfter.length; i++) {
      const key = keysAfter[i] as string;
      // The server writes keys in a fixed order, so the same position nearly always has the same key.
      const old = keysBefore[i] === key ? before[key] : own(before, key);
      if (old !== after[key]) this.#step(key, this.#read(old), this.#read(after[key]), mask);
    }
    for (let i = 0; i < keysBefore.length; i++) {
      const key = keysBefore[i] as string;
      if (keysAfter[i] !== key && !Object.hasOwn(after, key)) this.#step(key, this.#read(before[key]), undefined, mask);
    }
  }

  #read(value: Maybe): Maybe {
    return this.#rules.nulls ? value : (value ?? undefined);
  }

  #step(step: Step, before: Maybe, after: Maybe, mask: Mask): void {
    if (before === after) return;
    const inner = below(mask, typeof step === 'string' ? step : step.item);
    if (inner === SKIP) return;
    this.#steps.push(step);
    this.#values(before, after, inner);
    this.#steps.pop();
  }

  #values(before: Maybe, after: Maybe, mask: Mask): void {
    if (this.#steps.length > MAX_DEPTH) {
      if (!equal(before, after, this.#rules.nulls)) this.#emit(before, after);
    } else if (isMap(before) && isMap(after)) this.maps(before, after, mask);
    else if (isList(before) && isList(after)) this.#lists(before, after, mask);
    else if (isPending(mask)) {
      this.#open(before, undefined, mask);
      this.#open(undefined, after, mask);
    } else if (this.#shouldExpand(before ?? after, mask) && (before === undefined || after === undefined)) {
      this.#open(before, after, mask);
    } else if (!sameNumber(before, after)) this.#emit(before, after);
  }

  /** A value that was added or removed, field by field. */
  #open(before: Maybe, after: Maybe, mask: Mask): void {
    const value = before ?? after;
    if (isMap(value)) this.maps(before === undefined ? NOTHING : value, after === undefined ? NOTHING : value, mask);
    else if (isList(value)) this.#lists(before === undefined ? [] : value, after === undefined ? [] : value, mask);
  }

  #shouldExpand(value: Maybe, mask: Mask): boolean {
    if (isEmpty(value, this.#rules.nulls)) return false;
    const step = this.#steps.at(-1);
    if (this.#hides(mask, value, step, MAX_DEPTH - this.#steps.length)) return true;
    if (!isMap(value) || typeof step !== 'string') return false;
    const values = Object.values(value);
    return (values.length <= SMALL_MAP || ENTRIES.has(step)) && values.every(isScalar);
  }

  /** Whether the mask leaves out something inside an added or removed value: otherwise it is as good as kept whole. */
  #hides(mask: Mask, value: Maybe, field: Step | undefined, depth: number): boolean {
    if (mask === KEEP || depth <= 0) return false;
    if (mask === SKIP || isPending(mask)) return true;
    if (!isMap(value) && !isList(value)) return false;
    if (this.#hiding.get(value) === mask) return true;
    const hides = isMap(value)
      ? Object.entries(value).some(([key, inner]) => this.#hides(below(mask, key), inner, key, depth - 1))
      : pairItems(typeof field === 'string' ? field : undefined, [], value).some(({ label }, n) =>
          this.#hides(below(mask, label), value[n], undefined, depth - 1),
        );
    if (hides) this.#hiding.set(value, mask);
    return hides;
  }

  #lists(before: readonly Json[], after: readonly Json[], mask: Mask): void {
    if (mask === KEEP && equal(before, after, this.#rules.nulls)) return;
    const field = this.#steps.at(-1);
    const pairs = pairItems(typeof field === 'string' ? field : undefined, before, after);
    for (const { label, before: i, after: j } of pairs) {
      this.#step({ item: label }, i === undefined ? i : before[i], j === undefined ? j : after[j], mask);
    }
    if (isPending(mask)) return;
    const counted = pairs.filter(({ label }) => below(mask, label) !== SKIP);
    if (isReordered(counted)) this.#emitOrder(counted, before, after);
  }

  #emitOrder(pairs: readonly Pair[], before: readonly Json[], after: readonly Json[]): void {
    if (after.every(isScalar)) return this.#push('reorder', before, after);
    const common = pairs.filter((pair) => pair.before !== undefined && pair.after !== undefined);
    // Items without a label of their own are identified by their old index: their new indexes read the same in any order.
    const isKeyed = common.some(({ label, after }) => label !== String(after));
    const labels = (some: readonly Pair[]) => some.map(({ label, before }) => (isKeyed ? label : (before ?? 0)));
    this.#push('reorder', labels(common.toSorted((a, b) => (a.before ?? 0) - (b.before ?? 0))), labels(common));
  }

  #emit(before: Maybe, after: Maybe): void {
    if (before !== undefined && after !== undefined) return this.#push('replace', before, after);
    if (!this.#rules.emptyMetadata && isEmpty(before ?? after, this.#rules.nulls) && isEmptyAsAbsent(this.#steps))
      return;
    this.#push(before === undefined ? 'add' : 'remove', before, after);
  }

  #push(op: FieldChange['op'], before: Maybe, after: Maybe): void {
    this.found.push({ path: formatPath(this.#steps), steps: [...this.#steps], op, before, after });
  }
}

const OFTEN_EMPTY: ReadonlySet<Step> = new Set(['labels', 'annotations', 'finalizers', 'ownerReferences']);

/** In metadata these mean the same empty or absent: which of the two the server keeps depends on the writer. */
export function isEmptyAsAbsent([root, field, ...more]: readonly Step[]): boolean {
  return root === 'metadata' && field !== undefined && OFTEN_EMPTY.has(field) && more.length === 0;
}
