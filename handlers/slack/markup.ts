/** Keeps links and mentions that a template itself writes: `<https://host/path|text>`, `<!here>`. Texts from the cluster make none. */
import { randomUUID } from 'node:crypto';
import { compileTemplate } from '../../src/template/template.ts';
import type { TemplateScope } from '../../src/template/scope.ts';
import { escapeAll, codePoints, plainText, type SizeOf } from './text.ts';

/** Put before each bracket of the template's own. Random per process, so that no object can contain it. */
const MARK = `\u0001${randomUUID()}\u0001`;

const LIQUID = String.raw`\{\{(?:(?!\}\})[^])*\}\}|\{%(?:(?!%\})[^])*%\}`;
const OWN_MARKUP = new RegExp(
  String.raw`${LIQUID}|<((?:[!@#]|https?://|mailto:)(?:${LIQUID}|[^<>{]|\{(?![{%]))*)>`,
  'g',
);

/** Who is notified by a rendered text: whatever is not the template's own has no bracket left. A date is no mention. */
export function mentionsIn(text: string): readonly string[] {
  return text.match(/<(?!!date\^)[!@][^>]{1,100}>/g) ?? [];
}

/** @param max after escaping: a longer text is cut, and then has no links and mentions */
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
    const plain = [before, ...own].join('');
    if (own.length === 0) return plainText(plain, max, sizeOf);
    const text = escapeAll(before) + own.map((part) => part.charAt(0) + escapeAll(part.slice(1))).join('');
    return sizeOf(text) <= max ? text : plainText(plain, max, sizeOf);
  };
}
