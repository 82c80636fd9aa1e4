/** Finds the handlers whose templates read `involved`, and adds that note to the change before they are called. */
import type { Change } from '../change.ts';
import { withNote } from '../change/lazy-change.ts';
import type { HandlerContext } from '../chain/handler.ts';
import { isTemplate } from '../template/template.ts';
import type { Involved, ObjectReference } from './involved.ts';

/** The value of `involved` in templates. */
export interface InvolvedNote extends Involved {
  /** Only if a template reads it. */
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

/** What a handler may ask about the object that a change is about. */
export type Lookups = Pick<HandlerContext, 'involved' | 'topOwner' | 'namespaceOf'>;

/** What a handler's options need. Checks all strings: a false match, such as a quoted word, only costs a lookup. */
export function needOf(options: unknown): Need | undefined {
  if (typeof options === 'string') {
    if (!isTemplate(options) || !/\binvolved\b/.test(options)) return undefined;
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

/** The change with the note that templates read, unless an earlier handler has left it. */
export async function withInvolved(change: Change, need: Need, context: Lookups): Promise<Change> {
  const existing = change.notes.involved;
  const needsOwner = need.owner && existing?.topOwner === undefined;
  const needsNamespace = need.namespaceLabels && existing?.namespaceLabels === undefined;
  if (existing !== undefined && !needsOwner && !needsNamespace) return change;
  const involved = existing ?? (await context.involved(change));
  if (involved === undefined) return change;
  const topOwner = needsOwner ? await context.topOwner(change) : undefined;
  const namespace = needsNamespace ? await context.namespaceOf(change) : undefined;
  return withNote(change, 'involved', {
    ...involved,
    ...(topOwner === undefined ? {} : { topOwner }),
    ...(namespace === undefined ? {} : { namespaceLabels: namespace.labels }),
  });
}

/** The same for several changes, in order; unchanged without a need. */
export async function allWithInvolved(
  changes: readonly Change[],
  need: Need | undefined,
  contextFor: (change: Change) => HandlerContext,
): Promise<readonly Change[]> {
  if (need === undefined) return changes;
  return Promise.all(changes.map((change) => withInvolved(change, need, contextFor(change))));
}
