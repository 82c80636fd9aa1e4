/** The one line that says what happened, for messages that have room for one. */
import type { Change } from '../change.ts';
import { isEvent } from '../event.ts';
import { onOneLine } from '../text/one-line.ts';
import { printable } from '../text/printable.ts';
import { remarksOf } from '../change/remarks.ts';
import { eventScope } from './event-scope.ts';

/**
 * `deployment shop/web updated: image web 1.4.2 -> 1.5.0` after `diff`, without it the part before the colon; for
 * a Kubernetes Event `Warning BackOff x8 pod shop/web-1: Back-off restarting failed container`; for an alert its own headline.
 * Printable: most receivers show a template's text as it is.
 */
export function headlineOf(change: Change): string {
  return printable(rawHeadlineOf(change));
}

function rawHeadlineOf(change: Change): string {
  if (change.notes.alert !== undefined) return change.notes.alert.headline;
  const event = eventScope(change);
  const said = event === undefined ? '' : eventHeadline(event);
  // Receivers refuse an empty text, and an Event need not say anything.
  if (said !== '') return said;
  const what = `${change.gvk.kind.toLowerCase()} ${change.key} ${change.action}`;
  const { diff } = change.notes;
  return diff === undefined ? what : `${what}: ${diff.headline}`;
}

/** What happened, in one word: an alert is about a failure, whatever the action of the change that led to it. */
export function verbOf({ action, notes: { alert } }: Change): string {
  if (alert === undefined) return action;
  return alert.status === 'resolved' ? 'resolved' : alert.level.toLowerCase();
}

/** What a message is about: the workload that an alert is about, otherwise the object. */
export function subjectOf({ gvk, namespace, name, notes: { alert } }: Change): Subject {
  return alert?.owner ?? { kind: gvk.kind, namespace, name };
}

interface Subject {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** What a digest calls one of its objects, besides its detail; empty if that says what it is about. The name of an Event says nothing. */
export function labelOf(change: Change): string {
  return isEvent(change.gvk) || change.notes.alert !== undefined ? '' : change.name;
}

/** What a digest adds to what is said of changes with the flag `whileAway`. */
export const AWAY_SUFFIX = ' while nothing was watching';

/** What a digest adds to the name of a change, if anything. Omits that it happened while away, which is said for all of them. */
export function detailOf(change: Change): string {
  const { whileAway: _, ...flags } = change.flags;
  const { alert, diff } = change.notes;
  if (alert !== undefined) return alert.headline;
  const said = isEvent(change.gvk) ? headlineOf(change) : (diff?.headline ?? '');
  return [said, ...remarksOf({ flags, notes: change.notes })].filter((part) => part !== '').join(' · ');
}

function eventHeadline({ type, reason, count, involvedObject, message }: Readonly<Record<string, unknown>>): string {
  const { kind, namespace, name } = (involvedObject ?? {}) as Readonly<Record<string, unknown>>;
  const key = [namespace, name].filter(isGiven).join('/');
  const object = typeof kind === 'string' ? [kind.toLowerCase(), key] : [];
  // Otherwise a repeat would read as the same message again.
  const often = typeof count === 'number' && count > 1 ? `x${count}` : undefined;
  const what = [type, reason, often, ...object].filter(isGiven).join(' ');
  const said = typeof message === 'string' ? onOneLine(message) : '';
  return [what, said].filter((part) => part !== '').join(': ');
}

/** The API writes `""` for what it does not know. */
function isGiven(part: unknown): part is string {
  return typeof part === 'string' && part !== '';
}
