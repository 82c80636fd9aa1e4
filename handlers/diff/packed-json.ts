/** JSON packed on one line, as charts pack dashboards: compared as it is, one difference would be a line of 100 KB. */

/** A shorter one is readable as it is. */
const MIN_LENGTH = 500;
const MAX_INDENT = 30;

/** By its looks: what is no JSON after all is only broken into lines. */
export function isPackedJson(text: string): boolean {
  return text.length >= MIN_LENGTH && /^(?:\{.*\}|\[.*\])$/.test(text.trim());
}

/** A string that nothing ends is one token too: searched for its end at each of its quotes, a long one would take hours. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"?|\{\s*\}|\[\s*\]|[^"]/g;

/** One line per field and item, indented; nothing but blanks between them is changed. */
export function* linesOfPacked(text: string): Generator<string> {
  let depth = 0;
  let indent = '';
  let line = '';
  const begin = (): string => (indent = '  '.repeat(Math.min(Math.max(depth, 0), MAX_INDENT)));
  for (const [token] of text.trim().matchAll(TOKEN)) {
    if (token === '}' || token === ']') {
      yield line;
      depth--;
      line = begin() + token;
    } else if (token === '{' || token === '[' || token === ',') {
      yield line + token;
      if (token !== ',') depth++;
      line = begin();
    } else if (line !== indent || token.trim() !== '') line += token;
  }
  yield line;
}
