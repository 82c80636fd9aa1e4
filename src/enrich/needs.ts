/** Which handlers want to know what a change is about, before they are called: those whose templates read `involved`. */
import type { Change } from '../change.ts';
import { withNote } from '../change/lazy-change.ts';
import type { HandlerContext } from '../chain/handler.ts';
import type { Involved, ObjectReference } from './involved.ts';

/** What templates call `involved`. */
export interface InvolvedNote extends Involved {
  /** Only where a template reads it. */
  readonly topOwner?: ObjectReference | undefined;
  /** As {@link topOwner}. */
  readonly namespaceLabels?: Involved['labels'];
}

declare module '../change.ts' {
  interface Notes {
    involved: InvolvedNote;
  }
}

export interface Need {
  readonly owner: boolean;
  readonly namespaceLabels: boolean;
}

/** Of a handler's options. Every text is looked at: one that is no template, or quotes the word, costs a lookup and no more. */
export function needOf(options: unknown): Need | undefined {
  if (typeof options === 'string') {
    if (!/\{[{%]/.test(options) || !/\binvolved\b/.test(options)) return undefined;
    return { owner: /\btopOwner\b/.test(options), namespaceLabels: /\bnamespaceLabels\b/.test(options) };
  }
  if (typeof options !== 'object' || options === null) return undefined;
  const needs = Object.values(options).flatMap((option) => needOf(option) ?? []);
  if (needs.length === 0) return undefined;
  return {
    owner: needs.some(({ owner }) => owner),
    namespaceLabels: needs.some(({ namespaceLabels }) => namespaceLabels),
  };
}

/** The change with the note that templates read; a handler before it may have left one. */
export async function withInvolved(change: Change, need: Need, context: HandlerContext): Promise<Change> {
  const left = change.notes.involved;
  const asksOwner = need.owner && left?.topOwner === undefined;
  const asksNamespace = need.namespaceLabels && left?.namespaceLabels === undefined;
  if (left !== undefined && !asksOwner && !asksNamespace) return change;
  const involved = left ?? (await context.involved(change));
  if (involved === undefined) return change;
  const topOwner = asksOwner ? await context.topOwner(change) : undefined;
  const namespace = asksNamespace ? await context.namespaceOf(change) : undefined;
  return withNote(change, 'involved', {
    ...involved,
    ...(topOwner === undefined ? {} : { topOwner }),
    ...(namespace === undefined ? {} : { namespaceLabels: namespace.labels }),
  });
}

/** The same of several, in their order; without a need as they are. */
export async function allWithInvolved(
  changes: readonly Change[],
  need: Need | undefined,
  contextFor: (change: Change) => HandlerContext,
): Promise<readonly Change[]> {
  if (need === undefined) return changes;
  return Promise.all(changes.map((change) => withInvolved(change, need, contextFor(change))));
}
