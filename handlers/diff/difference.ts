/** What a recorded change changed, for looking back: by the rules of `diff` with default options. */
import { diffFields } from './fields.ts';
import { createNote } from './note.ts';
import { options } from './options.ts';
import { createRuleBook } from './rules.ts';
import type { Change } from '../../src/change.ts';
import { withNote } from '../../src/change/lazy-change.ts';

// An object that has opted out of messages has not opted out of its history.
const rules = createRuleBook(options.parse({ optOutAnnotation: '' }));

/** The change with the note of `diff`; unchanged if nothing that counts differs, such as when only the status changed. */
export function withDifference(change: Change): Change {
  const { before, after, by } = change;
  const counted = rules.rulesFor(change);
  if (before === undefined || after === undefined || counted === undefined) return change;
  const fields = diffFields(before, after, counted);
  return fields.length === 0
    ? change
    : withNote(change, 'diff', createNote(fields, { before, after, rules: counted, by }));
}
