/** The details of a change, shown below its headline. */
import { formatField } from '../../handlers/diff/text.ts';
import { alertLines, type Room } from '../../handlers/podAlerts/alert-lines.ts';
import type { Change } from '../change.ts';
import { isEvent } from '../event.ts';
import { printableLines } from '../text/printable.ts';
import { remarksOf, writersOf } from '../change/remarks.ts';

/** Who made it, with remarks, in one line, then {@link detailLines}, printable. Empty if there are no details. */
export function detailsOf(change: Change): string {
  const about = aboutOf(change);
  return printableLines([...(about.length === 0 ? [] : [about.join(' · ')]), ...detailLines(change)].join('\n'));
}

/** Who made it, and remarks. Nobody made an Event or an alert: whoever writes an Event or a failing pod's status did not cause it. */
export function aboutOf(change: Change): readonly string[] {
  const by = change.notes.alert !== undefined || isEvent(change.gvk) ? [] : writersOf(change);
  return [...(by.length === 0 ? [] : [`by ${by.join(', ')}`]), ...remarksOf(change)];
}

/**
 * A line for each field that changed, then the diff of what does not fit on a line; for an alert, its findings.
 * @param room leaves out the beginning of a log for which there is none; anything else may still be longer
 */
export function detailLines({ notes: { alert, diff } }: Pick<Change, 'notes'>, room?: Room): readonly string[] {
  if (alert !== undefined) return alertLines(alert, room);
  if (diff === undefined) return [];
  const unified = diff.unified === '' ? [] : diff.unified.trimEnd().split('\n');
  return [...diff.fields.map((field) => formatField(field)), ...unified];
}
