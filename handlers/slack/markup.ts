/** Keeps links and mentions that a template itself writes: `<https://host/path|text>`, `<!here>`. Texts from the cluster make none. */
import { randomUUID } from 'node:crypto';
import { compileTemplate } from '../../src/template/template.ts';
import type { TemplateScope } from '../../src/template/scope.ts';
import { codePoints, escapeAll, escapeText, FENCE, fitted, type SizeOf } from './text.ts';

/** Put before each bracket of the template's own. Random per process, so that no object can contain it. */
const MARK = `\u0001${randomUUID()}\u0001`;

const LIQUID = String.raw`\{\{(?:(?!\}\})[^])*\}\}|\{%(?:(?!%\})[^])*%\}`;
const OWN_MARKUP = new RegExp(
  String.raw`${LIQUID}|<((?:[!@#]|https?://|mailto:)(?:${LIQUID}|[^<>{]|\{(?![{%]))*)>`,
  'g',
);

/** So many are notified at once. */
export const MAX_MENTIONS = 10;

/** Who is notified by a rendered text: whatever is not the template's own has no bracket left. A date is no mention. */
export function mentionsIn(text: string): readonly string[] {
  return text.match(/<(?!!date\^)[!@][^>]{1,100}>/g) ?? [];
}

/**
 * @param max after escaping: a longer text is cut between its links and mentions, and ends with the mentions that were cut off, or
 * nobody would be notified
 */
export function compileMarkup(
  source: string,
  field: string,
  max: number,
  sizeOf: SizeOf = codePoints,
): (scope: TemplateScope) => string {
  const marked = source.replace(OWN_MARKUP, (whole: string, inside: string | undefined) =>
    inside === undefined ? whole : `${MARK}<${inside}${MARK}>`,
  );
  const template = compileTemplate(marked, field);
  return (scope) => {
    // A carriage return would be made visible; before a line feed, as in a log of Windows, it says nothing.
    const [before = '', ...own] = template.text(scope).replaceAll('\r\n', '\n').split(MARK);
    if (own.length === 0) return withinMax(escapeText(before), max, sizeOf);
    const text = escapeAll(before) + own.map((part) => part.charAt(0) + escapeAll(part.slice(1))).join('');
    return withinMax(text, max, sizeOf);
  };
}

function withinMax(text: string, max: number, sizeOf: SizeOf): string {
  if (sizeOf(text) <= max) return text;
  const mentions = [...new Set(mentionsIn(text))].slice(0, MAX_MENTIONS);
  const room = max - sizeOf([FENCE, ...mentions].join(' '));
  // A link is not cut: of one that leaves no room for anything else, there is only the label.
  const short = text.replace(/<[^>|]*\|([^>]*)>/g, (link, label: string) => (sizeOf(link) > room / 2 ? label : link));
  const shown = fitted(short, room, sizeOf);
  // Without its end, a code block would be shown as text between backticks.
  const closed = shown.split(FENCE).length % 2 === 0 ? `${shown}${FENCE}` : shown;
  return [closed, ...mentions.filter((mention) => !closed.includes(mention))].join(' ');
}
