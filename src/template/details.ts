/** What there is to tell of a change below its headline. */
import { formatField } from '../../handlers/diff/text.ts';
import { alertLines } from '../../handlers/podAlerts/words.ts';
import type { Change } from '../change.ts';
import { isEvent } from '../event.ts';
import { remarksOf, writersOf } from '../remarks.ts';

/** Who made it and what is special about it, in one line, then {@link detailLines}. Empty when there is nothing to tell. */
export function detailsOf(change: Change): string {
  const about = [...writers(change), ...remarksOf(change)];
  return [...(about.length === 0 ? [] : [about.join(' · ')]), ...detailLines(change)].join('\n');
}

/** Whoever writes an Event, or the status of a pod that fails, has not made what it tells of. */
function writers(change: Change): readonly string[] {
  if (change.notes.alert !== undefined || isEvent(change.gvk)) return [];
  const by = writersOf(change);
  return by.length === 0 ? [] : [`by ${by.join(', ')}`];
}

/** A line for each field that changed, then the diff of what does not fit on a line; of an alert what was found out. */
export function detailLines({ notes: { alert, diff } }: Pick<Change, 'notes'>): readonly string[] {
  if (alert !== undefined) return alertLines(alert);
  if (diff === undefined) return [];
  const unified = diff.unified === '' ? [] : diff.unified.trimEnd().split('\n');
  return [...diff.fields.map((field) => formatField(field)), ...unified];
}
