/** Texts from the cluster on their way to people: bounded, and without characters that do something instead of showing. */

const ESCAPED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Escapes control, bidi and line-separator characters: a name in a cluster must not forge log lines or colour a terminal. And halves
 * of surrogate pairs, which strict receivers refuse: a note of somebody's handler may be cut in the middle of an emoji.
 */
export function printable(text: string): string {
  const whole = text.isWellFormed() ? text : text.replace(/\p{Surrogate}/gu, escapeOf);
  // oxlint-disable-next-line no-control-regex -- control characters are the point
  return whole.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (c) => {
    return ESCAPED[c] ?? escapeOf(c);
  });
}

/** The same for multi-line text: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(/[^\n\t]+/g, printable);
}

/** Without what colours a terminal, as loggers write it. */
export function withoutColors(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the escape is the point
  return text.replace(/\u001b\[[\d;]{0,20}m/g, '');
}

/** At most `max` UTF-16 units, never ending in half a surrogate pair: as a JSON escape, strict parsers reject it. */
export function beginningOf(text: string, max: number): string {
  return text.slice(0, max).replace(/[\uD800-\uDBFF]$/, '');
}

/** {@link beginningOf}, followed by `…` if something was cut. */
export function shortened(text: string, max: number): string {
  return text.length > max ? `${beginningOf(text, max)}…` : text;
}

/** A UTF-16 unit as a JSON escape: `\u202e`. */
export function escapeOf(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
