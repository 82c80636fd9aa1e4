import { printableLines, shortened } from '../text/printable.ts';

/** A text from the cluster as a page shows it: nothing invisible in it, and cut after `max` UTF-16 units. */
export function visible(text: string, max: number): string {
  return printableLines(shortened(text, max));
}
