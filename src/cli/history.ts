/** `history`: the accepted changes that are still kept. */
import { type Command, Option } from 'commander';
import { changeEntry, happened, prettyText } from '../../handlers/log/entry.ts';
import type { Change } from '../change.ts';
import { documentOf } from '../change/change-document.ts';
import { pause, systemClock } from '../clock.ts';
import { writersOf, remarksOf } from '../change/remarks.ts';
import { ConfigError } from '../errors.ts';
import { globMatcher } from '../text/glob.ts';
import { printable } from '../text/printable.ts';
import type { HistoryQuery } from '../store/looking-back.ts';
import type { Store } from '../store/store.ts';
import { EXIT, takesColor, type Action, type CommandIo } from './command.ts';
import { withDifference } from '../../handlers/diff/difference.ts';
import { objectQuery, type ObjectFlags } from '../kind-names.ts';
import { withStateFlags, type StateFlags } from './options.ts';
import { print } from './print.ts';
import { withStore } from './state.ts';
import { table } from './table.ts';
import { parseTime } from './values.ts';

interface Flags extends StateFlags, ObjectFlags {
  readonly by?: string;
  readonly since?: string;
  readonly limit: string;
  readonly follow?: true;
  readonly output: Format;
}

type Format = 'table' | 'json' | 'diff';
type Filter = Omit<HistoryQuery, 'afterId' | 'newestFirst' | 'limit'>;

interface Printer {
  readonly print: (page: readonly Change[]) => Promise<void>;
  /** Prints what is held back, as nothing more belongs to it. */
  readonly flush: () => Promise<void>;
}

/** Changes read at once, with manifests: it may run in the service's container, like `dead list`. */
const PAGE_SIZE = 20;
const MAX_NEWEST = 1_000;
/** Rows that are aligned together. */
const TABLE_ROWS = 1_000;
const FOLLOW_EVERY_MS = 500;

export function historyCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('history')
    .description('show the recorded changes, oldest first; by default they are kept for 7 days, up to 512 MiB')
    .allowExcessArguments(false)
    .option('--kind <kind>', 'kind, plural or short name, with .group if needed')
    .option('-n, --namespace <namespace>', 'namespace, with * and ? as wildcards')
    .option('--name <name>', 'name of the object, with * and ? as wildcards')
    .option('--by <manager>', 'who made the change, according to managedFields: kubectl*, helm')
    .option('--since <when>', 'a duration such as 30m, 12h, 3d, or a time such as 2026-11-20T23:42:03Z')
    .option('--limit <number>', `show this many of the newest, at most ${MAX_NEWEST}; 0 for all`, '100')
    .option('-f, --follow', 'then keep showing new changes')
    .addOption(
      new Option('-o, --output <format>', 'one line per change, one JSON object per line, or the diffs')
        .choices(['table', 'json', 'diff'])
        .default('table'),
    );
  withStateFlags(command).action((flags: Flags) =>
    choose(() => withStore(flags, io, (store) => history(store, flags, io))),
  );
}

async function history(store: Store, flags: Flags, io: CommandIo): Promise<number> {
  const limit = limitFrom(flags.limit);
  const filter = await filterFrom(store, flags);
  const printer = printerOf(flags.output, io);
  let lastId = 0;
  for await (const page of limit === 0 ? pagesAfter(store, filter, 0) : newest(store, filter, limit)) {
    await printer.print(page);
    lastId = page.at(-1)?.id ?? lastId;
    if (io.signal.aborted) return EXIT.ok;
  }
  await printer.flush();
  if (lastId === 0 && flags.output === 'table' && flags.follow !== true) {
    io.stdout.write(
      Object.values(filter).some((value) => value !== undefined) ? 'No changes match.\n' : 'No changes are recorded.\n',
    );
  }
  if (flags.follow === true) await follow(store, filter, { lastId, ...printer, signal: io.signal });
  return EXIT.ok;
}

function limitFrom(text: string): number {
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (limit <= MAX_NEWEST) return limit;
  throw new ConfigError([`--limit: ${JSON.stringify(text)} is not a number from 0 (all) to ${MAX_NEWEST}`]);
}

