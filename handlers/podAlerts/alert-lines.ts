/** An alert in words, for messages that have room for more than a line. */
import { onOneLine } from '../../src/one-line.ts';
import type { AlertNote, LastChange } from './alert.ts';

/** What is known besides the headline, one line each. The log is last, since the end is cut first. Empty for a resolved alert. */
export function alertLines(alert: AlertNote): readonly string[] {
  if (alert.status === 'resolved') return [];
  const { message, image, lastChanges, events, log, hint, kubectl } = alert;
  return [
    ...(message === undefined ? [] : [message]),
    ...(image === undefined ? [] : [`image ${image}`]),
    ...section('changed before:', lastChanges.map(lastChangeText)),
    ...(hint === undefined ? [] : [hint]),
    kubectl,
    ...section(
      'events:',
      events.map(({ reason, message: text, count }) => `${reason}${count > 1 ? ` x${count}` : ''}: ${onOneLine(text)}`),
    ),
    ...section('log:', log === undefined ? [] : log.split('\n')),
  ];
}

/** `2026-11-21 08:15:03Z deployment shop/web updated: image web 1.4.2 -> 1.5.0, by kubectl-set`. */
function lastChangeText({ time, headline, by }: LastChange): string {
  const when = `${time.slice(0, 19).replace('T', ' ')}Z`;
  return `${when} ${headline}${by.length === 0 ? '' : `, by ${by.join(', ')}`}`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
}
