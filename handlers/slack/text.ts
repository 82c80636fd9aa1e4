/** Text that Slack shows literally, whatever the cluster put into it, within a limit. Counted after escaping, in code points unless said otherwise. */
import { printableLines } from '../../src/text/printable.ts';
import { countLines } from '../diff/unified.ts';

/** Begins a code block, and ends it. */
export const FENCE = '```';
/** Room kept for `\n… 1,234,567 more characters`. */
const NOTE_CHARS = 32;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** A text of one line or more, with everything that Slack or a terminal would interpret made harmless. */
export function escapeText(text: string): string {
  return entitiesExceptArrows(printableLines(text));
}

/** How Slack counts a text. */
export type SizeOf = (text: string) => number;

/** The text, made harmless, of at most `max` in size; its last line counts what does not fit. */
export function plainText(text: string, max: number, sizeOf: SizeOf = codePoints): string {
  return fitted(escapeText(text), max, sizeOf);
}

/** The text, made harmless, as a code block of at most `max` code points; its last line counts what does not fit. */
export function codeBlock(text: string, max: number): string {
  // A look-alike (modifier letter grave accent), since nothing escapes a backtick and three of them end the block.
  const unfenced = escapeText(text).replaceAll('`', '\u02cb');
  return `${FENCE}${fitted(unfenced, max - 2 * FENCE.length)}${FENCE}`;
}

/** Like {@link escapeText}, but for text beside a `<` of our own, which any `>` would close. */
export function escapeAll(text: string): string {
  return entities(printableLines(text));
}

/** The arrow between old and new stays `->`, to be readable in the raw message as well: without a `<` the `>` closes nothing. */
function entitiesExceptArrows(text: string): string {
  return entities(text).replaceAll(' -&gt; ', ' -> ');
}

/** Slack reads `&`, `<` and `>` as control characters and requires entities instead, in code blocks too. */
function entities(text: string): string {
  return text.replace(/[&<>]/g, (character) => ENTITIES[character] ?? character);
}

/**
 * Text that is escaped already, of at most `max` in size; its last line counts what does not fit. Entities, surrogate pairs and
 * whatever stands in angle brackets, which is our own, are not split.
 */
export function fitted(escaped: string, max: number, sizeOf: SizeOf = codePoints): string {
  if (sizeOf(escaped) <= max) return escaped;
  let shown = '';
  let size = 0;
  for (const [token] of escaped.matchAll(/<[^>]*>|&\w+;|[^]/gu)) {
    size += sizeOf(token);
    if (size > max - NOTE_CHARS) break;
    shown += token;
  }
  const lineEnd = shown.lastIndexOf('\n');
  // Whole lines, unless one of them is so long that little would be left.
  if (lineEnd > shown.length / 2) {
    const rest = escaped.slice(lineEnd + 1).split('\n');
    return `${shown.slice(0, lineEnd)}\n… ${more(countLines(rest), 'line')}`;
  }
  return `${shown}… ${more(countCharacters(escaped.slice(shown.length)), 'character')}`;
}

/** As they are read: an entity is one, and a link is its label. */
function countCharacters(escaped: string): number {
  return codePoints(escaped.replace(/<[^>|]*\|?([^>]*)>/g, '$1').replace(/&\w+;/g, '&'));
}

function more(count: number, noun: string): string {
  return `${count.toLocaleString('en')} more ${noun}${count === 1 ? '' : 's'}`;
}

export function codePoints(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}