async function filterFrom(store: Store, { by, since, ...flags }: Flags): Promise<Filter> {
  const seenSince = since === undefined ? undefined : parseTime('--since', since);
  return { ...(await objectQuery(store, flags)), by, since: seenSince };
}

/** Reads backwards first to find the beginning: they are printed oldest first, and keeping them all takes too much memory. */
export async function* newest(store: Store, filter: Filter, limit: number): AsyncGenerator<readonly Change[]> {
  let [first, last] = [Number.MAX_SAFE_INTEGER, 0];
  for (let left = limit; left > 0;) {
    const pageSize = Math.min(PAGE_SIZE, left);
    const page = await store.history({ ...filter, beforeId: first, newestFirst: true, limit: pageSize });
    first = page.at(-1)?.id ?? first;
    last = Math.max(last, page[0]?.id ?? 0);
    left -= written(page, filter).length;
    if (page.length < pageSize) break;
  }
  if (last > 0) yield* pagesAfter(store, { ...filter, beforeId: last + 1 }, first - 1);
}

async function* pagesAfter(store: Store, filter: Filter, afterId: number): AsyncGenerator<readonly Change[]> {
  for (let last = afterId; ;) {
    const page = await store.history({ ...filter, afterId: last, limit: PAGE_SIZE });
    yield written(page, filter);
    last = page.at(-1)?.id ?? last;
    if (page.length < PAGE_SIZE) return;
  }
}

/** Leaves out changes in which the manager only lost a field to the writer, although its entry was altered, too. */
function written(page: readonly Change[], { by }: Filter): readonly Change[] {
  if (by === undefined) return page;
  const isMeant = globMatcher(by);
  return page.filter((change) => writersOf(withDifference(change)).some(isMeant));
}

/** Polls, since the service is another process. Ends when aborted. */
async function follow(
  store: Store,
  filter: Filter,
  { lastId, print, flush, signal }: Printer & { lastId: number; signal: AbortSignal },
): Promise<void> {
  let last = lastId;
  while (!signal.aborted) {
    const [newestChange] = await store.history({ newestFirst: true, limit: 1 });
    for await (const page of pagesAfter(store, filter, last)) {
      await print(page);
      last = page.at(-1)?.id ?? last;
    }
    // Do not search again what the filter leaves out: with 100,000 changes that took 12 % of a core.
    last = Math.max(last, newestChange?.id ?? 0);
    await flush();
    await pause(systemClock, FOLLOW_EVERY_MS, signal);
  }
}

function printerOf(format: Format, io: CommandIo): Printer {
  if (format === 'table') return tablePrinter(io);
  const color = takesColor(io.stdout, io.env);
  const textOf = (change: Change) =>
    format === 'json' ? printable(JSON.stringify(documentOf(change))) : prettyText(changeEntry(change), { color });
  return {
    print: async (page) => {
      for (const change of page) await print(`${textOf(withDifference(change))}\n`, io);
    },
    flush: async () => {},
  };
}

function tablePrinter(io: CommandIo): Printer {
  let isFirst = true;
  let rows: string[][] = [];
  const flush = async (): Promise<void> => {
    if (rows.length > 0) await print(table([...(isFirst ? [HEADER] : []), ...rows]), io);
    isFirst &&= rows.length === 0;
    rows = [];
  };
  return {
    print: async (page) => {
      rows.push(...page.map(rowOf));
      if (rows.length >= TABLE_ROWS) await flush();
    },
    flush,
  };
}

const HEADER = ['ID', 'TIME', 'ACTION', 'OBJECT', 'BY', 'WHAT'];

function rowOf(change: Change): string[] {
  const { id, observedAt, action, gvk, key } = change;
  const compared = withDifference(change);
  const what = [happened(compared), ...remarksOf(change)].filter((part) => part !== '').join(' · ');
  const time = new Date(observedAt).toISOString().replace(/\.\d+Z$/, 'Z');
  return [String(id), time, action, `${gvk.kind} ${key}`, writersOf(compared).join(',') || '-', what || '-'];
}
