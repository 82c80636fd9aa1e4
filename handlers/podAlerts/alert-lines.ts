/** An alert in words, for messages that have room for more than a line. */
import type { EventLine } from '../../src/enrich/evidence.ts';
import { onOneLine } from '../../src/text/one-line.ts';
import { cutMiddle } from '../diff/text.ts';
import type { AlertNote, LastChange } from './alert.ts';

/** What a message has room for, in the units of its receiver. */
export interface Room {
  readonly max: number;
  /** With what separates it from the next one. */
  readonly sizeOf: (line: string) => number;
}

/** A page that answered a probe must not displace the log. */
const MAX_EVENT_CHARS = 300;
const MAX_LOG_LINE_CHARS = 1_000;

/**
 * What is known besides the headline, one line each; empty for a resolved alert. The log is last, since what is too long is cut
 * at its end; with a `room`, only as much of it as fits.
 */
export function alertLines(alert: AlertNote, room?: Room): readonly string[] {
  if (alert.status === 'resolved') return [];
  const facts = factLines(alert);
  if (alert.log === undefined) return facts;
  const log = alert.log.split(/\r?\n/);
  if (room === undefined) return [...facts, ...section('log:', log)];
  const taken = facts.reduce((sum, line) => sum + room.sizeOf(line), 0);
  return [...facts, ...logEnd(log, { ...room, max: room.max - taken })];
}

function factLines({ message, image, lastChanges, events, hint, kubectl }: AlertNote): readonly string[] {
  return [
    ...(message === undefined ? [] : [message]),
    ...(image === undefined ? [] : [`image ${image}`]),
    ...section('changed before:', lastChanges.map(lastChangeText)),
    ...(hint === undefined ? [] : [hint]),
    kubectl,
    ...section('events:', events.map(eventText)),
  ];
}

/** The last lines that fit, at least one: why a program ended is at the end of its log. */
function logEnd(log: readonly string[], { max, sizeOf }: Room): readonly string[] {
  const titleOf = (missing: number): string =>
    missing === 0 ? 'log:' : `log, without the first ${missing === 1 ? 'line' : `${missing} lines`}:`;
  const lines = log.map((line) => (line.length > MAX_LOG_LINE_CHARS ? cutMiddle(line, MAX_LOG_LINE_CHARS) : line));
  let left = max - sizeOf(titleOf(log.length));
  let first = lines.length;
  while (first > 0) {
    left -= sizeOf(indented(lines[first - 1] ?? ''));
    if (left < 0) break;
    first -= 1;
  }
  const missing = Math.min(first, lines.length - 1);
  return section(titleOf(missing), lines.slice(missing));
}

function eventText({ reason, message, count }: EventLine): string {
  return `${reason}${count > 1 ? ` x${count}` : ''}: ${cutMiddle(onOneLine(message), MAX_EVENT_CHARS)}`;
}

/** `2026-11-21 08:15:03Z deployment shop/web updated: image web 1.4.2 -> 1.5.0, by kubectl-set`. */
function lastChangeText({ time, headline, by }: LastChange): string {
  const when = `${time.slice(0, 19).replace('T', ' ')}Z`;
  return `${when} ${headline}${by.length === 0 ? '' : `, by ${by.join(', ')}`}`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines.map(indented)];
}

function indented(line: string): string {
  return `  ${line}`;
}
