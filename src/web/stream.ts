/** Server-sent events: changes as they are accepted, for one viewer. */
import type { SSEStreamingApi } from 'hono/streaming';
import type { Store } from '../store/store.ts';
import type { ChangesFilter } from './changes.ts';
import { messageOf, type Feed } from './feed.ts';
import { pause, type Clock } from '../clock.ts';

/** Unsent messages until a viewer is cut off; it comes back with the id of its last change. */
const MAX_UNSENT = 4;
/** Proxies end silent connections. */
const ALIVE_EVERY_MS = 15_000;

const ALIVE = new TextEncoder().encode('event: alive\ndata: \n\n');
/** The viewer's changes are from another state, such as one in memory: their ids mean nothing here. */
const RESET = new TextEncoder().encode('event: anew\ndata: \n\n');

export interface StreamParts {
  readonly clock: Clock;
  readonly feed: Feed;
  readonly store: Store;
  readonly filter: ChangesFilter;
  /** The id of the last change that the viewer has seen; undefined: send only what is accepted from now on. */
  readonly after: number | undefined;
  /** Whether the viewer still has access: sessions end, tokens expire, roles are revoked. Never rejects. */
  readonly isAllowed: () => Promise<boolean>;
  /** Ends the connection without waiting for unsent data. */
  readonly cut: () => void;
}

/** Runs until the viewer leaves, is too slow or loses access, or the service stops. A change may come twice, but none is lost. */
export async function streamChanges(stream: SSEStreamingApi, parts: StreamParts): Promise<void> {
  const { clock, feed, store, filter, after, isAllowed, cut } = parts;
  const over = new AbortController();
  stream.onAbort(() => over.abort());
  const send = sender(stream, over, cut);
  const leave = await feed.subscribe(filter, send);
  try {
    const missed = after === undefined ? undefined : await missedSince(after, store, filter);
    if (missed !== undefined) send(missed);
    while (!over.signal.aborted && (await isAllowed())) {
      send(ALIVE);
      await pause(clock, ALIVE_EVERY_MS, over.signal);
    }
  } finally {
    leave();
  }
}

async function missedSince(after: number, store: Store, filter: ChangesFilter): Promise<Uint8Array | undefined> {
  const [newest] = await store.history({ newestFirst: true, limit: 1 });
  return after > (newest?.id ?? 0) ? RESET : messageOf(store, { ...filter, afterId: after });
}

/** Sends without waiting; cuts off a viewer that does not read. */
function sender(stream: SSEStreamingApi, over: AbortController, cut: () => void): (message: Uint8Array) => void {
  let unsent = 0;
  return (message) => {
    if (over.signal.aborted) return;
    if (++unsent > MAX_UNSENT) {
      over.abort();
      cut();
      return;
    }
    stream.write(message).then(
      () => void unsent--,
      () => over.abort(),
    );
  };
}
