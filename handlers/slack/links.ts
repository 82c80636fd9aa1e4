/** The links below a message. As a field, since Slack folds the text of an attachment after a few lines, but not its fields. */
import type { Link } from '../../src/template/links.ts';
import { MAX_FIELD_CHARS, type Content } from './content.ts';
import { codePoints, escapeAll } from './text.ts';

/** The message with the links in one line; unchanged if there are none, or if the message is empty. */
export function withLinks(content: Content, links: readonly Link[]): Content {
  if (links.length === 0) return content;
  const markups = links.map(markupOf);
  const line = markups.join(' · ');
  const { text, attachments } = content;
  if (attachments === undefined) return text === undefined ? content : { ...content, text: `${text}\n${line}` };
  // Slack would cut a longer field, and with it a link.
  const values = codePoints(line) <= MAX_FIELD_CHARS ? [line] : markups;
  const added = values.map((value, index) => ({ title: index === 0 ? 'Links' : '', value, short: false }) as const);
  return { ...content, attachments: attachments.map((one) => ({ ...one, fields: [...(one.fields ?? []), ...added] })) };
}

/** Of what a URL may hold, only a `|` would end it early. */
function markupOf({ label, url }: Link): string {
  return `<${escapeAll(url.replaceAll('|', '%7C'))}|${escapeAll(label)}>`;
}
