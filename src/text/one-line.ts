/** What somebody wrote in several lines or columns, on one line: a probe's output ends in a newline, that of a tool has tabs. */

import { withoutColors } from './printable.ts';

/** Without blank lines and colours. Works line by line: a single expression takes minutes on a text of blanks. */
export function onOneLine(text: string): string {
  const lines = withoutColors(text)
    .split(/[\n\r\t]/)
    .map((line) => line.trim());
  return lines.filter((line) => line !== '').join(' ');
}
