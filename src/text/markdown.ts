/** Markdown for the generated pages. */

/** A table, without a trailing line feed. Its cells are Markdown: see {@link cell}. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Text as a table cell: on one line, with its bars escaped. */
export function cell(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll('|', '\\|');
}
