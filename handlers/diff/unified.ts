/** The values that do not fit on a line, as a unified diff with the field's path in place of a file's name. */
import { formatPatch, OMIT_HEADERS, structuredPatch, type StructuredPatchHunk } from 'diff';
import type { Json } from '../../src/json.ts';
import { beginningOf, printable } from '../../src/text/printable.ts';
import type { FieldChange } from './field-change.ts';
import { isPackedJson, linesOfPacked } from './packed-json.ts';
import { distinguish, commonEnd, commonStart, fitsOnLine, lines, escapeInvisible } from './text.ts';

const CONTEXT_LINES = 3;
/** Lines compared of a value, from shortly before its first difference on; the cost grows with them. */
const MAX_LINES = 20_000;
/** Lines added and removed; the cost is quadratic in them, and nobody reads more. */
const MAX_EDITS = 400;
/** Lines printed of a block that was added, removed, or replaced altogether. */
const MAX_BLOCK_LINES = 200;
const MAX_LINE_WIDTH = 1_000;
/** A long line of base64, such as a caBundle, says nothing but that it is another one. */
const BASE64 = /^[\w+/=-]{200,}$/;
const BASE64_WIDTH = 80;
/** Characters in all; the last field printed may exceed them. */
const MAX_TEXT_CHARS = 65_536;

/** Shown of a line before the point where it differs, if it is too long to be shown whole. */
const CONTEXT_CHARS = 100;

const FINAL_NEWLINE_NOTE = '… they differ in the final newline\n';
const NOT_SHOWN = '… they differ beyond what is shown\n';
const NOT_COMPARED = `… beyond ${MAX_LINES.toLocaleString('en')} lines nothing is compared\n`;

/** Empty if every field fits on its line. A line that begins with `…` says what is left out. */
export function unifiedOf(fields: readonly FieldChange[]): string {
  const long = fields.filter((field) => !fitsOnLine(field));
  let text = '';
  for (const [index, field] of long.entries()) {
    if (text.length >= MAX_TEXT_CHARS) return `${text}… ${long.length - index} more fields\n`;
    text += fieldDiff(field);
  }
  return text;
}

function fieldDiff({ path, before, after }: FieldChange): string {
  const [old, now] = headsOf(before, after);
  const header = `--- ${before === undefined ? '/dev/null' : path}\n+++ ${after === undefined ? '/dev/null' : path}\n`;
  const oneSided = before === undefined || after === undefined;
  const body = (oneSided ? undefined : formatHunks(old, now)) ?? replaced(old, now);
  const rest =
    (differsInFinalNewline(before, after) ? FINAL_NEWLINE_NOTE : '') + (old.isCut || now.isCut ? NOT_COMPARED : '');
  return header + (body + rest || NOT_SHOWN);
}

function differsInFinalNewline(before: Json | undefined, after: Json | undefined): boolean {
  const areTexts = typeof before === 'string' && typeof after === 'string' && before !== '' && after !== '';
  return areTexts && before.endsWith('\n') !== after.endsWith('\n');
}

/** Undefined if they have too little in common. */
function formatHunks(old: Head, now: Head): string | undefined {
  const options = { context: CONTEXT_LINES, maxEditLength: MAX_EDITS };
  const patch = structuredPatch('', '', ended(old.lines), ended(now.lines), undefined, undefined, options);
  if (patch === undefined) return undefined;
  const last = patch.hunks.pop();
  if (last !== undefined) patch.hunks.push(...dropUncertainLines(last, old, now));
  for (const hunk of patch.hunks) {
    hunk.lines = formatHunk(hunk.lines);
    hunk.oldStart += old.skipped;
    hunk.newStart += now.skipped;
  }
  return patch.hunks.length === 0 ? '' : formatPatch(patch, OMIT_HEADERS);
}

/** Drops trailing lines that the other side may hold beyond its cut: nobody knows whether they were added or removed. */
function dropUncertainLines(last: StructuredPatchHunk, old: Head, now: Head): readonly StructuredPatchHunk[] {
  const end = last.lines.findLastIndex((line) => line.startsWith(' '));
  const known = last.lines.filter((line, n) => n <= end || !(line.startsWith('-') ? now.isCut : old.isCut));
  const without = (sign: string): number => known.filter((line) => !line.startsWith(sign)).length;
  if (without(' ') === 0) return [];
  return [{ ...last, lines: known, oldLines: without('+'), newLines: without('-') }];
}

