/** A change in one line. */
import { isMap, type Json } from '../../src/json.ts';
import type { FieldChange } from './field-change.ts';
import { fromFirstItem, isChecksum, isContainer, isImage, isTerminating, nameOf } from './field-name.ts';
import { cutMiddle, formatValues, isShort } from './text.ts';

/** Changes named in the headline; the rest are counted. */
const MAX_NAMED = 3;
/** If a value is longer, the headline says only that it changed, or shows where two words differ. */
const VALUE_WIDTH = 60;
/** Of each of two longer words: enough for a tag beside its digest. */
const EXCERPT_WIDTH = 40;
/** Where two longer words differ first, such as two files of JSON on one line, says little. */
const MAX_WORD_CHARS = 500;
const NAME_WIDTH = 80;
/** As src/source/redact.ts leaves it: two of them say no more than that the value changed. */
const MASKED = /^"?redacted:hmac-[0-9a-f]{12}"?$/;
/** The API server sets it with each deletionTimestamp, often to 0: "terminating" has said it. */
const GRACE_PERIOD = 'metadata.deletionGracePeriodSeconds';

/** `image web nginx:1.7.9 -> nginx:1.9.1, replicas 1 -> 3`; the fields in the order of byImportance(). */
export function headlineOf(all: readonly FieldChange[]): string {
  const fields = all.some(isTerminating) ? all.filter(({ path }) => path !== GRACE_PERIOD) : all;
  const first = fields.slice(0, MAX_NAMED);
  const names = first.map(nameOf);
  // The same field of two containers: under their short name they would read as one thing said twice.
  const isShared = (name: string): boolean => names.indexOf(name) !== names.lastIndexOf(name);
  const named = first.map((field) => {
    const name = nameOf(field);
    return phrase(field, isShared(name) ? fromFirstItem(field) : name);
  });
  const more = fields.length - named.length;
  return [...named, ...(more > 0 ? [`+${more} more`] : [])].join(', ');
}

function phrase(field: FieldChange, fullName: string): string {
  if (isTerminating(field)) return 'terminating';
  const name = cutMiddle(fullName, NAME_WIDTH);
  if (field.op === 'reorder') return `${name} reordered`;
  const values = valuesOf(field);
  return `${name} ${values ?? { add: 'added', remove: 'removed', replace: 'changed' }[field.op]}`;
}

/** Undefined if the name alone has to do. */
function valuesOf(field: FieldChange): string | undefined {
  if (isContainer(field) || (field.op === 'replace' && isChecksum(field))) return undefined;
  const said = withoutLabel(field);
  const { before, after } = said;
  if (isAbsentOrMasked(before) && isAbsentOrMasked(after)) return undefined;
  const isQuoted = isShort(before, VALUE_WIDTH) && isShort(after, VALUE_WIDTH);
  // Cloud registry names alone take up half of this width, so for an image the part that differs is always shown.
  if (isQuoted || isImage(field)) return formatValues(said, VALUE_WIDTH);
  return isWord(before) && isWord(after) ? formatValues(said, EXCERPT_WIDTH) : undefined;
}

function isAbsentOrMasked(value: Json | undefined): boolean {
  return value === undefined || (typeof value === 'string' && MASKED.test(value));
}

/** An item that was added or removed, without what its label has said: `env A (none) -> 1`, `verbs[get] added`. */
function withoutLabel(field: FieldChange): FieldChange {
  const last = field.steps.at(-1);
  if (typeof last !== 'object') return field;
  const rest = (value: Json | undefined): Json | undefined => {
    if (!isMap(value)) return value === last.item ? undefined : value;
    const { name, ...others } = value;
    if (name !== last.item) return value;
    const [first, ...more] = Object.entries(others);
    return first?.[0] === 'value' && more.length === 0 ? first[1] : first && others;
  };
  return { ...field, before: rest(field.before), after: rest(field.after) };
}

/** An image with its digest, a URL, a pattern, an argument; not prose, nor a query. */
function isWord(value: Json | undefined): boolean {
  return typeof value === 'string' && value.length <= MAX_WORD_CHARS && !/\s/.test(value);
}
