/** Several changes on one card, each object named once. */
import type { Change } from '../../src/change.ts';
import { AWAY_SUFFIX, detailOf, labelOf, subjectOf, verbOf } from '../../src/template/headline.ts';
import { cut } from '../diff/text.ts';
import { adaptiveCard, fallbackNoteOf, line, MAX_MESSAGE_BYTES, run, type Card } from './card.ts';

/** A longer name of an object, or head of a group, is cut. */
const MAX_NAME_CHARS = 300;
/** A longer detail about an object is cut. */
const MAX_DETAIL_CHARS = 150;
/** A generous estimate of the card without its groups. */
const FRAME_BYTES = 1_000;

/** How many of the changes one card can name: at least one. */
export function countFitting(changes: readonly Change[]): number {
  const heads = new Set<string>();
  let bytes = FRAME_BYTES;
  for (const [n, change] of changes.entries()) {
    const head = headOf(change, true);
    if (!heads.has(head)) bytes += bytesOf(headLine(head, changes.length)) + bytesOf(detailLine('')) + 2;
    heads.add(head);
    bytes += hasDetail(change) ? bytesOf(detailLine(withDetail(change))) + 1 : bytesOf(nameOf(change));
    if (bytes > MAX_MESSAGE_BYTES) return Math.max(1, n);
  }
  return changes.length;
}

/** Grouped by action, kind and namespace, in the order in which the first change of each group was seen. */
export function digestOf(changes: readonly Change[], clusterName: string, insteadOf?: string): Card {
  const areAllWhileAway = changes.every(({ flags }) => flags.whileAway === true);
  const where = clusterName === '' ? '' : ` in ${clusterName}`;
  const what = `${changes.length.toLocaleString('en')} changes${where}${areAllWhileAway ? AWAY_SUFFIX : ''}`;
  const title = [what, fallbackNoteOf(insteadOf)].filter((part) => part !== '').join(' · ');
  const groups = Map.groupBy(changes, (change) => headOf(change, !areAllWhileAway));
  const body = [...groups].flatMap(([head, members]) => {
    const names = members.filter((change) => !hasDetail(change)).map(nameOf);
    return [
      headLine(head, members.length),
      ...(names.length === 0 ? [] : [detailLine(names.join(', '))]),
      ...members.filter(hasDetail).map((change) => detailLine(withDetail(change))),
    ];
  });
  return adaptiveCard(title, [line(run(title, { size: 'Medium', weight: 'Bolder' })), ...body]);
}

/** @param marksAway set if only some of the changes happened while nothing was watching */
function headOf(change: Change, marksAway: boolean): string {
  const { kind, namespace } = subjectOf(change);
  const away = marksAway && change.flags.whileAway === true ? AWAY_SUFFIX : '';
  return `${kind.toLowerCase()} ${verbOf(change)}${away}${namespace === undefined ? '' : ` · ${namespace}`}`;
}

function nameOf({ name }: Change): string {
  return cut(name, MAX_NAME_CHARS);
}

function hasDetail(change: Change): boolean {
  return detailOf(change) !== '';
}

function withDetail(change: Change): string {
  const detail = cut(detailOf(change), MAX_DETAIL_CHARS);
  return labelOf(change) === '' ? detail : `${nameOf(change)}: ${detail}`;
}

function headLine(head: string, count: number): Card {
  return line(run(`${cut(head, MAX_NAME_CHARS)} · ${count.toLocaleString('en')}`, { weight: 'Bolder' }));
}

function detailLine(text: string): Card {
  return line(run(text, { fontType: 'Monospace', size: 'Small' }));
}

/** Including the comma that follows. */
function bytesOf(part: Card | string): number {
  return Buffer.byteLength(JSON.stringify(part));
}