/** Leaves out what they have in common at both ends: in a long text nothing else might be shown. */
function replaced({ lines: old, skipped }: Head, { lines: now }: Head): string {
  const start = commonStart(old, now);
  const tail = commonEnd(old, now, start);
  const [left, right] = [old, now].map((side) => side.slice(start, side.length - tail)) as [string[], string[]];
  const range = ({ length }: readonly string[]) => `${skipped + start + (length === 0 ? 0 : 1)},${length}`;
  return `@@ -${range(left)} +${range(right)} @@\n${ended([...marked('-', left, right), ...marked('+', right, left)])}`;
}

function marked(sign: '-' | '+', side: readonly string[], others: readonly string[]): readonly string[] {
  const kept = side.slice(0, MAX_BLOCK_LINES).map((line, n) => sign + formatLine(line, others[n]));
  const more = side.length - kept.length;
  return more === 0 ? kept : [...kept, `… ${more} more lines`];
}

/** Counts lines that a receiver has no room for; a `… N more lines` among them counts as N. */
export function countLines(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Number(/^… (\d+) more lines$/.exec(text)?.[1] ?? 1), 0);
}

/** A removed line is compared with the line that replaced it, so that their difference is visible. */
function formatHunk(hunk: readonly string[]): string[] {
  const texts: string[] = [];
  for (let i = 0; i < hunk.length;) {
    const removed = runOf('-', hunk, i);
    const added = runOf('+', hunk, i + removed.length);
    removed.forEach((line, n) => texts.push(`-${formatLine(line, added[n])}`));
    added.forEach((line, n) => texts.push(`+${formatLine(line, removed[n])}`));
    i += removed.length + added.length;
    if (removed.length + added.length === 0) texts.push(` ${formatLine(hunk[i++]?.slice(1) ?? '')}`);
  }
  return texts;
}

function runOf(sign: '-' | '+', hunk: readonly string[], start: number): readonly string[] {
  const end = hunk.findIndex((line, n) => n >= start && !line.startsWith(sign));
  return hunk.slice(start, end === -1 ? undefined : end).map((line) => line.slice(1));
}

/** Ends each line, so that none is marked as having no newline. */
function ended(some: readonly string[]): string {
  return some.map((line) => `${line}\n`).join('');
}

interface Head {
  /** Lines before these, the same on both sides. */
  readonly skipped: number;
  readonly lines: readonly string[];
  readonly isCut: boolean;
}

function headsOf(before: Json | undefined, after: Json | undefined): Heads {
  const areTexts = typeof before === 'string' && typeof after === 'string';
  if (areTexts && isPackedJson(before) && isPackedJson(after)) {
    const [old, now] = fromFirstDifference(linesOfPacked(before), linesOfPacked(after));
    // Otherwise they differ in blanks only.
    if (commonStart(old.lines, now.lines) < Math.max(old.lines.length, now.lines.length)) return [old, now];
  }
  return fromFirstDifference(lines(before), lines(after));
}

type Heads = readonly [old: Head, now: Head];

function fromFirstDifference(old: Generator<string>, now: Generator<string>): Heads {
  const context: string[] = [];
  let skipped = 0;
  let [left, right] = [old.next(), now.next()];
  while (left.done !== true && right.done !== true && left.value === right.value) {
    if (context.push(left.value) > CONTEXT_LINES) {
      context.shift();
      skipped++;
    }
    [left, right] = [old.next(), now.next()];
  }
  const head = (first: IteratorResult<string, unknown>, others: Generator<string>): Head => {
    const read = [...context, ...(first.done === true ? [] : [first.value]), ...others.take(MAX_LINES)];
    return { skipped, lines: read.slice(0, MAX_LINES), isCut: read.length > MAX_LINES };
  };
  return [head(left, old), head(right, now)];
}

/** @param other the line that replaced it, or that it replaced */
function formatLine(line: string, other?: string): string {
  const text = other === undefined ? line : distinguish(line, other);
  return escapeInvisible(cutLine(text, other)).split('\t').map(printable).join('\t');
}

function cutLine(line: string, other = ''): string {
  const width = BASE64.test(line) ? BASE64_WIDTH : MAX_LINE_WIDTH;
  if (line.length <= width) return line;
  const start = Math.max(0, commonStart(line, other) - Math.min(CONTEXT_CHARS, width / 2));
  const kept = beginningOf(line.slice(start).replace(/^[\uDC00-\uDFFF]/, ''), width);
  return `${start === 0 ? '' : '…'}${kept}… (${line.length} characters)`;
}
