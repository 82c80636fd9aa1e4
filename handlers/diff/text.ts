/** Values and fields as text: on one line, or as the lines of a block. Bounded: no more of a value is printed than asked for. */
import { isEmpty, isList, isMap, toJson, type Json } from '../../src/json.ts';
import { beginningOf, escapeOf, printable } from '../../src/text/printable.ts';
import type { FieldChange } from './field-change.ts';
import { equal } from './equal.ts';
import { isPackedJson } from './packed-json.ts';

/** A value of up to this many characters is shown on its field's line; a longer or multi-line one in the unified text. */
const LINE_WIDTH = 100;
/** Blocks nested deeper are printed on one line. */
const MAX_NESTING = 30;

/**
 * `path: old -> new` on one line of about `maxWidth` characters (the path is never cut). An added or removed value is `(none)` on
 * the other side; a value that does not {@link fitsOnLine} is cut visibly; a multi-line text becomes its number of lines, and a file of JSON on one line is named as such.
 */
export function formatField(field: FieldChange, maxWidth = 240): string {
  const room = Math.max(24, Math.floor((maxWidth - field.path.length - 6) / 2));
  const verb = field.op === 'reorder' ? 'reordered ' : '';
  return `${field.path}: ${verb}${formatValues(field, room)}`;
}

/** `old -> new`, each cut visibly at `room` characters, and distinguishable even if they begin or print alike. */
export function formatValues({ before, after }: FieldChange, room: number): string {
  const isOfOneType = typeof before === typeof after || before === undefined || after === undefined;
  const [old, now] = isOfOneType
    ? [inline(before, room), inline(after, room)]
    : [typed(before, room), typed(after, room)];
  if (before === undefined || after === undefined) return `${old} -> ${now}`;
  if (old !== now) return `${distinguish(old, now)} -> ${distinguish(now, old)}`;
  if (isList(before) && isList(after)) return formatLists(before, after, room);
  if (typeof before !== 'string' || typeof after !== 'string')
    return `${cut(toJson(before), room)} -> ${cut(toJson(after), room)}`;
  if ([before, after].some((text) => !isOneLine(text) || isPackedJson(text))) return `${old}, changed`;
  const start = Math.max(0, commonStart(before, after) - Math.floor(room / 3));
  const from = (text: string) => inline(text.slice(start).replace(/^[\uDC00-\uDFFF]/, ''), room);
  const [left, right] = [from(before), from(after)];
  return `…${distinguish(left, right)} -> …${distinguish(right, left)}`;
}

/** For a value next to one of another type: a text that reads like a number or a boolean is quoted. */
function typed(value: Json, room: number): string {
  const isAmbiguous = typeof value === 'string' && /^(?:[-+]?\.?\d[\d.eE+-]*|true|false|null)$/.test(value);
  return isAmbiguous ? cut(toJson(value), room) : inline(value, room);
}

/** Two lists that begin alike, from the first item that differs. */
function formatLists(before: readonly Json[], after: readonly Json[], room: number): string {
  let same = 0;
  while (same < before.length && equal(before[same], after[same])) same++;
  const from = (list: readonly Json[]) => (same === 0 ? '' : '…, ') + inline(list.slice(same), room).slice(1);
  return `[${from(before)} -> [${from(after)}`;
}

/** Whether {@link formatField} shows all of it; otherwise the unified text does. */
export function fitsOnLine({ op, before, after }: FieldChange): boolean {
  return op === 'reorder' || (isShort(before, LINE_WIDTH) && isShort(after, LINE_WIDTH));
}

/** Whether the whole value fits into `width` characters on one line. */
export function isShort(value: Json | undefined, width: number): boolean {
  if (typeof value === 'string') return value.length <= width && isOneLine(value);
  return value === undefined || flow(value, width + 1).length <= width;
}

/** The value as lines: a text's own, or a block in YAML style. Lazy, so that a huge value costs no more than is read of it. */
export function* lines(value: Json | undefined): Generator<string> {
  if (typeof value === 'string') yield* linesOf(value);
  else if (value !== undefined) yield* block(value, 0);
}

/** It may end in a newline, as most files holding one value do. */
function isOneLine(text: string): boolean {
  const end = text.indexOf('\n');
  return end === -1 || end === text.length - 1;
}

/** A trailing newline does not start another line. */
function linesOf(text: string): readonly string[] {
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}

function* block(value: Json, nesting: number): Generator<string> {
  if (isEmpty(value) || nesting > MAX_NESTING) yield flow(value, 1000);
  else if (isList(value)) {
    for (const item of value) {
      let bullet = '- ';
      for (const line of block(item, nesting + 1)) {
        yield bullet + line;
        bullet = '  ';
      }
    }
  } else if (isMap(value)) {
    for (const [key, field] of Object.entries(value)) if (field !== undefined) yield* entry(key, field, nesting);
  } else yield flow(value, Infinity);
}

