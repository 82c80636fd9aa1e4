/** Texts from the cluster on their way to a page: bounded, and with nothing invisible in them. */
import { escapeOf } from '../text/printable.ts';

// oxlint-disable-next-line no-control-regex -- control characters are the point
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Escapes control and bidirectional characters, as in `\u202e`; line feeds and tabs stay; cuts after `max` UTF-16 units. */
export function visible(text: string, max: number): string {
  const cut = text.length > max ? `${text.slice(0, max).toWellFormed()}…` : text;
  return cut.replace(UNSEEN, escapeOf);
}
