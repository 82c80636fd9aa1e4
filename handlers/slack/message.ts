/** The message: kwatchman's envelope, one attachment, with what changed in its text. */
import { keyOf, type Action, type Change } from '../../src/change.ts';
import { isEvent, isWarning } from '../../src/event.ts';
import { remarksOf } from '../../src/change/remarks.ts';
import { detailLines } from '../../src/template/details.ts';
import { headlineOf, subjectOf } from '../../src/template/headline.ts';
import { codeBlock, codePoints, escapeText, plainText } from './text.ts';

/** The longest text of an attachment, in code points; kwatchman cut it silently. */
const MAX_TEXT_CHARS = 4000;
/** Of it, without the fences. */
const MAX_BLOCK_CHARS = MAX_TEXT_CHARS - 6;
/** The longest text of a notification, in code points. */
const MAX_FALLBACK_CHARS = 500;

const LOOKS: Readonly<Record<Action, { readonly verb: string; readonly color: string }>> = {
  added: { verb: 'ADD', color: '#1ADA00' },
  updated: { verb: 'UPDATE', color: '#F39C12' },
  deleted: { verb: 'DELETE', color: '#FF0000' },
  timer: { verb: 'TIMER', color: '#439FE0' },
};

/** The link of the author's name: this project's page. */
const HOME = 'https://github.com/watchchain/watchchain';

/** Shown below the text of an attachment, across its whole width. */
export interface SlackField {
  readonly title: string;
  readonly value: string;
  readonly short: false;
}

/** A legacy attachment, its fields in the order in which kwatchman wrote them. */
export interface SlackAttachment {
  readonly color: string;
  /** Used by notifications and screen readers. */
  readonly fallback: string;
  readonly author_name: string;
  readonly author_link: string;
  readonly title: string;
  readonly text: string;
  readonly fields?: readonly SlackField[];
  readonly footer?: string;
  /** Seconds since the epoch, a number on the wire: when the change was seen. */
  readonly ts: number;
}

/** The one attachment of a change's message. An empty `footer` is left out. */
export function attachmentOf(change: Change, footer: string): SlackAttachment {
  const subject = subjectOf(change);
  const title = escapeText(`${verbOf(change)} ${subject.kind.toLowerCase()}\n${keyOf(subject)}`);
  const text = textOf(change);
  return {
    color: colorOf(change),
    fallback: fallbackOf(change, footer) ?? title,
    author_name: 'watchchain',
    author_link: HOME,
    title,
    text: text === '' ? '' : codeBlock(text, MAX_TEXT_CHARS),
    ...(footer === '' ? {} : { footer: escapeText(footer) }),
    ts: Math.floor(change.observedAt / 1000),
  };
}

/** A phone shows nothing else: neither a footer, nor what an Event says, whose name says nothing. */
function fallbackOf(change: Change, cluster: string): string | undefined {
  const isAlert = change.notes.alert !== undefined;
  if (!isAlert && !isEvent(change.gvk)) return undefined;
  const where = isAlert && cluster !== '' ? `${cluster}: ` : '';
  return plainText(`${where}${headlineOf(change)}`, MAX_FALLBACK_CHARS);
}

/** What happened, in one word. */
export function verbOf(change: Change): string {
  return looksOf(change).verb;
}

/** The color of the bar at the side: by what happened. */
export function colorOf(change: Change): string {
  return looksOf(change).color;
}

function looksOf(change: Change): { readonly verb: string; readonly color: string } {
  const { alert } = change.notes;
  if (alert === undefined)
    return isWarning(change) ? { ...LOOKS[change.action], color: WARNING } : LOOKS[change.action];
  return alert.status === 'resolved' ? OVER : ALERTS[alert.level];
}

const WARNING = '#F39C12';
const OVER = { verb: 'RESOLVED', color: '#1ADA00' };
const ALERTS = { Failure: { verb: 'FAILURE', color: '#FF0000' }, Warning: { verb: 'WARNING', color: WARNING } };

/** Headline, who, and remarks in the first line, then a line per field, then the diff; empty if there is nothing to say. */
function textOf(change: Change): string {
  const { diff, alert } = change.notes;
  const remarks = remarksOf(change);
  if (alert !== undefined) {
    const first = [alert.headline, ...remarks].join(' · ');
    return [first, ...detailLines(change, { max: MAX_BLOCK_CHARS - sizeOf(first), sizeOf })].join('\n');
  }
  // A repeated Event changes only its count, which is in the headline.
  if (isEvent(change.gvk)) return [headlineOf(change), ...remarks].join(' · ');
  if (diff === undefined) return remarks.join(' · ');
  const by = diff.by.length === 0 ? [] : [`by ${diff.by.join(', ')}`];
  return [[diff.headline, ...by, ...remarks].join(' · '), ...detailLines(change)].join('\n');
}

/** Of a line in a code block, with its end. */
function sizeOf(line: string): number {
  return codePoints(escapeText(line)) + 1;
}