function* entry(key: string, value: Json, nesting: number): Generator<string> {
  const isText = typeof value === 'string' && value.includes('\n');
  if (!isText && (isEmpty(value) || !(isMap(value) || isList(value)))) {
    yield `${word(key)}: ${flow(value, Infinity)}`;
    return;
  }
  yield `${word(key)}:${isText ? ' |' : ''}`;
  const indent = isList(value) ? '' : '  ';
  for (const line of isText ? linesOf(value) : block(value, nesting + 1)) yield indent + line;
}

function inline(value: Json | undefined, room: number): string {
  if (value === undefined) return '(none)';
  if (typeof value !== 'string') return cut(flow(value, room), room);
  if (!isOneLine(value)) return `(${linesOf(value).length} lines)`;
  if (isPackedJson(value)) return '(JSON on one line)';
  const text = value.trim() === value && value !== '' ? value : JSON.stringify(value.slice(0, room));
  return escapeInvisible(cut(text, room));
}

/** In YAML's flow style, about `room` characters of it. Each nesting level uses up at least one, which bounds the recursion. */
export function flow(value: Json, room: number): string {
  if (room <= 0) return '…';
  if (isList(value)) return `[${joined(value, room, (item, left) => flow(item, left))}]`;
  if (isMap(value)) {
    const entries = Object.entries(value);
    return `{${joined(entries, room, ([key, field], left) => `${word(key)}: ${flow(field ?? null, left)}`)}}`;
  }
  return typeof value === 'string' ? word(value.length > room ? `${value.slice(0, room)}…` : value) : toJson(value);
}

function joined<T>(items: readonly T[], room: number, print: (item: T, left: number) => string): string {
  let text = '';
  for (const item of items) {
    if (text.length >= room) return `${text}, …`;
    text += (text === '' ? '' : ', ') + print(item, room - text.length - 1);
  }
  return text;
}

/** A string inside a block: quoted where it would read as something else. */
function word(text: string): string {
  const isPlain = /^[A-Za-z_/.][\w./:@+=-]*$/.test(text) && !/^(?:true|false|null|yes|no)$/i.test(text);
  return isPlain ? text : escapeInvisible(printable(JSON.stringify(text)));
}

/** With escapes for invisible characters, such as an editor's no-break spaces and byte order marks: values may differ by them. */
export function escapeInvisible(text: string): string {
  return text.replace(/[\u00a0\u00ad\u061c\u200b\u200e\u200f\u202f\u2060\ufeff]/g, escapeOf);
}

/**
 * One line of text with escapes for what distinguishes it from another that looks the same: composed or combining accents,
 * joiners, spaces of other widths, tabs, trailing blanks.
 */
export function distinguish(text: string, other: string): string {
  if (text === other || looks(text) !== looks(other)) return text;
  let start = commonStart(text, other);
  if (/[\uD800-\uDBFF]/.test(text.charAt(start - 1))) start--;
  const tail = commonEnd(text, other, start);
  const end = text.length - tail;
  if (/[\uDC00-\uDFFF]/.test(text.charAt(end))) return text.slice(0, start) + escaped(text.slice(start));
  return text.slice(0, start) + escaped(text.slice(start, end), tail === 0) + text.slice(end);
}

/** The number of characters, or lines, that both begin with. */
export function commonStart(some: ArrayLike<string>, others: ArrayLike<string>): number {
  const shorter = Math.min(some.length, others.length);
  let start = 0;
  while (start < shorter && some[start] === others[start]) start++;
  return start;
}

/** The number of characters, or lines, that both end with, not counting the first `start`. */
export function commonEnd(some: ArrayLike<string>, others: ArrayLike<string>, start: number): number {
  const most = Math.min(some.length, others.length) - start;
  let tail = 0;
  while (tail < most && some[some.length - 1 - tail] === others[others.length - 1 - tail]) tail++;
  return tail;
}

function looks(text: string): string {
  return text
    .normalize()
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .replace(/\s+/g, ' ')
    .trimEnd();
}

function escaped(text: string, isEnd = true): string {
  const shown = printable(text);
  let end = shown.length;
  if (isEnd) while (shown[end - 1] === ' ') end--;
  return shown.slice(0, end).replace(/[^!-~ ]/g, escapeOf) + escapeOf(' ').repeat(shown.length - end);
}

/** At most `room` code points, printable, with `…` where something is missing. */
export function cut(text: string, room: number): string {
  if (text.length <= room) return printable(text);
  return `${printable(beginningOf(text, Math.max(0, room - 1)))}…`;
}

/** The same, but with `…` in its middle: the end of a path says more. */
export function cutMiddle(text: string, room: number): string {
  if (text.length <= room) return printable(text);
  const end = Math.floor((room - 1) * 0.6);
  return cut(text, room - end) + printable(text.slice(-end).replace(/^[\uDC00-\uDFFF]/, ''));
}
