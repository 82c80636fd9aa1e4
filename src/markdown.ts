/** Markdown, of the pages that are made from the program. */

/** A table, without a line feed at its end. Its cells are Markdown: see {@link cell}. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Text as a table's cell: one line, and no bar ends it early. */
export function cell(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll('|', '\\|');
}
