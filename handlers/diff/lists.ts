/**
 * Pairs the items of two lists: by the merge key that Kubernetes itself uses, by a unique `name`, else by content and position.
 * Everything here is linear in the length of the lists.
 */
import { isMap, isScalar, nestsDeeper, own, toJson, type Json, type JsonObject } from '../../src/json.ts';
import { equal } from './equal.ts';
import { flow } from './text.ts';

/** An item of one list or both: its index is undefined in a list that lacks it. */
export interface Pair {
  readonly label: string;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/**
 * Merge keys by field name, the first that fits wins. From `patchMergeKey` and `+listMapKey` in k8s.io/api (core/v1,
 * meta/v1, discovery/v1, admissionregistration/v1) and `x-kubernetes-list-map-keys` in the OpenAPI schema; the Gateway API's too.
 */
const MERGE_KEYS: ReadonlyMap<string, readonly (readonly string[])[]> = new Map([
  ['conditions', [['type']]],
  ['hostAliases', [['ip']]],
  ['hostIPs', [['ip']]],
  ['ownerReferences', [['uid']]],
  ['podIPs', [['ip']]],
  // In a container, a Service, and an EndpointSlice: one name, three keys.
  ['ports', [['containerPort', 'protocol'], ['port', 'protocol'], ['name']]],
  // Of a PrometheusRule, which knows no key: an alert's name says which one changed, unless two share it.
  ['rules', [['name'], ['alert'], ['record']]],
  ['topologySpreadConstraints', [['topologyKey', 'whenUnsatisfiable']]],
  ['volumeDevices', [['devicePath']]],
  ['volumeMounts', [['mountPath']]],
]);

/** containers, env, volumes, imagePullSecrets, webhooks, listeners, ...: the merge key of most, and a good guess for a CRD's. */
const BY_NAME = [['name']];

/** The field that usually tells the items of a list apart. */
export function mergeKeyOf(list: string): string {
  return MERGE_KEYS.get(list)?.[0]?.[0] ?? 'name';
}

/** The API server's defaults for keys that may be absent. */
const KEY_DEFAULTS: ReadonlyMap<string, string> = new Map([['protocol', 'TCP']]);

/** Lists of plain values whose order means nothing: `+listType=set`, or a set by its documentation (RBAC rules, access modes). */
const SETS: ReadonlySet<string> = new Set([
  'accessModes',
  'apiGroups',
  'externalIPs',
  'finalizers',
  'loadBalancerSourceRanges',
  'nonResourceURLs',
  'policyTypes',
  'resourceNames',
  'resources',
  'verbs',
]);

type Items = readonly Json[];

/** Every item of both lists once, those of `after` in order; `field` is the list's name. */
export function pairItems(field: string | undefined, before: Items, after: Items): readonly Pair[] {
  for (const label of labellersOf(field)) {
    const labelsBefore = uniqueLabels(before, label);
    const labelsAfter = labelsBefore && uniqueLabels(after, label);
    if (labelsBefore && labelsAfter) return byLabel(labelsBefore, labelsAfter);
  }
  return byContent(before, after);
}

/** Whether the items in both lists changed their order; expects the pairs in the order of `after`. */
export function isReordered(pairs: readonly Pair[]): boolean {
  let last = -1;
  for (const { before, after } of pairs) {
    if (before === undefined || after === undefined) continue;
    if (before < last) return true;
    last = before;
  }
  return false;
}

type Labeller = (item: Json) => string | undefined;

function labellersOf(field: string | undefined): readonly Labeller[] {
  const keys = (field === undefined ? undefined : MERGE_KEYS.get(field)) ?? BY_NAME;
  const byKeys = keys.map(
    (names): Labeller =>
      (item) =>
        isMap(item) ? labelOf(item, names) : undefined,
  );
  const asSet: Labeller = (item) => (typeof item === 'string' ? item : undefined);
  // A custom resource may call a list of objects by the same name: `resources` of a Composition.
  return field !== undefined && SETS.has(field) ? [asSet, ...byKeys] : byKeys;
}

function labelOf(item: JsonObject, [first = '', ...others]: readonly string[]) {
  const key = own(item, first);
  if (typeof key === 'string' && others.length === 0) return key;
  if (!isScalar(key)) return undefined;
  const values = [key, ...others.map((name) => own(item, name) ?? KEY_DEFAULTS.get(name) ?? '')];
  return values.map((value) => (typeof value === 'string' ? value : toJson(value ?? ''))).join('/');
}

/** Label to index; undefined when an item has none, or two share one. */
function uniqueLabels(items: Items, label: Labeller): ReadonlyMap<string, number> | undefined {
  const labels = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const own = label(item);
    if (own === undefined || labels.has(own)) return undefined;
    labels.set(own, index);
  }
  return labels;
}

