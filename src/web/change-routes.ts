/** What changed: page by page as JSON, and as server-sent events. */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { responseSchemas } from './response-schemas.ts';
import { isConfigError, toError } from '../errors.ts';
import {
  changesQuery,
  filterOf,
  newestShown,
  type ChangesFilter,
  type ChangesQuery,
  type ShownChange,
} from './changes.ts';
import type { Store } from '../store/store.ts';
import { firstProblem, notRunning } from './problems.ts';
import type { ServiceView } from './service-view.ts';
import { propertiesOf } from './schemas.ts';
import type { Route, RouteParts } from './route.ts';
import { streamChanges } from './stream.ts';

/** Viewers at the same time; further ones are told to come back. */
const MAX_VIEWERS = 50;

const PATH = '/api/changes';

export function changeRoutes(parts: RouteParts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: PATH,
      access: 'read',
      summary:
        'Changes, newest first, with `before` for the next page. With `Accept: text/event-stream`: new changes as they are accepted, and those after `Last-Event-ID` or `after`.',
      query: propertiesOf(changesQuery),
      responseSchema: responseSchemas.changes,
      handle: (c) => changes(c, parts),
    },
  ];
}

async function changes(c: Context, parts: RouteParts): Promise<Response> {
  const wantsStream = c.req.header('accept')?.includes('text/event-stream') === true;
  const { after: given, ...rest } = c.req.query();
  const after = given || undefined;
  const parsed = changesQuery.safeParse(rest);
  if (!parsed.success) return c.json({ error: firstProblem(parsed.error) }, 400);
  if (after !== undefined && !wantsStream)
    return c.json({ error: 'after: is for a stream, which needs the header Accept: text/event-stream' }, 400);
  // Nobody would read a stream started by HEAD.
  if (wantsStream && c.req.method !== 'HEAD') return stream(c, parsed.data, after, parts);
  if (parts.service.store() === undefined) return notRunning(c);
  const { changes: found, problem } = await newest(parts.service, parsed.data);
  if (problem !== undefined) return c.json({ error: problem }, 400);
  const last = found.length < parsed.data.limit ? undefined : found.at(-1)?.id;
  return c.json({ changes: found, ...(last === undefined ? {} : { before: last }) });
}

async function stream(
  c: Context,
  query: ChangesQuery,
  after: string | undefined,
  { service, feed, gate, sessions }: RouteParts,
): Promise<Response> {
  const store = service.store();
  // The filter and the missed changes need the store. The page asks again by itself.
  if (store === undefined) return c.text('the service is not running\n', 503, { 'retry-after': '5' });
  if (feed.viewers >= MAX_VIEWERS)
    return c.text('too many viewers are connected already\n', 503, { 'retry-after': '60' });
  const found = await filterFor(store, query);
  if ('problem' in found) return c.json({ error: found.problem }, 400);
  const seen = lastSeen(c.req.header('last-event-id'), after);
  if (typeof seen === 'object') return c.json({ error: seen.problem }, 400);
  const { headers } = c.req.raw;
  const { outgoing } = c.env as { readonly outgoing?: { destroy(): unknown } };
  return streamSSE(c, (api) =>
    streamChanges(api, {
      clock: service.clock,
      feed,
      store,
      filter: found.filter,
      after: seen,
      isAllowed: async () => (await gate.verdict(sessions.tokenOf(headers), 'read', PATH)) === 'allowed',
      cut: () => outgoing?.destroy(),
      // Debug level, because the feed itself logs store failures once, and viewers reconnect.
    }).catch((thrown: unknown) => {
      service.log.debug('A stream ended early', { problem: toError(thrown).message });
    }),
  );
}

/** A browser that comes back by itself sends the header; the address is still that of its first request. */
function lastSeen(header: string | undefined, after: string | undefined): number | undefined | { problem: string } {
  const [name, text] = header ? ['Last-Event-ID', header] : ['after', after];
  if (text === undefined) return undefined;
  const id = /^\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(id) ? id : { problem: `${name}: must be the id of a change` };
}

/** A kind without any records is a problem of the query. */
async function filterFor(
  store: Store,
  query: ChangesQuery,
): Promise<{ readonly filter: ChangesFilter } | { readonly problem: string }> {
  try {
    return { filter: await filterOf(store, query) };
  } catch (thrown) {
    if (!isConfigError(thrown)) throw thrown;
    return { problem: thrown.message };
  }
}

/** A page of changes; empty, with a reason, for a query that nothing can match; empty while the service is not running. */
export async function newest(
  service: ServiceView,
  query: ChangesQuery,
): Promise<{ readonly changes: readonly ShownChange[]; readonly problem?: string }> {
  const store = service.store();
  if (store === undefined) return { changes: [] };
  const found = await filterFor(store, query);
  if ('problem' in found) return { changes: [], problem: found.problem };
  const { limit, before: beforeId } = query;
  const page = { ...found.filter, beforeId };
  return { changes: await newestShown(store, page, limit) };
}
