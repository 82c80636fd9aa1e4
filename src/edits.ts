/** What handlers made of a change, as text: how it gets from a chain to its branches through the store. */
import { withParts, type Change } from './change.ts';
import { parseJson } from './parse.ts';

/** Everything that a handler may replace. What a change is known by stays. */
const PARTS = [
  'action',
  'gvk',
  'gvr',
  'key',
  'namespace',
  'name',
  'uid',
  'resourceVersion',
  'before',
  'after',
  'by',
  'observedAt',
  'flags',
  'notes',
] as const satisfies (keyof Change)[];

export type EditedPart = (typeof PARTS)[number];

/**
 * The parts that differ between the change as a chain got it and as its last handler passed it, and those that were `edited`
 * before already, as JSON; undefined when there are none. A manifest that no handler replaced is not written.
 * @throws TypeError when a handler left a note that JSON cannot hold
 */
export function editsOf(given: Change, passed: Change, edited: readonly EditedPart[]): string | undefined {
  if (passed === given) return undefined;
  const parts = PARTS.filter((part) => edited.includes(part) || passed[part] !== given[part]);
  if (parts.length === 0) return undefined;
  // null stands for undefined, which JSON has not: no part is ever null.
  return JSON.stringify(Object.fromEntries(parts.map((part) => [part, passed[part] ?? null])));
}

/** The change as {@link editsOf} saw it passed, and which of its parts are edited. */
export function withEdits(
  change: Change,
  edits: string,
): { readonly change: Change; readonly edited: readonly EditedPart[] } {
  const parts = parseJson(Buffer.from(edits)) as Readonly<Record<string, unknown>>;
  const replaced = Object.fromEntries(Object.entries(parts).map(([part, value]) => [part, value ?? undefined]));
  return { change: withParts(change, replaced), edited: Object.keys(parts) as EditedPart[] };
}
