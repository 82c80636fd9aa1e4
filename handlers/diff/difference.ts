/** What a recorded change changed, for whoever looks back: by the rules that `diff` has without any option. */
import { diffFields } from './fields.ts';
import { createNote } from './note.ts';
import { options } from './options.ts';
import { createRuleBook } from './rules.ts';
import type { Change } from '../../src/change.ts';
import { withNote } from '../../src/change/lazy-change.ts';

// An object that has opted out of messages has not opted out of its history.
const rules = createRuleBook(options.parse({ optOutAnnotation: '' }));

/** The change with the note of `diff`; as it is when nothing differs that counts, as with a status. */
export function withDifference(change: Change): Change {
  const { before, after, by } = change;
  const counted = rules.rulesFor(change);
  if (before === undefined || after === undefined || counted === undefined) return change;
  const fields = diffFields(before, after, counted);
  return fields.length === 0
    ? change
    : withNote(change, 'diff', createNote(fields, { before, after, rules: counted, by }));
}
