/** Filters with regular expressions in RE2's syntax: linear in time, whatever the pattern and the text. */
import { RE2JS } from 're2js';
import type { FilterDefinition, FilterPlace } from '../filter.ts';
import { toError } from '../../errors.ts';
import { textOf } from './text.ts';

/** A pattern searches this much of a text, in UTF-16 units: linear time on 1.5 MB is still too long for one change. */
export const MAX_SEARCHED_CHARS = 64 * 1024;

export const regexMatch: FilterDefinition = {
  name: 'regex_match',
  args: '"pattern"',
  summary: 'Whether the pattern matches the text: anywhere, unless it is anchored.',
  examples: [
    {
      template: '{% assign pulling = event.message | regex_match: "(?i)back-?off" %}{% if pulling %}yes{% endif %}',
      result: 'yes',
    },
  ],
  check: checkPattern,
  apply: (value, [pattern], place) => compiledAt(place, pattern).matcher(input(value)).find(),
};

export const regexFind: FilterDefinition = {
  name: 'regex_find',
  args: '"pattern", group',
  summary: 'The first match of the pattern, or one of its groups by number; nothing if there is no match.',
  examples: [
    { template: '{{ "took 312ms in all" | regex_find: "[0-9]+ms" }}', result: '312ms' },
    { template: '{{ "web-7d9c-x2x" | regex_find: "^(.*)-[^-]+-[^-]+$", 1 }}', result: 'web' },
  ],
  check(args) {
    checkPattern(args);
    const [pattern] = args;
    const group = groupOf(args);
    const groups = RE2JS.compile(textOf(pattern)).groupCount();
    if (group > groups) throw new Error(`the pattern has no group ${group}: it has ${groups}`);
  },
  apply(value, args, place) {
    const group = groupOf(args);
    const matcher = compiledAt(place, args[0]).matcher(input(value));
    return matcher.find() && group <= matcher.groupCount() ? (matcher.group(group) ?? undefined) : undefined;
  },
};

export const regexReplace: FilterDefinition = {
  name: 'regex_replace',
  args: '"pattern", "replacement"',
  summary: 'Replaces every match of the pattern; `$1` stands for its first group.',
  examples: [{ template: '{{ "web-7d9c-x2x" | regex_replace: "-[^-]+-[^-]+$", "" }}', result: 'web' }],
  check: checkPattern,
  apply(value, [pattern, replacement], place) {
    const text = textOf(value);
    const replaced = compiledAt(place, pattern)
      .matcher(text.slice(0, MAX_SEARCHED_CHARS))
      .replaceAll(textOf(replacement));
    return replaced + text.slice(MAX_SEARCHED_CHARS);
  },
};

function input(value: unknown): string {
  return textOf(value).slice(0, MAX_SEARCHED_CHARS);
}

/** 0, the whole match, unless it is given. @throws if it is not the number of a group */
function groupOf([, given]: readonly unknown[]): number {
  const group = given ?? 0;
  if (typeof group === 'number' && Number.isInteger(group) && group >= 0) return group;
  throw new Error('the second argument must be the number of a group: 0 for the whole match, 1, 2, ...');
}

function checkPattern([pattern]: readonly unknown[]): void {
  if (typeof pattern !== 'string') throw new Error('the first argument must be a pattern');
  try {
    RE2JS.compile(pattern);
  } catch (cause) {
    throw new Error(`the pattern must be in RE2's syntax: ${toError(cause).message}`, { cause });
  }
}

/** The last pattern at each place: nearly always a literal, and then always the same. */
const lastAt = new WeakMap<object, { readonly pattern: string; readonly regex: RE2JS }>();

/** The compiled pattern of a filter at this place. @throws if it is invalid */
export function compiledAt({ token }: FilterPlace, given: unknown): RE2JS {
  const pattern = textOf(given);
  const last = lastAt.get(token);
  if (last?.pattern === pattern) return last.regex;
  const regex = RE2JS.compile(pattern);
  lastAt.set(token, { pattern, regex });
  return regex;
}
