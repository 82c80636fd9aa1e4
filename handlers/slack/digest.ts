/** Several changes in one message, each named once. */
import type { Change } from '../../src/change.ts';
import { AWAY_SUFFIX, detailOf, labelOf, subjectOf } from '../../src/template/headline.ts';
import { cut } from '../diff/text.ts';
import { nonEmpty, type Content, type Rendering } from './content.ts';
import { MAX_MENTIONS } from './markup.ts';
import { verbOf } from './message.ts';
import { escapeText } from './text.ts';

/** Up to this many are shown in full, one attachment each: Slack shows up to 20 well. */
const MAX_ATTACHMENTS = 10;
/** Slack cuts a text at 40,000 characters; the rest is for the first line and for what Slack counts differently. */
const MAX_TEXT_CHARS = 38_000;
/** A longer detail about an object is cut. */
const MAX_DETAIL_CHARS = 150;
/** The line ends, fences and count of a group's head. */
const GROUP_OVERHEAD = 40;

/** How many of the changes one message can hold: at least one. One that cannot be rendered is left for a message of its own. */
export function countFitting(changes: readonly Change[], contentOf: (change: Change) => Content): number {
  const count = countNameable(changes);
  if (count > MAX_ATTACHMENTS) return count;
  const failing = changes
    .slice(0, count)
    .findIndex((change) => rendered(change, (one) => nonEmpty(contentOf(one))) === undefined);
  return failing === -1 ? count : Math.max(1, failing);
}

/** Undefined if its templates fail. */
function rendered<T>(change: Change, render: (change: Change) => T): T | undefined {
  try {
    return render(change);
  } catch {
    return undefined;
  }
}

function countNameable(changes: readonly Change[]): number {
  if (changes.length <= MAX_ATTACHMENTS) return changes.length;
  const heads = new Set<string>();
  let size = 0;
  for (const [n, change] of changes.entries()) {
    const head = headOf(change, true);
    size += itemOf(change).length + 2 + (heads.has(head) ? 0 : head.length + GROUP_OVERHEAD);
    heads.add(head);
    if (size > MAX_TEXT_CHARS) return Math.max(1, n);
  }
  return changes.length;
}

/** The changes' own messages combined if they are few and fit; otherwise a list, grouped by action, kind and namespace. */
export function digestOf(
  changes: readonly Change[],
  { contentOf, mentionsOf }: Rendering,
  clusterName: string,
): Content {
  const mentions = mentionsIn(changes, mentionsOf);
  const whole = changes.length <= MAX_ATTACHMENTS ? joined(changes.map(contentOf), mentions) : undefined;
  if (whole !== undefined) return whole;
  const areAllWhileAway = changes.every(({ flags }) => flags.whileAway === true);
  const where = clusterName === '' ? '' : ` in ${escapeText(clusterName)}`;
  return {
    text: [
      `${mentions === '' ? '' : `${mentions} `}*${changes.length.toLocaleString('en')} changes*${where}${areAllWhileAway ? AWAY_SUFFIX : ''}`,
      ...groupsOf(changes, !areAllWhileAway),
    ].join('\n'),
  };
}

/** Each once: Slack notifies of those in the text only, and a list has no other text of the messages. */
function mentionsIn(changes: readonly Change[], mentionsOf: Rendering['mentionsOf']): string {
  const all = changes.flatMap((change) => rendered(change, mentionsOf) ?? []);
  return [...new Set(all)].slice(0, MAX_MENTIONS).join(' ');
}

/** The messages one below the other, each text with its own attachment; undefined if they do not fit. */
function joined(contents: readonly Content[], mentions: string): Content | undefined {
  const text = contents.flatMap((content) => content.text ?? []).join('\n');
  if (text.length > MAX_TEXT_CHARS) return undefined;
  if (contents.every(({ attachments }) => attachments === undefined)) return { text };
  return {
    ...(mentions === '' ? {} : { text: mentions }),
    attachments: contents.flatMap(({ text: pretext, attachments = [] }) =>
      pretext === undefined
        ? attachments
        : attachments.map((attachment) => ({ pretext, mrkdwn_in: ['pretext'], ...attachment })),
    ),
  };
}

/** In the order in which the first change of each group was seen. */
function groupsOf(changes: readonly Change[], marksAway: boolean): readonly string[] {
  return [...Map.groupBy(changes, (change) => headOf(change, marksAway))].map(([head, members]) => {
    const separator = members.some((change) => detailOf(change) !== '') ? '\n' : ', ';
    return `${head} · ${members.length.toLocaleString('en')}\n\`\`\`${members.map(itemOf).join(separator)}\`\`\``;
  });
}

/** @param marksAway set if only some of the changes happened while nothing was watching */
function headOf(change: Change, marksAway: boolean): string {
  const away = marksAway && change.flags.whileAway === true ? AWAY_SUFFIX : '';
  const { kind, namespace } = subjectOf(change);
  const where = namespace === undefined ? '' : ` · ${escapeText(namespace)}`;
  return `*${verbOf(change)} ${escapeText(kind.toLowerCase())}*${away}${where}`;
}

/** Within a code block. */
function itemOf(change: Change): string {
  const detail = cut(detailOf(change), MAX_DETAIL_CHARS);
  const text = [labelOf(change), detail].filter((part) => part !== '').join(': ');
  return escapeText(text.replaceAll('\n', ' ')).replaceAll('`', '\u02cb');
}
