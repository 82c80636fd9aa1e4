/** Which handlers want to know what a change is about, before they are called: those whose templates read `involved`. */
import type { Change } from '../change.ts';
import { withNote } from '../change/lazy-change.ts';
import type { HandlerContext } from '../chain/handler.ts';
import type { Involved, ObjectReference } from './involved.ts';

/** What templates call `involved`. */
export interface InvolvedNote extends Involved {
  /** Only where a template reads it. */
  readonly topOwner?: ObjectReference | undefined;
}

declare module '../change.ts' {
  interface Notes {
    involved: InvolvedNote;
  }
}

export type Need = 'object' | 'owner';

/** Of a handler's options. Every text is looked at: one that is no template, or quotes the word, costs a lookup and no more. */
export function needOf(options: unknown): Need | undefined {
  if (typeof options === 'string') {
    if (!/\{[{%]/.test(options) || !/\binvolved\b/.test(options)) return undefined;
    return /\btopOwner\b/.test(options) ? 'owner' : 'object';
  }
  if (typeof options !== 'object' || options === null) return undefined;
  const needs = Object.values(options).map(needOf);
  return needs.includes('owner') ? 'owner' : needs.find((need) => need !== undefined);
}

/** The change with the note that templates read; a handler before it may have left one. */
export async function withInvolved(change: Change, need: Need, context: HandlerContext): Promise<Change> {
  const left = change.notes.involved;
  if (left !== undefined && (need === 'object' || left.topOwner !== undefined)) return change;
  const involved = await context.involved(change);
  if (involved === undefined) return change;
  const topOwner = need === 'owner' ? await context.topOwner(change) : undefined;
  return withNote(change, 'involved', topOwner === undefined ? involved : { ...involved, topOwner });
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
