/** Tables for a terminal. */
import { durationText } from '../text/duration.ts';
import { printable } from '../text/printable.ts';
import type { Failure } from '../store/looking-back.ts';

/** Rows as aligned columns, each line ended; the last column keeps its own width. Cells cannot break or colour lines. */
export function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))))
    .map((row) => `${row.join('  ').trimEnd()}\n`)
    .join('');
}

/** RFC 3339 with milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** A delivery's failure, with its times formatted by {@link isoTime}. */
export function withTimes(failure: Failure) {
  return { ...failure, at: isoTime(failure.at), lastAt: isoTime(failure.lastAt) };
}

/** `1m20s`: how long ago, in its two largest units. */
export function age(ms: number): string {
  return durationText(Math.max(0, Math.floor(ms / 1000)));
}
