/** A measured figure, what it is compared with, and whether it is good enough. */

export interface Figure {
  /** A description, for a row of the table. */
  readonly what: string;
  readonly measured: number;
  /** What it is compared with, in the same unit and from the same run; the limit then applies to the ratio. */
  readonly denominator?: { readonly name: string; readonly value: number };
  readonly unit: string;
  readonly limit: { readonly atLeast: number } | { readonly atMost: number };
}

/** A measurement of one or several figures. */
export interface Scenario {
  readonly name: string;
  /** How it is measured, in a sentence or two: printed above the figures. */
  readonly how: string;
  readonly run: (context: ScenarioContext) => Promise<readonly Figure[]>;
}

export interface ScenarioContext {
  /** An empty folder for its files. */
  readonly folder: () => Promise<string>;
  /** Fewer rounds and shorter waits, for a first look: the figures are rougher, the limits the same. */
  readonly quick: boolean;
}

/** What the limit applies to: the figure itself, or its ratio to the denominator. */
function valueOf({ measured, denominator }: Figure): number {
  return denominator === undefined ? measured : measured / denominator.value;
}

export function isMet(figure: Figure): boolean {
  const { limit } = figure;
  return 'atLeast' in limit ? valueOf(figure) >= limit.atLeast : valueOf(figure) <= limit.atMost;
}

/** One line: `met  2.31x  >= 2x  | what: 34.1 µs against 78.7 µs, client-node`. */
export function lineOf(figure: Figure): string {
  const { what, measured, denominator, unit, limit } = figure;
  const suffix = denominator === undefined ? ` ${unit}` : 'x';
  const bound = 'atLeast' in limit ? `>= ${round(limit.atLeast)}` : `<= ${round(limit.atMost)}`;
  const against =
    denominator === undefined
      ? ''
      : `: ${round(measured)} ${unit} against ${round(denominator.value)} ${unit}, ${denominator.name}`;
  const verdict = isMet(figure) ? 'met   ' : 'MISSED';
  return `${verdict}  ${(round(valueOf(figure)) + suffix).padEnd(18)}${(bound + suffix).padEnd(22)}${what}${against}`;
}

function round(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The smallest value that at least this part of the values does not exceed. @param part 0 to 1 */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}
