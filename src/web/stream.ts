/** Server-sent events: changes as they are accepted, to those who look on. */
import type { SSEMessage, SSEStreamingApi } from 'hono/streaming';
import type { HistoryQuery, Store } from '../store/store.ts';
import { filterOf, shown, type ChangesQuery } from './changes.ts';
import type { Batch } from './feed.ts';
import type { RouteParts } from './routes.ts';

/** A viewer that has not taken the ones before is cut off; it comes back with the number of its last change. */
const MAX_UNSENT = 4;
/** Proxies end what is silent. */
const ALIVE_EVERY_MS = 15_000;
/** What a viewer gets at once: of a batch, or of what happened between the page and its stream. */
const MAX_SHOWN = 50;

/**
 * Until the viewer leaves, is too slow, or the service stops.
 * @param after the last change that the viewer has seen; undefined: what is accepted from now on
 */
export async function follow(
  stream: SSEStreamingApi,
  query: ChangesQuery,
  after: number | undefined,
  { outlook, feed }: Pick<RouteParts, 'outlook' | 'feed'>,
): Promise<void> {
  const { clock } = outlook;
  const over = new AbortController();
  stream.onAbort(() => over.abort());
  const send = sender(stream, over);
  const tell = ({ changes, skipped, lastId }: Batch) => {
    if (changes.length > 0 || skipped > 0)
      send({ event: 'changes', id: String(lastId), data: JSON.stringify({ changes, skipped }) });
  };
  const store = outlook.store();
  const filter = store === undefined ? {} : await filterOf(store, query);
  const isFiltered = Object.keys(filter).length > 0;
  if (store !== undefined && after !== undefined) tell(await batchAfter(store, filter, after));
  const leave = feed.follow((batch, from) => {
    if (!isFiltered || store === undefined) return tell(batch);
    batchAfter(store, filter, from).then(tell, () => over.abort());
  });
  try {
    while (!over.signal.aborted) {
      await clock.sleep(ALIVE_EVERY_MS, over.signal).catch(() => undefined);
      if (!over.signal.aborted) send({ event: 'alive', data: '' });
    }
  } finally {
    leave();
  }
}

/** Sends without waiting; ends what takes nothing. */
function sender(stream: SSEStreamingApi, over: AbortController): (message: SSEMessage) => void {
  let unsent = 0;
  return (message) => {
    if (++unsent > MAX_UNSENT) return over.abort();
    stream.writeSSE(message).then(
      () => void unsent--,
      () => over.abort(),
    );
  };
}

/** The newest of those that came after, in accept order. */
export async function batchAfter(store: Store, filter: Omit<HistoryQuery, 'limit'>, afterId: number): Promise<Batch> {
  const found = await store.history({ ...filter, afterId, newestFirst: true, limit: MAX_SHOWN });
  const lastId = found[0]?.id ?? afterId;
  const oldest = found.at(-1)?.id ?? afterId;
  return {
    changes: found.toReversed().map(shown),
    // Accept numbers of a whole history are nearly without gaps: close enough for "and 312 more".
    skipped: found.length < MAX_SHOWN ? 0 : Math.max(0, oldest - afterId - 1),
    lastId,
  };
}
