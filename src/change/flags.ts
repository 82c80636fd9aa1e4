/** The flags of a change in words, for the messages that people read. */
import type { ChangeFlags } from '../change.ts';

const WORDS: Readonly<Record<keyof ChangeFlags, string>> = {
  whileAway: 'happened while nothing was watching',
  compacted: 'several changes seen as one',
  finalStateUnknown: 'found missing, final state unknown',
  leftScope: 'deleted or no longer selected',
  delayed: 'seen late because the watch was interrupted',
  replayed: 'sent again from the dead letters',
};

const FLAGS = Object.keys(WORDS) as readonly (keyof ChangeFlags)[];

/** The names of the flags that are set, always in the same order. */
export function flagNames(flags: ChangeFlags): readonly (keyof ChangeFlags)[] {
  return FLAGS.filter((flag) => flags[flag]);
}

/** One short phrase for each flag that is set. */
export function flagsInWords(flags: ChangeFlags): readonly string[] {
  return flagNames(flags).map((flag) => WORDS[flag]);
}