function byLabel(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): readonly Pair[] {
  const pairs = Array.from(after, ([label, index]): Pair => ({ label, before: before.get(label), after: index }));
  for (const [label, index] of before) if (!after.has(label)) pairs.push({ label, before: index, after: undefined });
  return pairs;
}

/**
 * Items with the same content are anchors; what lies between two anchors is paired by position, the rest was added or removed.
 * Equal ends are cut off first: they make up most of an edited list.
 */
function byContent(before: Items, after: Items): readonly Pair[] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && equal(before[head], after[head])) head++;
  let tail = 0;
  while (tail < shorter - head && equal(before.at(-1 - tail), after.at(-1 - tail))) tail++;
  const middle: Span = { start: head, endBefore: before.length - tail, endAfter: after.length - tail };
  const anchors = anchorsIn(middle, before, after);
  const inOrder = anchors.every(([i], n) => n === 0 || i > (anchors[n - 1] as Anchor)[0]);
  const same = (count: number, i: number, j: number) => Array.from({ length: count }, (_, n) => pair(i + n, j + n));
  return [
    ...same(head, 0, 0),
    ...(inOrder ? betweenAnchors(middle, anchors) : besideAnchors(middle, anchors)),
    ...same(tail, middle.endBefore, middle.endAfter),
  ];
}

/** The same content at `before[i]` and `after[j]`. */
type Anchor = readonly [i: number, j: number];

interface Span {
  readonly start: number;
  readonly endBefore: number;
  readonly endAfter: number;
}

/** No real item nests deeper. */
const MAX_LEVELS = 30;

/**
 * A key that equal items share. For a deeply nested item only its beginning, which unequal items may share too: otherwise lists
 * in lists would be printed whole once per level, which took seconds.
 */
function contentOf(item: Json): string {
  return nestsDeeper(item, MAX_LEVELS) ? flow(item, 1_000) : toJson(item);
}

/** In the order of `after`; among equal items the first pairs with the first. */
function anchorsIn(span: Span, before: Items, after: Items): readonly Anchor[] {
  const indexes = new Map<string, number[]>();
  for (let i = span.endBefore - 1; i >= span.start; i--) {
    const content = contentOf(before[i] as Json);
    const found = indexes.get(content);
    if (found === undefined) indexes.set(content, [i]);
    else found.push(i);
  }
  const anchors: Anchor[] = [];
  for (let j = span.start; j < span.endAfter; j++) {
    const alike = indexes.get(contentOf(after[j] as Json));
    const i = alike?.at(-1);
    if (i === undefined || !equal(before[i], after[j])) continue;
    anchors.push([i, j]);
    alike?.pop();
  }
  return anchors;
}

function betweenAnchors(span: Span, anchors: readonly Anchor[]): readonly Pair[] {
  const pairs: Pair[] = [];
  let i = span.start;
  let j = span.start;
  for (const [anchorI, anchorJ] of [...anchors, [span.endBefore, span.endAfter] as const]) {
    while (i < anchorI && j < anchorJ) pairs.push(pair(i++, j++));
    while (i < anchorI) pairs.push(pair(i++, undefined));
    while (j < anchorJ) pairs.push(pair(undefined, j++));
    if (i < span.endBefore && j < span.endAfter) pairs.push(pair(i, j));
    i++;
    j++;
  }
  return pairs;
}

/** The list was reordered, and perhaps edited: items without an anchor are paired in order. */
function besideAnchors(span: Span, anchors: readonly Anchor[]): readonly Pair[] {
  const free = (end: number, taken: ReadonlySet<number>) =>
    Array.from({ length: end - span.start }, (_, n) => span.start + n).filter((index) => !taken.has(index));
  const left = free(span.endBefore, new Set(anchors.map(([i]) => i)));
  const right = free(span.endAfter, new Set(anchors.map(([, j]) => j)));
  const rest = Array.from({ length: Math.max(left.length, right.length) }, (_, n) => pair(left[n], right[n]));
  return [...anchors.map(([i, j]) => pair(i, j)), ...rest].sort(
    (a, b) => (a.after ?? Infinity) - (b.after ?? Infinity),
  );
}

function pair(before: number | undefined, after: number | undefined): Pair {
  return { label: String(after ?? before), before, after };
}
