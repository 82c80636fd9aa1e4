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

interface Group {
  readonly head: string;
  /** Objects without a detail. */
  readonly names: string[];
  readonly details: string[];
}

/** How many of the changes one card can name: at least one. */
export function countFitting(changes: readonly Change[]): number {
  const heads = new Set<string>();
  let bytes = FRAME_BYTES;
  for (const [n, change] of changes.entries()) {
    const head = headOf(change, true);
    if (!heads.has(head)) bytes += bytesOf(headLine(head, changes.length)) + bytesOf(detailLine('')) + 2;
    heads.add(head);
    const detail = cut(detailOf(change), MAX_DETAIL_CHARS);
    bytes += detail === '' ? bytesOf(nameOf(change)) : bytesOf(detailLine(withDetail(change, detail))) + 1;
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
  const body = [...groupsOf(changes, !areAllWhileAway)].flatMap(({ head, names, details }) => [
    headLine(head, names.length + details.length),
    ...(names.length === 0 ? [] : [detailLine(names.join(', '))]),
    ...details.map(detailLine),
  ]);
  return adaptiveCard(title, [line(run(title, { size: 'Medium', weight: 'Bolder' })), ...body]);
}

function groupsOf(changes: readonly Change[], marksAway: boolean): Iterable<Group> {
  const groups = new Map<string, Group>();
  for (const change of changes) {
    const head = headOf(change, marksAway);
    const group = groups.get(head) ?? { head, names: [], details: [] };
    groups.set(head, group);
    const detail = cut(detailOf(change), MAX_DETAIL_CHARS);
    if (detail === '') group.names.push(nameOf(change));
    else group.details.push(withDetail(change, detail));
  }
  return groups.values();
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

function withDetail(change: Change, detail: string): string {
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
