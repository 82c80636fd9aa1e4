/**
 * The Adaptive Card of a change. Everything from the cluster is in text runs, which do not interpret Markdown: nothing in
 * an object can make a link or mention anybody (https://learn.microsoft.com/adaptive-cards/create/textfeatures).
 */
import type { Action, Change } from '../../src/change.ts';
import { eventFact, isEvent, isWarning } from '../../src/event.ts';
import { printable } from '../../src/text/printable.ts';
import { aboutOf, detailLines } from '../../src/template/details.ts';
import { headlineOf } from '../../src/template/headline.ts';
import type { Link } from '../../src/template/links.ts';
import { cut } from '../diff/text.ts';
import { countLines } from '../diff/unified.ts';

/** A card, or any part of one. */
export interface Card {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** A message holds 28 KB (https://learn.microsoft.com/connectors/teams); Workflows adds a small envelope to the card. */
export const MAX_MESSAGE_BYTES = 27 * 1024;
const MAX_HEADLINE_CHARS = 300;
/** More than the longest line of a diff, which may differ only at its end. */
const MAX_LINE_CHARS = 1_200;
/** The size of the line that says how much is missing. */
const NOTE_BYTES = 300;

const COLORS: Readonly<Record<Action, string>> = {
  added: 'Good',
  updated: 'Accent',
  deleted: 'Attention',
  timer: 'Default',
};

/** What a Workflows webhook takes. The summary is for notifications, which otherwise say "Card", where the workflow or connector uses it. */
export function messageOf(card: Card): object {
  return {
    type: 'message',
    summary: card['fallbackText'],
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card }],
  };
}

/**
 * Headline, who and where, then a line per changed field, then the diff; cut visibly at what a message holds.
 * @param extras `insteadOf`: the sink that a fallback replaces; `links`: a button for each
 */
export function cardOf(
  change: Change,
  clusterName: string,
  { insteadOf, links = [] }: { readonly insteadOf?: string | undefined; readonly links?: readonly Link[] } = {},
): Card {
  const whole = headlineOf(change);
  const headline = cut(whole, MAX_HEADLINE_CHARS);
  const about = [...aboutOf(change), clusterName, fallbackNoteOf(insteadOf)];
  const title = run(headline, { size: 'Medium', weight: 'Bolder', color: colorOf(change) });
  const subtitle = run(cut(about.filter((part) => part !== '').join(' · '), MAX_HEADLINE_CHARS), { isSubtle: true });
  const buttons = links.length === 0 ? {} : { actions: links.map(buttonOf) };
  const bare = { ...adaptiveCard(headline, [line(title), line(subtitle)]), ...buttons };
  const room = MAX_MESSAGE_BYTES - NOTE_BYTES - Buffer.byteLength(JSON.stringify(messageOf(bare)));
  const details = linesBelow(change, whole, room).map(printable);
  if (details.length === 0) return bare;
  const items = fitLines(details, room);
  return { ...bare, body: [line(title), line(subtitle), { type: 'Container', style: 'emphasis', items }] };
}

/** For an Event, its message if the headline has no room for it: the cause is often at the end. */
function linesBelow(change: Change, headline: string, room: number): readonly string[] {
  if (!isEvent(change.gvk))
    return detailLines(change, { max: room, sizeOf: (text) => sizeOf(detail(printable(text))) });
  if (headline.length <= MAX_HEADLINE_CHARS) return [];
  const message = eventFact(change, 'message') ?? '';
  return message.split(/\r?\n/).filter((text) => text.trim() !== '');
}

/** Empty unless this is a fallback. */
export function fallbackNoteOf(insteadOf: string | undefined): string {
  return insteadOf === undefined ? '' : `in place of ${insteadOf}`;
}

/** A card of these parts. */
export function adaptiveCard(fallbackText: string, body: readonly Card[]): Card {
  return {
    type: 'AdaptiveCard',
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    version: '1.4',
    fallbackText,
    msteams: { width: 'Full' },
    body,
  };
}

function buttonOf({ label, url }: Link): Card {
  return { type: 'Action.OpenUrl', title: label, url };
}

/** As many lines as fit into `room` bytes; the last one says how many are missing. */
function fitLines(lines: readonly string[], room: number): readonly Card[] {
  const items: Card[] = [];
  let bytes = 0;
  for (const text of lines) {
    const item = detail(text);
    bytes += sizeOf(item);
    if (bytes > room) {
      const missing = countLines(lines.slice(items.length));
      return [
        ...items,
        line(run(`… ${missing.toLocaleString('en')} more ${missing === 1 ? 'line' : 'lines'}`, { isSubtle: true })),
      ];
    }
    items.push(item);
  }
  return items;
}

function detail(text: string): Card {
  return line(run(indented(cut(text, MAX_LINE_CHARS)), { fontType: 'Monospace', size: 'Small' }));
}

/** In bytes, with the comma after it. */
function sizeOf(card: Card): number {
  return Buffer.byteLength(JSON.stringify(card)) + 1;
}

/** Teams shows HTML, which drops leading blanks and joins several into one: a diff of YAML would lose its indentation. */
function indented(text: string): string {
  return text.replace(/^ +| {2,}/g, (blanks) => '\u00a0'.repeat(blanks.length));
}

function colorOf(change: Change): string {
  const { alert } = change.notes;
  if (alert === undefined) return isWarning(change) ? 'Warning' : COLORS[change.action];
  if (alert.status === 'resolved') return 'Good';
  return alert.level === 'Failure' ? 'Attention' : 'Warning';
}

/** A line of its own, since it is up to the client whether a line feed in a run breaks the line. */
export function line(textRun: Card): Card {
  return { type: 'RichTextBlock', spacing: 'None', inlines: [textRun] };
}

/** Text as it is. */
export function run(text: string, looks: Readonly<Record<string, unknown>>): Card {
  return { type: 'TextRun', text, ...looks };
}
