/** What is special about a change in words, for the messages that people read. */
import type { Actor, Change, Notes } from '../change.ts';
import { durationInWords } from '../text/duration.ts';
import { flagsInWords } from './flags.ts';

/** What the chain that receives dead letters is given about one. */
export interface DeadLetterNote {
  /** For `watchchain dead show`. */
  readonly id: number;
  readonly chain: string;
  /** The handler that failed last. */
  readonly handler: string;
  readonly error: string;
  readonly attempts: number;
}

declare module '../change.ts' {
  interface Notes {
    /** In the chain that `deadLetters` names: the change was given up elsewhere. */
    readonly deadLetter: DeadLetterNote;
  }
}

/** One short phrase each: that it was given up elsewhere, if it was, how many `once` halted before it, how long it lasts, its flags. */
export function remarksOf({ flags, notes }: Pick<Change, 'flags' | 'notes'>): readonly string[] {
  const { deadLetter, once, lasting } = notes;
  return [
    ...(deadLetter === undefined ? [] : [describeDeadLetter(deadLetter)]),
    ...(once === undefined ? [] : [describeSuppressed(once)]),
    ...(lasting === undefined ? [] : [describeLasting(lasting)]),
    ...flagsInWords(flags),
  ];
}

/** After `diff`, the writers of the differences it shows; otherwise all writers. Each once. */
export function writersOf({ notes, by }: Pick<Change, 'notes' | 'by'>): readonly string[] {
  return notes.diff?.by ?? managersIn(by);
}

/** The managers, each once, in order of first appearance. */
export function managersIn(by: readonly Actor[]): readonly string[] {
  return [...new Set(by.map(({ manager }) => manager))];
}

function describeSuppressed({ suppressed, durationMs }: Notes['once']): string {
  const were = suppressed === 1 ? 'was' : 'were';
  return `${suppressed} more in the last ${durationInWords(durationMs)} ${were} not reported`;
}

function describeLasting({ status, durationMs }: Notes['lasting']): string {
  const lasted = durationInWords(durationMs);
  return status === 'over' ? `over after ${lasted}` : `for ${lasted} now`;
}

function describeDeadLetter({ id, handler, error, attempts }: DeadLetterNote): string {
  const often = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`;
  return `given up by ${handler} after ${often} and kept as dead letter ${id}: ${error}`;
}
