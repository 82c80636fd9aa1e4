/** The values that do not fit on a line, as a unified diff with the field's path in place of a file's name. */
import { formatPatch, OMIT_HEADERS, structuredPatch } from 'diff';
import type { Json } from '../../src/json.ts';
import { printable } from '../../src/log.ts';
import type { FieldChange } from './field-change.ts';
import { beginningOf, fitsOnLine, lines, seen } from './text.ts';

const CONTEXT_LINES = 3;
/** Lines read of a value, of which the last then says so; the cost of comparing grows with them. */
const MAX_LINES = 20_000;
/** Lines added and removed; the cost grows with their square, and nobody reads more. */
const MAX_EDITS = 400;
/** Lines printed of a block that came, went, or is another one altogether. */
const MAX_BLOCK_LINES = 200;
const MAX_LINE_WIDTH = 1_000;
/** Characters in all, reached or passed by at most one field. */
const MAX_TEXT = 65_536;

/** Of two values that read alike here. */
const NO_HUNK = '… they differ in the newline at the end, or beyond what is shown of a line\n';

/** Empty when every field fits on its line. What is left out is said in a line that begins with `…`. */
export function unifiedOf(fields: readonly FieldChange[]): string {
  const long = fields.filter((field) => !fitsOnLine(field));
  let text = '';
  for (const [index, field] of long.entries()) {
    if (text.length >= MAX_TEXT) return `${text}… ${long.length - index} more fields\n`;
    text += fieldDiff(field);
  }
  return text;
}

function fieldDiff({ path, before, after }: FieldChange): string {
  const old = head(before);
  const now = head(after);
  const header = `--- ${before === undefined ? '/dev/null' : path}\n+++ ${after === undefined ? '/dev/null' : path}\n`;
  const oneSided = before === undefined || after === undefined;
  const body = (oneSided ? undefined : compared(old, now)) ?? replaced(old, now);
  return header + (body.trim() === '' ? NO_HUNK : body);
}

/** Undefined when they have too little in common. */
function compared(old: readonly string[], now: readonly string[]): string | undefined {
  const options = { context: CONTEXT_LINES, maxEditLength: MAX_EDITS };
  const patch = structuredPatch('', '', ended(old), ended(now), undefined, undefined, options);
  return patch && formatPatch(patch, OMIT_HEADERS);
}

function replaced(old: readonly string[], now: readonly string[]): string {
  const range = (side: readonly string[]) => (side.length === 0 ? '0,0' : `1,${side.length}`);
  return `@@ -${range(old)} +${range(now)} @@\n${ended([...marked('-', old), ...marked('+', now)])}`;
}

function marked(sign: '-' | '+', side: readonly string[]): readonly string[] {
  const kept = side.slice(0, MAX_BLOCK_LINES).map((line) => sign + line);
  const more = side.length - kept.length;
  return more === 0 ? kept : [...kept, `… ${more} more lines`];
}

/** Each line ended, so that none is marked as lacking its end. */
function ended(some: readonly string[]): string {
  return some.map((line) => `${line}\n`).join('');
}

function head(value: Json | undefined): readonly string[] {
  const read = lines(value)
    .take(MAX_LINES + 1)
    .map(shown)
    .toArray();
  return read.length > MAX_LINES ? [...read.slice(0, MAX_LINES), '… more lines than are compared'] : read;
}

function shown(line: string): string {
  const kept =
    line.length > MAX_LINE_WIDTH ? `${beginningOf(line, MAX_LINE_WIDTH)}… (${line.length} characters)` : line;
  return seen(kept).split('\t').map(printable).join('\t');
}
