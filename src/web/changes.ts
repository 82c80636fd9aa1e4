/** Changes as the page and `/api/changes` show them. */
import { z } from 'zod';
import { withDifference } from '../../handlers/diff/difference.ts';
import { globMatcher } from '../text/glob.ts';
import { objectQuery } from '../kind-names.ts';
import type { Change } from '../change.ts';
import { summaryOf, type ChangeSummary } from '../change/change-document.ts';
import { remarksOf, writersOf } from '../change/remarks.ts';
import type { HistoryQuery } from '../store/looking-back.ts';
import { didYouMean } from '../text/near.ts';
import type { Store } from '../store/store.ts';
import { visible } from './text.ts';
import { mapYielding } from './map-yielding.ts';

/** Changes in memory with their manifests, which may have a megabyte each: no request may use much memory. */
export const PAGE_SIZE = 20;
/** Maximum for a page of the API. */
const MAX_PAGE = 500;
/** For the API, and for the changes initially on the page. */
const DEFAULT_PAGE = 50;
/** A longer diff is cut; `watchchain history` shows more of it. */
const MAX_DIFF_CHARS = 20_000;
const MAX_LINE_CHARS = 1_000;
/** Changed fields listed per manager. */
const MAX_PATHS = 20;

/** Members may be added, never removed. Texts are bounded, and invisible characters in them are escaped. */
export interface ShownChange extends ChangeSummary {
  /** What changed, in a few words; absent if nothing that counts differs. */
  readonly what?: string;
  /** Unified diff of the fields that count. */
  readonly diff?: string;
  /** `while nothing was watching`, and the like. */
  readonly remarks: readonly string[];
}

const glob = z.string().min(1).max(253);
const LIMITS = `must be a whole number from 1 to ${MAX_PAGE}`;
const AN_ID = 'must be the id of a change';

const parameters = {
  kind: z.string().max(253).optional().describe('Kind, plural or short name.'),
  namespace: glob.optional().describe('With `*` and `?` as wildcards.'),
  name: glob.optional().describe('With `*` and `?` as wildcards.'),
  by: glob.optional().describe('Who made the change, according to managedFields, with `*` and `?` as wildcards.'),
  since: z.iso
    .datetime({ offset: true, error: 'must be a time such as 2026-11-20T23:42:03Z' })
    .optional()
    .describe('RFC 3339.'),
  before: z.coerce
    .number(AN_ID)
    .int(AN_ID)
    .positive(AN_ID)
    .optional()
    .describe('Only changes with a smaller id, for the next page.'),
  limit: z.coerce.number(LIMITS).int(LIMITS).min(1, LIMITS).max(MAX_PAGE, LIMITS).default(DEFAULT_PAGE),
};

/**
 * The query of `/api/changes`, and of the page's own address. Drops empty values, as a form sends them, and the space that a
 * phone's keyboard adds after a word.
 */
export const changesQuery = z.preprocess(
  (query) =>
    typeof query === 'object' && query !== null
      ? Object.fromEntries(
          Object.entries(query)
            .map(trimmed)
            .filter(([, value]) => value !== ''),
        )
      : query,
  z.strictObject(parameters, {
    error: ({ code, keys }) => (code === 'unrecognized_keys' ? unknownParameter(keys) : undefined),
  }),
);

function unknownParameter([key = '']: readonly string[]): string {
  // `after` is for the stream.
  const known = [...Object.keys(parameters), 'after'];
  return `unknown parameter ${JSON.stringify(key)}${didYouMean(key, known) || `; known are ${known.join(', ')}`}`;
}

function trimmed([key, value]: [string, unknown]): [string, unknown] {
  return [key, typeof value === 'string' ? value.trim() : value];
}

export type ChangesQuery = z.output<typeof changesQuery>;

/** The part of a query that selects changes. */
export type ChangesFilter = Omit<HistoryQuery, 'limit'>;

/** A query as a filter for the store. @throws ConfigError for a kind without any records */
export async function filterOf(store: Store, { by, since, ...objects }: ChangesQuery): Promise<ChangesFilter> {
  const seenSince = since === undefined ? undefined : Date.parse(since);
  return { ...(await objectQuery(store, objects)), by, since: seenSince };
}

/** The newest matching changes, newest first. Lets other work run in between. */
export async function newestShown(store: Store, filter: ChangesFilter, limit: number): Promise<readonly ShownChange[]> {
  const found: ShownChange[] = [];
  const isMeant = globMatcher(filter.by ?? '*');
  let page: readonly Change[];
  let pageSize: number;
  let beforeId = filter.beforeId ?? Number.MAX_SAFE_INTEGER;
  do {
    pageSize = Math.min(PAGE_SIZE, limit - found.length);
    page = await store.history({ ...filter, beforeId, newestFirst: true, limit: pageSize });
    const read = await mapYielding(page, toShownChange);
    // The store selects by all managers whose entries were altered, not only by those shown.
    found.push(...read.filter(({ by }) => filter.by === undefined || by.some(({ manager }) => isMeant(manager))));
    beforeId = page.at(-1)?.id ?? 0;
  } while (page.length === pageSize && found.length < limit);
  return found;
}

export function toShownChange(change: Change): ShownChange {
  const compared = withDifference(change);
  const { diff } = compared.notes;
  const writers = writersOf(compared);
  const summary = summaryOf(change);
  return {
    ...summary,
    headline: visible(summary.headline, MAX_LINE_CHARS),
    // Names of roles may contain anything but a slash.
    key: visible(summary.key, MAX_LINE_CHARS),
    name: visible(summary.name, MAX_LINE_CHARS),
    // Without managers that only lost a field to the writer, although their entries were altered, too.
    by: summary.by
      .filter(({ manager }) => writers.includes(manager))
      .map((actor) => ({
        ...actor,
        paths: actor.paths.slice(0, MAX_PATHS).map((path) => visible(path, MAX_LINE_CHARS)),
      })),
    ...(diff === undefined
      ? {}
      : { what: visible(diff.headline, MAX_LINE_CHARS), diff: visible(diff.unified.trimEnd(), MAX_DIFF_CHARS) }),
    remarks: remarksOf(change).map((remark) => visible(remark, MAX_LINE_CHARS)),
  };
}
