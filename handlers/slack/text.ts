/** Text that Slack shows literally, whatever the cluster put into it, within a limit. Counted after escaping, in code points unless said otherwise. */
import { printableLines } from '../../src/log.ts';
import { countLines } from '../diff/unified.ts';

const FENCE = '```';
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
  return fitted(printableLines(text), max, sizeOf);
}

/** The text, made harmless, as a code block of at most `max` code points; its last line counts what does not fit. */
export function codeBlock(text: string, max: number): string {
  // A look-alike (modifier letter grave accent), since nothing escapes a backtick and three of them end the block.
  const unfenced = printableLines(text).replaceAll('`', '\u02cb');
  return `${FENCE}${fitted(unfenced, max - 2 * FENCE.length, codePoints)}${FENCE}`;
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

function fitted(text: string, max: number, sizeOf: SizeOf): string {
  // Escaping only lengthens, and a code point has at most two units: nothing beyond this can be shown.
  const head = entitiesExceptArrows(text.slice(0, 2 * max));
  if (text.length <= 2 * max && sizeOf(head) <= max) return head;

  // Entities and surrogate pairs are not split.
  let shown = '';
  let size = 0;
  let taken = 0;
  for (const [token] of head.matchAll(/&\w+;|[^]/gu)) {
    size += sizeOf(token);
    if (size > max - NOTE_CHARS) break;
    shown += token;
    taken += 1;
  }
  const lineEnd = shown.lastIndexOf('\n');
  // Whole lines, unless one of them is so long that little would be left.
  if (lineEnd > shown.length / 2) {
    const lines = shown.slice(0, lineEnd);
    const rest = text.split('\n').slice(lines.split('\n').length);
    return `${lines}\n… ${more(countLines(rest), 'line')}`;
  }
  return `${shown}… ${more(codePoints(text) - taken, 'character')}`;
}

function more(count: number, noun: string): string {
  return `${count.toLocaleString('en')} more ${noun}${count === 1 ? '' : 's'}`;
}

export function codePoints(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}
