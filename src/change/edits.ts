/** Handlers' edits of a change, as text: this is how they get from a chain to its branches through the store. */
import type { Change } from '../change.ts';
import { withParts } from './lazy-change.ts';
import type { Json } from '../json.ts';
import { parseJson } from '../parse-json.ts';

/** Everything that a handler may replace; a change keeps its id and cluster. */
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
 * The parts that differ between the change as a chain got it and as its last handler passed it, and those already `edited`
 * before, as JSON; undefined if there are none. A manifest that no handler replaced is not written.
 * @throws TypeError if a handler left a note that JSON cannot represent
 */
export function editsOf(original: Change, passed: Change, edited: readonly EditedPart[]): string | undefined {
  if (passed === original) return undefined;
  const parts = PARTS.filter((part) => edited.includes(part) || passed[part] !== original[part]);
  if (parts.length === 0) return undefined;
  // null stands for undefined, which JSON lacks: no part is ever null.
  return JSON.stringify(Object.fromEntries(parts.map((part) => [part, passed[part] ?? null])));
}

/** The change as it was passed to {@link editsOf}, and which of its parts are edited. */
export function withEdits(
  change: Change,
  edits: string,
): { readonly change: Change; readonly edited: readonly EditedPart[] } {
  const parts = parseJson(Buffer.from(edits)) as Readonly<Record<string, unknown>>;
  const replaced = Object.fromEntries(Object.entries(parts).map(([part, value]) => [part, value ?? undefined]));
  return { change: withParts(change, replaced), edited: Object.keys(parts) as EditedPart[] };
}

/**
 * The edits with their manifests redacted. Notes may repeat anything from a manifest in any form, so they are dropped if anything
 * is hidden in these manifests or in their `sources`, from which they were made.
 * @returns the same text if nothing is hidden
 */
export function redactEdits(edits: string, sources: readonly Buffer[], redact: (body: Buffer) => Buffer): string {
  let isHidden = sources.some((body) => redact(body) !== body);
  const parts = Object.entries(parseJson(Buffer.from(edits)) as Readonly<Record<string, Json>>);
  const redacted = parts.map(([part, value]) => {
    if ((part !== 'before' && part !== 'after') || value === null) return [part, value] as const;
    const body = Buffer.from(JSON.stringify(value));
    const safe = redact(body);
    isHidden ||= safe !== body;
    return [part, parseJson(safe)] as const;
  });
  return isHidden ? JSON.stringify(Object.fromEntries(redacted.filter(([part]) => part !== 'notes'))) : edits;
}
