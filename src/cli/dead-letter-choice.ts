/** Selects the dead letters that a command is about: by id, by filters, or all. */
import { ConfigError } from '../errors.ts';
import type { DeadLetter } from '../store/looking-back.ts';
import type { Store } from '../store/store.ts';
import { objectQuery, type ObjectFlags } from '../kind-names.ts';
import { parseTime } from './values.ts';

/** Ids in one transaction. */
const BATCH_SIZE = 500;
/** Letters read at once: in the service's container, 500 with large manifests took more memory than there is. */
const PAGE_SIZE = 20;

export interface Filters extends ObjectFlags {
  readonly chain?: string;
  readonly handler?: string;
  readonly olderThan?: string;
}

/** What is kept of a chosen letter, leaving out its manifests. */
export type SelectedLetter = Pick<DeadLetter, 'id' | 'chain' | 'handler'>;

/** By id, or by filters, or all. @throws ConfigError for an unknown id, before anything is done */
export async function chosen(
  verb: string,
  store: Store,
  flags: Filters & { readonly all?: boolean },
  requestedIds: readonly number[],
): Promise<readonly SelectedLetter[]> {
  const byFilter = isFiltered(flags);
  if (requestedIds.length > 0 && (byFilter || flags.all === true))
    throw new ConfigError([`Cannot ${verb} by id and by filter at the same time; leave one of them out`]);
  if (requestedIds.length === 0 && !byFilter && flags.all !== true)
    throw new ConfigError([`Nothing to ${verb}: give ids, a filter such as --handler, or --all`]);
  const letters: SelectedLetter[] = [];
  if (requestedIds.length === 0) {
    for await (const { id, chain, handler } of select(store, flags)) letters.push({ id, chain, handler });
    return letters;
  }
  const unknown: number[] = [];
  for (const id of new Set(requestedIds)) {
    const letter = await store.deadLetterOf(id);
    if (letter === undefined) unknown.push(id);
    else letters.push({ id, chain: letter.chain, handler: letter.handler });
  }
  if (unknown.length > 0) throw unknownIds(unknown);
  return letters;
}

export function isFiltered({ chain, handler, kind, namespace, name, olderThan }: Filters): boolean {
  return [chain, handler, kind, namespace, name, olderThan].some((filter) => filter !== undefined);
}

/** Reads page by page, because a letter holds whole manifests. */
export async function* select(store: Store, flags: Filters): AsyncGenerator<DeadLetter> {
  const { chain, handler, olderThan } = flags;
  const diedBefore = olderThan === undefined ? undefined : parseTime('--older-than', olderThan);
  const query = { chain, handler, diedBefore, ...(await objectQuery(store, flags)) };
  let afterId = 0;
  for (;;) {
    const page = await store.deadLetters({ ...query, afterId, limit: PAGE_SIZE });
    yield* page;
    afterId = page.at(-1)?.id ?? afterId;
    if (page.length < PAGE_SIZE) return;
  }
}

/** Works in transactions of bounded size: the service writes to the same store meanwhile, and the user may interrupt. */
export async function inBatches(
  ids: readonly number[],
  signal: AbortSignal,
  act: (ids: readonly number[]) => Promise<readonly number[]>,
): Promise<number> {
  let done = 0;
  for (let from = 0; from < ids.length && !signal.aborted; from += BATCH_SIZE)
    done += (await act(ids.slice(from, from + BATCH_SIZE))).length;
  return done;
}

export function unknownIds(ids: readonly number[]): ConfigError {
  return new ConfigError([
    `No dead letter has the id ${ids.join(', ')}; \`watchchain dead list\` shows the existing ones`,
  ]);
}
